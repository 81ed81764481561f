"""What the environment says stays; what it leaves open is filled in."""

from __future__ import annotations

import pytest

from server.engine_defaults import keep_to_one_thread


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
