"""Threads, processes and cache suit the model and the machine; what somebody chose stays."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest

from adaptation.pebble import model_path
from server.models.size import Size, size_of
from server.startup.cpu_defaults import fit_to_machine, keep_to_threads, told
from server.startup.fitting import (
    GIB,
    LEAST_CACHE_BYTES,
    LEAST_WALL_S,
    MOST_PROCESSES,
    MOST_WALL_S,
    beside_each_other,
    fit,
)
from server.startup.machine import Machine, this_machine

PEBBLE = Size(3_541_760, 7_083_520, token_bytes=2048, context_tokens=4096)
SMOLLM2 = Size(134_515_008, 269_030_016, token_bytes=23_040, context_tokens=8192)
LARGE = Size(8_190_000_000, 16_380_000_000, token_bytes=147_456, context_tokens=40_960)


def machine(cores: int = 2, free_gib: float = 20) -> Machine:
    return Machine(cores, int(free_gib * GIB))


@pytest.mark.parametrize(
    ("size", "cores", "threads"),
    [
        (PEBBLE, 1, 1),
        (PEBBLE, 64, 1),
        (SMOLLM2, 1, 1),
        (SMOLLM2, 64, 1),
        (LARGE, 2, 2),
        (LARGE, 16, 16),
        (None, 8, 8),
    ],
)
def test_a_model_gets_as_many_threads_as_it_has_work_for(
    size: Size | None, cores: int, threads: int
) -> None:
    assert fit(size, machine(cores), samples=16).threads == threads


@pytest.mark.parametrize(
    ("size", "cores", "threads"), [(PEBBLE, 2, 1), (SMOLLM2, 2, 2), (SMOLLM2, 64, 5), (None, 8, 8)]
)
def test_training_has_work_for_more(size: Size | None, cores: int, threads: int) -> None:
    assert fit(size, machine(cores), samples=16).training_threads == threads


@pytest.mark.parametrize(
    ("size", "cores", "free_gib", "processes"),
    [
        (PEBBLE, 1, 20, 1),
        (PEBBLE, 2, 20, 2),
        (PEBBLE, 64, 20, MOST_PROCESSES),
        (PEBBLE, 64, 5, 2),
        (PEBBLE, 64, 0.5, 1),
        (SMOLLM2, 2, 20, 1),
        (SMOLLM2, 16, 20, 3),
        (LARGE, 64, 200, 1),
        (None, 8, 20, 1),
    ],
)
def test_as_many_processes_work_beside_each_other_as_there_are_cores_and_memory_for(
    size: Size | None, cores: int, free_gib: float, processes: int
) -> None:
    assert beside_each_other(size, machine(cores, free_gib)) == processes


@pytest.mark.parametrize(("given", "threads"), [({}, 1), ({"OMP_NUM_THREADS": "3"}, None)])
def test_the_trainer_keeps_to_an_operators_threads(
    given: dict[str, str], threads: int | None
) -> None:
    assert fit_to_machine(serve_args(), 16, given).training_threads == threads


@pytest.mark.parametrize(
    ("size", "free_gib", "samples", "cache"),
    [
        (PEBBLE, 20, 16, LEAST_CACHE_BYTES),
        (SMOLLM2, 20, 16, 16 * 8192 * 23_040),
        (SMOLLM2, 20, 4, LEAST_CACHE_BYTES),
        (SMOLLM2, 8.5, 16, (int(8.5 * GIB) - 2 * 269_030_016) // 4),
        (SMOLLM2, 1, 16, LEAST_CACHE_BYTES),
        (None, 20, 16, LEAST_CACHE_BYTES),
    ],
)
def test_the_cache_holds_every_sample_whole_as_far_as_the_memory_goes(
    size: Size | None, free_gib: float, samples: int, cache: int
) -> None:
    assert fit(size, machine(free_gib=free_gib), samples).cache_bytes == cache


def test_another_models_weights_leave_less_for_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.startup.cpu_defaults.this_machine", lambda: machine(free_gib=8.5))
    monkeypatch.setattr("server.startup.cpu_defaults.size_of", lambda model: SMOLLM2)
    caches = []
    for taken_bytes in (0, 2 * GIB):
        args = serve_args()
        fit_to_machine(args, 16, {}, taken_bytes)
        caches.append(args.kv_cache_memory_bytes)
    assert caches[0] - caches[1] == 2 * GIB // 4


def test_a_shorter_context_needs_less_cache() -> None:
    asked = fit(SMOLLM2, machine(), 16, context=4096)
    assert asked.cache_bytes == 16 * 4096 * 23_040


def test_a_vote_has_the_longer_the_more_there_is_to_do_but_less_than_clients_wait() -> None:
    deadlines = [fit(size, machine(), 16).wall_s for size in (PEBBLE, SMOLLM2, LARGE)]
    assert deadlines == [LEAST_WALL_S, LEAST_WALL_S, MOST_WALL_S]
    between = Size(190_000_000, 380_000_000, token_bytes=12_288, context_tokens=4096)
    assert LEAST_WALL_S < fit(between, machine(), 16).wall_s < MOST_WALL_S
    larger = Size(450_000_000, 900_000_000, token_bytes=12_288, context_tokens=4096)
    assert fit(larger, machine(cores=16), 16).wall_s < fit(larger, machine(), 16).wall_s


@pytest.mark.parametrize(
    ("given", "completed"),
    [
        ({}, {"OMP_NUM_THREADS": "3", "VLLM_ENABLE_V1_MULTIPROCESSING": "0"}),
        (
            {"OMP_NUM_THREADS": "4", "VLLM_ENABLE_V1_MULTIPROCESSING": "1"},
            {"OMP_NUM_THREADS": "4", "VLLM_ENABLE_V1_MULTIPROCESSING": "1"},
        ),
        # Threads are bound to cores by the worker's own process.
        (
            {"VLLM_CPU_OMP_THREADS_BIND": "0-3"},
            {"VLLM_CPU_OMP_THREADS_BIND": "0-3", "OMP_NUM_THREADS": "3"},
        ),
    ],
)
def test_what_the_environment_says_of_threads_stays(
    given: dict[str, str], completed: dict[str, str]
) -> None:
    keep_to_threads(3, given)
    assert given == completed


def serve_args(**given: Any) -> argparse.Namespace:
    """Stand in for vLLM's parsed flags, as far as fitting is concerned."""
    blank = {"model": str(model_path()), "max_model_len": None, "kv_cache_memory_bytes": None}
    return argparse.Namespace(**{**blank, **given})


