"""How a model is fitted to a machine without an accelerator: threads, processes, cache, deadline.

Pure: a size and a machine in, settings out. The figures behind the choices are those of
`python -m loadtests.bench_settings`.
"""

from __future__ import annotations

from dataclasses import dataclass

from server.models.size import Size
from server.startup.machine import Machine

GIB = 2**30
PARAMETERS_PER_THREAD = 100_000_000
"""Below it the threads wait for each other longer than they work on a token: a second one brought
135 M parameters nothing, and took a core from the server and the trainer."""
PARAMETERS_PER_TRAINING_THREAD = 25_000_000
"""Training works on hundreds of tokens at once."""
LEAST_CACHE_BYTES = GIB
"""Room for many short requests at once, whatever the model."""
CACHE_SHARE = 0.25
"""Of the memory that the weights leave free, for the cache is filled with zeros at the start: what
the trainer works with, and everything else on the machine, needs the rest."""
COPIES = 2
"""Copies of the weights: the engine's and the trainer's."""
MOST_PROCESSES, PROCESS_BYTES = 4, 2 * GIB
"""Processes that do a job's work on a small model beside each other, and what one takes of memory,
libraries and batches included, beside its weights. Each takes seconds to start."""
SAMPLE_TOKENS = 512
"""Tokens of a long sample."""
TOKENS_PER_S = 1.2e10
"""Tokens · parameters that a core generates in a second, many samples at once, other work beside
it."""
PATIENCE = 3.0
"""Times as long as a whole vote of long samples takes."""
LEAST_WALL_S, MOST_WALL_S = 300.0, 540.0
"""The OpenAI clients give up after 600 seconds."""


@dataclass(frozen=True)
class Fit:
    """What suits a model here."""

    threads: int
    """Threads of the engine."""
    training_threads: int | None
    """None: as many as the engine's."""
    cache_bytes: int
    """Keys and values of all requests under way."""
    wall_s: float
    """Deadline of a vote that names none."""


def fit(size: Size | None, machine: Machine, samples: int, context: int | None = None) -> Fit:
    """Return settings for a model of that size (None: unknown), votes of at most `samples`.

    `context` is the longest text where it is not the model's own.
    """
    if size is None:
        return Fit(machine.cores, machine.cores, LEAST_CACHE_BYTES, LEAST_WALL_S)
    threads = _threads(size, machine, PARAMETERS_PER_THREAD)
    return Fit(
        threads=threads,
        training_threads=training_threads(size, machine),
        cache_bytes=_cache_bytes(size, machine, samples * (context or size.context_tokens)),
        wall_s=_wall_s(size, threads, samples),
    )


def beside_each_other(size: Size | None, machine: Machine) -> int:
    """Return how many processes, each with the threads that suit training, use the cores."""
    cores = machine.cores // training_threads(size, machine)
    if size is None or cores == 1:
        return 1
    room = machine.free_bytes // (PROCESS_BYTES + size.weight_bytes)
    return max(1, min(MOST_PROCESSES, cores, room))


def training_threads(size: Size | None, machine: Machine) -> int:
    """Return how many threads suit training, whatever memory is free: sums of another number of
    threads may have other last bits, and a machine is to come to the same adapter again.
    """
    return _threads(size, machine, PARAMETERS_PER_TRAINING_THREAD) if size else machine.cores


def _threads(size: Size, machine: Machine, each: int) -> int:
    return max(1, min(machine.cores, size.parameters // each))


def _cache_bytes(size: Size, machine: Machine, tokens: int) -> int:
    """Return room for so many tokens, as far as the machine has it."""
    free = machine.free_bytes - COPIES * size.weight_bytes
    most = max(LEAST_CACHE_BYTES, int(CACHE_SHARE * free))
    return min(most, max(LEAST_CACHE_BYTES, tokens * size.token_bytes))


def _wall_s(size: Size, threads: int, samples: int) -> float:
    work = samples * SAMPLE_TOKENS * size.parameters
    vote_s = work / (TOKENS_PER_S * threads)
    return min(MOST_WALL_S, max(LEAST_WALL_S, PATIENCE * vote_s))
