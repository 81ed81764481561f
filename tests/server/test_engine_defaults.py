"""What the environment says stays; what it leaves open is filled in."""

from __future__ import annotations

import argparse

import pytest

from server.config import ConfigError, Settings
from server.engine_defaults import (
    UNSUPPORTED,
    complete,
    keep_to_one_thread,
    prepare_environment,
)


@pytest.mark.parametrize(
    ("given", "completed"),
    [
        ({}, {"OMP_NUM_THREADS": "1", "VLLM_ENABLE_V1_MULTIPROCESSING": "0"}),
        (
            {"OMP_NUM_THREADS": "4", "VLLM_ENABLE_V1_MULTIPROCESSING": "1"},
            {"OMP_NUM_THREADS": "4", "VLLM_ENABLE_V1_MULTIPROCESSING": "1"},
        ),
        # Threads are bound to cores by the worker's own process.
        (
            {"VLLM_CPU_OMP_THREADS_BIND": "0-3"},
            {"VLLM_CPU_OMP_THREADS_BIND": "0-3", "OMP_NUM_THREADS": "1"},
        ),
    ],
)
def test_the_built_in_model_gets_one_thread_in_one_process(
    given: dict[str, str], completed: dict[str, str]
) -> None:
    keep_to_one_thread(given)
    assert given == completed


def given(max_loras: int | None = None, modules: int = 0) -> argparse.Namespace:
    """What argparse makes of a command line, as far as it matters here."""
    named = dict.fromkeys((*UNSUPPORTED, "api_key", "api_server_count", "max_cpu_loras"))
    return argparse.Namespace(
        **named,
        host="127.0.0.1",
        model="org/model",
        model_tag=None,
        max_loras=max_loras,
        lora_modules=["x"] * modules,
    )


@pytest.mark.parametrize(("on_cpu", "slots"), [(True, 8), (False, 7)])
def test_on_a_cpu_one_slot_more_than_all_that_can_be_loaded_stays_empty(
    on_cpu: bool, slots: int
) -> None:
    args = given(modules=2)
    complete(args, Settings(max_adapters=3), on_cpu=on_cpu)
    assert args.max_loras == slots  # three for requests, two champions, two modules
    assert args.max_cpu_loras >= slots


def test_more_slots_are_kept_and_too_few_are_refused_with_the_number_needed() -> None:
    args = given(max_loras=20)
    complete(args, Settings(max_adapters=3), on_cpu=True)
    assert args.max_loras == 20
    with pytest.raises(ConfigError, match="at least 6"):
        complete(given(max_loras=5), Settings(max_adapters=3), on_cpu=True)


def test_adapters_loaded_at_run_time_are_refused_where_they_could_fill_the_last_slot(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("VLLM_ALLOW_RUNTIME_LORA_UPDATING", "1")
    complete(given(), Settings(), on_cpu=False)
    with pytest.raises(ConfigError, match="--lora-modules"):
        complete(given(), Settings(), on_cpu=True)


def test_waiting_threads_let_others_run_unless_the_operator_says_otherwise() -> None:
    ours: dict[str, str] = {}
    theirs = {"OMP_WAIT_POLICY": "ACTIVE"}
    for environment in (ours, theirs):
        prepare_environment(environment)
    assert ours["OMP_WAIT_POLICY"] == "PASSIVE"
    assert theirs["OMP_WAIT_POLICY"] == "ACTIVE"
