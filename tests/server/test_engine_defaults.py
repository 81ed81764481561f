"""What the environment says stays; what it leaves open is filled in."""

from __future__ import annotations

import argparse
from typing import Any

import pytest

from server.config import ConfigError, Settings
from server.startup.engine_defaults import (
    CPU_WORKER,
    RUNTIME_ADAPTERS,
    choose_worker,
    prepare_environment,
    refuse_speculation,
    reserve_slots,
    runtime_adapters,
)


def serve_args(**given: Any) -> argparse.Namespace:
    """Stand in for vLLM's parsed flags, as far as slots are concerned."""
    blank = {"max_loras": None, "max_cpu_loras": None, "lora_modules": None}
    return argparse.Namespace(**{**blank, "default_mm_loras": None, "enable_lora": True, **given})


TWO = [("a", "/a"), ("b", "/b")]


@pytest.mark.parametrize(
    ("given", "loadable"),
    [({}, 3), ({"lora_modules": TWO}, 5), ({"default_mm_loras": {"image": "/i"}}, 4)],
)
def test_on_a_cpu_one_slot_more_than_all_that_can_be_loaded_stays_empty(
    given: dict[str, Any], loadable: int
) -> None:
    """What can be loaded: one per-request adapter, the champion, its successor, the operator's."""
    args = serve_args(**given)
    reserve_slots(args, Settings(max_adapters=1), on_cpu=True)
    assert args.max_loras == loadable + 1
    assert args.max_cpu_loras >= args.max_loras
    on_cuda = serve_args(**given)
    reserve_slots(on_cuda, Settings(max_adapters=1), on_cpu=False)
    assert on_cuda.max_loras == loadable


def test_too_few_slots_on_a_cpu_are_refused_with_the_number_that_is_needed() -> None:
    settings = Settings(max_adapters=1)
    with pytest.raises(ConfigError, match="--max-loras 5 is too small: give 6 or more"):
        reserve_slots(serve_args(max_loras=5, lora_modules=TWO), settings, on_cpu=True)
    for enough in (6, 9):
        args = serve_args(max_loras=enough, max_cpu_loras=1, lora_modules=TWO)
        reserve_slots(args, settings, on_cpu=True)
        assert args.max_loras == enough
        assert args.max_cpu_loras >= enough


def test_adapters_loaded_over_http_have_slots_of_their_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = Settings(max_adapters=2)
    closed, chosen, opened = serve_args(lora_modules=TWO), serve_args(max_loras=8), serve_args()
    for args in (closed, chosen):
        reserve_slots(args, settings, on_cpu=True)
    assert runtime_adapters(closed, settings) == 2, "those of --lora-modules"
    assert runtime_adapters(chosen, settings) == 3
    monkeypatch.setenv("VLLM_ALLOW_RUNTIME_LORA_UPDATING", "true")
    reserve_slots(opened, settings, on_cpu=True)
    assert runtime_adapters(opened, settings) == RUNTIME_ADAPTERS


def test_waiting_threads_let_others_run_unless_the_operator_says_otherwise() -> None:
    ours: dict[str, str] = {}
    theirs = {"OMP_WAIT_POLICY": "ACTIVE"}
    for environment in (ours, theirs):
        prepare_environment(environment)
    assert ours["OMP_WAIT_POLICY"] == "PASSIVE"
    assert theirs["OMP_WAIT_POLICY"] == "ACTIVE"


DRAFTED: dict[str, Any] = {"method": "ngram", "num_speculative_tokens": 3}


@pytest.mark.parametrize(
    ("given", "flags"),
    [
        ({"speculative_config": DRAFTED}, "--speculative-config"),
        ({"spec_method": "ngram", "spec_tokens": 3}, "--spec-method, --spec-tokens"),
        ({"spec_model": "/drafts"}, "--spec-model"),
    ],
)
def test_on_a_cpu_speculation_is_refused_in_a_line_that_says_what_to_do(
    given: dict[str, Any], flags: str
) -> None:
    with pytest.raises(ConfigError, match=f"serve without {flags} on a CPU") as refused:
        refuse_speculation(serve_args(**given), on_cpu=True)
    assert "\n" not in str(refused.value)
    refuse_speculation(serve_args(**given), on_cpu=False)


def test_a_server_without_speculation_is_not_refused() -> None:
    args = serve_args(speculative_config=None, spec_method=None)
    before = vars(args).copy()
    refuse_speculation(args, on_cpu=True)
    assert vars(args) == before


@pytest.mark.parametrize(
    ("given", "worker"),
    [
        ({}, CPU_WORKER),
        ({"enable_lora": False}, "auto"),
        ({"enforce_eager": False}, "auto"),
        ({"worker_cls": "their.Worker"}, "their.Worker"),
    ],
)
def test_adapters_of_a_cpu_are_whets_own_where_nothing_else_is_asked_for(
    given: dict[str, Any], worker: str
) -> None:
    args = argparse.Namespace(
        **{"worker_cls": "auto", "enable_lora": True, "enforce_eager": True, **given}
    )
    choose_worker(args)
    assert args.worker_cls == worker
