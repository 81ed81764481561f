"""CUDA graphs find what ordinary passes do, and sooner."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaConfig

from adaptation.learning.service.base import Base
from adaptation.learning.service.graphs import Graphs
from adaptation.learning.service.packing import Part
from tests.adaptation.learning.models import KNOWN, example, model_of, randomised
from tests.adaptation.learning.test_static_pass import Drawn, gradients, parts_of, same

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]


@pytest.fixture(autouse=True)
def memory_given_back() -> Iterator[None]:
    yield
    torch.cuda.empty_cache()


def base_on_gpu(model: torch.nn.Module) -> Base:
    found = Base(model.to("cuda"), None, "of a test")  # type: ignore[arg-type]
    assert found.graphs is not None
    for group in found.groups:
        group.make_room(16)
    return found


def graphs_of(base: Base) -> Graphs:
    assert base.graphs is not None
    return base.graphs


def step(parts: list[Part], steps: list[torch.Tensor]) -> None:
    """Change every adapter by its gradient, as an optimiser does."""
    for part, gradient in zip(parts, steps, strict=True):
        part.adapter.master -= 0.1 * gradient
        part.adapter.changed()


def test_what_the_base_takes_of_the_device_is_known() -> None:
    base = base_on_gpu(model_of(next(iter(KNOWN))))
    parameters = sum(p.numel() * p.element_size() for p in base.model.parameters())
    assert base.device_bytes is not None
    assert base.device_bytes >= parameters


@pytest.mark.parametrize("family", KNOWN)
def test_a_graph_finds_what_the_ordinary_pass_does_while_jobs_join_and_leave(family: str) -> None:
    base = base_on_gpu(model_of(family))
    drawn: Drawn = [(30, [20, 33, 7]), (0, [16, 9]), (3, [40]), (0, [35, 36, 5]), (30, [12, 30])]
    everybody = parts_of(base, drawn, rank=4)
    for first, last in ((0, 3), (0, 3), (0, 4), (1, 4), (1, 5), (2, 3), (0, 5), (2, 5)):
        parts = everybody[first:last]
        wanted, wanted_gradients = base.learn_once(parts), gradients(parts)
        same(base.learn(parts), wanted)
        found = gradients(parts)
        for one, other in zip(found, wanted_gradients, strict=True):
            assert torch.allclose(one, other, rtol=1e-3, atol=2e-5)
        step(parts, found)
    assert graphs_of(base).shapes, "nothing was captured"
    assert 0 < graphs_of(base).held_bytes < 2**30


def test_a_graph_in_bf16_is_near_the_ordinary_pass() -> None:
    base = base_on_gpu(model_of("qwen3", torch.bfloat16))
    for _ in range(3):
        parts = parts_of(base, [(30, [20, 33, 7]), (0, [16])], rank=4)
        base.learn_once(parts)
        wanted = gradients(parts)
        base.learn(parts)
        for one, other in zip(gradients(parts), wanted, strict=True):
            assert torch.cosine_similarity(one, other, dim=0) > 0.99
    assert graphs_of(base).shapes


def test_a_capture_that_fails_leaves_the_ordinary_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    base = base_on_gpu(model_of("llama"))
    usual = base.hidden

    def waiting(packed: object) -> torch.Tensor:
        found = usual(packed)  # type: ignore[arg-type]
        found.sum().item()  # waits for the device, which no graph can
        return found

    monkeypatch.setattr(base, "hidden", waiting)
    for _ in range(4):
        parts = parts_of(base, [(0, [20, 33])])
        wanted, wanted_gradients = base.learn_once(parts), gradients(parts)
        same(base.learn(parts), wanted)
        assert all(map(torch.allclose, gradients(parts), wanted_gradients))
    assert not graphs_of(base).shapes
    assert torch.cuda.current_stream() == torch.cuda.default_stream()


def test_a_replayed_step_of_sixteen_jobs_is_faster_than_the_ordinary_one() -> None:
    config = LlamaConfig(
        vocab_size=8_192,
        hidden_size=512,
        intermediate_size=1_536,
        num_hidden_layers=12,
        num_attention_heads=8,
        num_key_value_heads=4,
    )
    base = base_on_gpu(AutoModelForCausalLM.from_config(config).to(torch.bfloat16).eval())
    examples = [[example(8 * n + i, 60 + 8 * i) for i in range(4)] for n in range(16)]
    parts = [Part(randomised(base, 8, n), mine, 1 / 100) for n, mine in enumerate(examples)]
    for learn in (base.learn_once, base.learn, base.learn, base.learn):
        learn(parts)  # captured here, with all that is done once
    assert graphs_of(base).shapes
    ordinary, replayed = seconds(base.learn_once, parts), seconds(base.learn, parts)
    print(f"ordinary {ordinary * 1e3:.1f} ms, replayed {replayed * 1e3:.1f} ms")
    assert replayed < 0.8 * ordinary


def seconds(learn: Callable[[list[Part]], object], parts: list[Part]) -> float:
    """The least of several steps."""
    found = []
    for _ in range(10):
        torch.cuda.synchronize()
        began = time.perf_counter()
        learn(parts)
        torch.cuda.synchronize()
        found.append(time.perf_counter() - began)
    return min(found)
