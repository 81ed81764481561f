"""What a CPU is asked to do for a model: set where the command line and the environment are silent.

`fitting` decides; here it is put where vLLM looks for it, and said.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Mapping, MutableMapping
from dataclasses import replace

from server.models.size import size_of
from server.startup.fitting import GIB, Fit, fit
from server.startup.machine import this_machine

CACHE = "VLLM_CPU_KVCACHE_SPACE"
"""GiB of key-value cache; vLLM takes it before any flag."""
THREADS, PROCESSES = "OMP_NUM_THREADS", "VLLM_ENABLE_V1_MULTIPROCESSING"


def fit_to_machine(
    args: argparse.Namespace,
    samples: int,
    environment: MutableMapping[str, str],
    taken_bytes: int = 0,
) -> Fit:
    """Fit threads, processes and cache to the model's size, the cores and the memory.

    `taken_bytes` of the memory are for another model.
    """
    machine, given = this_machine(), args.max_model_len
    machine = replace(machine, free_bytes=machine.free_bytes - taken_bytes)
    context = given if isinstance(given, int) and given > 0 else None
    fitted = fit(size_of(args.model), machine, samples, context)
    if THREADS in environment:
        fitted = replace(fitted, training_threads=None)
    keep_to_threads(fitted.threads, environment)
    if not environment.get(CACHE) and args.kv_cache_memory_bytes is None:
        args.kv_cache_memory_bytes = fitted.cache_bytes
    return fitted


def keep_to_threads(threads: int, environment: MutableMapping[str, str]) -> None:
    """Bound the threads, and keep the engine's core and its worker in one process.

    As two processes each spins for a second after every message of the other, and the trainer and
    the server need those cores. Binding threads to cores needs two.
    """
    environment.setdefault(THREADS, str(threads))
    if environment.get("VLLM_CPU_OMP_THREADS_BIND", "nobind") == "nobind":
        environment.setdefault(PROCESSES, "0")
    logging.getLogger("vllm.engine.arg_utils").addFilter(_is_of_use)


def told(args: argparse.Namespace, environment: Mapping[str, str]) -> str:
    """Say what is in force, whoever chose it."""
    size = size_of(args.model)
    what = f"{size.parameters / 1e6:,.0f} M parameters" if size else "a model of unknown size"
    several = environment.get(PROCESSES, "1") != "0"
    threads = environment[THREADS]
    cache = environment.get(CACHE) or f"{args.kv_cache_memory_bytes / GIB:.1f}"
    return (
        f"{what} on {this_machine().cores} cores: {threads} thread{'s' * (threads != '1')}, "
        f"{'two processes' if several else 'one process'}, {cache} GiB of key-value cache"
    )


def _is_of_use(record: logging.LogRecord) -> bool:
    """vLLM warns of random state shared with the engine; a server's engine is its own process."""
    return PROCESSES not in record.getMessage()