def test_the_built_in_model_is_fitted_and_what_is_in_force_is_said() -> None:
    args, environment = serve_args(), dict[str, str]()
    fit_to_machine(args, 16, environment)
    assert args.kv_cache_memory_bytes == LEAST_CACHE_BYTES
    cores = this_machine().cores
    assert told(args, environment) == (
        f"4 M parameters on {cores} cores: 1 thread, one process, 1.0 GiB of key-value cache"
    )


@pytest.mark.parametrize(
    ("given", "environment", "said"),
    [
        ({"kv_cache_memory_bytes": 3 * GIB}, {}, "3.0 GiB"),
        ({}, {"VLLM_CPU_KVCACHE_SPACE": "7"}, "7 GiB"),
        ({}, {"OMP_NUM_THREADS": "5", "VLLM_ENABLE_V1_MULTIPROCESSING": "1"}, "5 threads, two"),
    ],
)
def test_what_an_operator_chose_stays_and_is_said(
    given: dict[str, Any], environment: dict[str, str], said: str
) -> None:
    args = serve_args(**given)
    fit_to_machine(args, 16, environment)
    assert said in told(args, environment)


def test_the_size_is_read_from_a_folder_without_loading_the_model() -> None:
    assert size_of(str(model_path())) == PEBBLE


@pytest.mark.parametrize("model", ["nobody/nothing", "not a name", "/no/such/folder"])
def test_a_model_that_is_not_here_has_no_known_size(model: str) -> None:
    assert size_of(model) is None


@pytest.mark.parametrize("damage", ["config.json", "model.safetensors"])
def test_a_damaged_folder_has_no_known_size(tmp_path: Path, damage: str) -> None:
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes((model_path() / name).read_bytes())
    assert size_of(str(tmp_path)) == PEBBLE
    (tmp_path / damage).write_bytes(b"\xff" * 20)
    assert size_of(str(tmp_path)) is None
