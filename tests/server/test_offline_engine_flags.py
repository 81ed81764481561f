"""What vLLM's offline engine is started with, without starting it."""

from __future__ import annotations

import argparse
import os
import warnings
from pathlib import Path
from types import SimpleNamespace

import pytest

from adaptation.pebble import model_path
from server.engine import replying
from server.models.size import size_of
from server.startup.cpu_defaults import CACHE, PROCESSES, THREADS
from server.startup.engine_defaults import CPU_WORKER
from server.startup.fitting import GIB, Fit

with warnings.catch_warnings():  # of vLLM's own imports
    warnings.simplefilter("ignore")
    from server.engine import offline

FIT = Fit(threads=1, training_threads=2, cache_bytes=GIB, wall_s=300.0)


def platform(*, is_cpu: bool) -> SimpleNamespace:
    return SimpleNamespace(is_cpu=lambda: is_cpu, get_device_total_memory=lambda: 20 * GIB)


def test_a_cpu_has_whet_s_worker_and_the_room_that_was_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(offline, "current_platform", platform(is_cpu=True))
    made = offline.engine_arguments(str(model_path()), 3 * GIB)
    assert (made.worker_cls, made.kv_cache_memory_bytes) == (CPU_WORKER, 3 * GIB)
    assert (made.enable_lora, made.max_loras, made.max_num_seqs) == (True, 1, offline.TOGETHER)
    assert not made.enable_chunked_prefill, "vLLM's CPU worker dies of a seeded prompt in two parts"


@pytest.mark.parametrize("is_known", [True, False])
def test_an_accelerator_gives_room_for_the_weights_and_four_gib(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, is_known: bool
) -> None:
    monkeypatch.setattr(offline, "current_platform", platform(is_cpu=False))
    model = str(model_path() if is_known else tmp_path)
    made = offline.engine_arguments(model, 3 * GIB)
    size = size_of(model)
    weights = size.weight_bytes if size is not None else 4 * GIB
    assert made.kv_cache_memory_bytes == 4 * GIB
    assert made.gpu_memory_utilization == pytest.approx((4 * GIB + weights) / (20 * GIB))


def test_the_cache_of_a_server_and_its_threads_are_not_taken_for_the_engine_s(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(CACHE, "40")
    monkeypatch.delenv(THREADS, raising=False)
    replying._prepare(argparse.Namespace(device="auto"), FIT)
    assert CACHE not in os.environ
    assert (os.environ[THREADS], os.environ[PROCESSES]) == ("2", "0")


def test_a_device_that_vllm_would_not_keep_to_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replying, "vllm_build", lambda: ("vllm", "0.32.0"))
    with pytest.raises(ValueError, match="set it to auto, or distill_replies to trainer"):
        replying._prepare(argparse.Namespace(device="cpu"), FIT)
