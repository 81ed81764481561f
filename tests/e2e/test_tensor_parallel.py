"""An engine that is divided among two devices: adapters do there what they do on one.

The tests are those of one device. With CUDA only.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from tests.e2e.running import Running, serving
from tests.e2e.test_isolation import full, test_no_adapter_ever_touches_a_request_without_one
from tests.e2e.test_learning import taught, test_ttt_trains_gates_and_answers_better_than_voting

__all__ = [
    "full",
    "taught",
    "test_no_adapter_ever_touches_a_request_without_one",
    "test_ttt_trains_gates_and_answers_better_than_voting",
]

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two CUDA devices"),
]

DIVIDED = ("--tensor-parallel-size", "2", "--gpu-memory-utilization", "0.15")
"""With room for two servers beside the one that other tests share."""


@pytest.fixture(scope="module")
def engine_flags() -> tuple[str, ...]:
    """Of the server whose every slot is filled."""
    return DIVIDED


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The one that is taught."""
    folder = tmp_path_factory.mktemp("divided")
    with serving(folder / "data", folder / "server.log", *DIVIDED) as running:
        yield running
