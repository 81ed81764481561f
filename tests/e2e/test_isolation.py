"""An adapter never touches a request that did not ask for it: every slot filled, then compared."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from safetensors.numpy import save_file

from adaptation.evaluation.suites import SUITES
from adaptation.evaluation.suites.split import Split
from adaptation.learning.training.adapter_files import WEIGHTS, write_config
from adaptation.pebble import model_path
from memory.store.database import open_database
from memory.versions.adapters import AdapterRegistry, NewVersion
from tests.e2e.running import Running, as_jsonl, serving, wait_until

RANK = 8
WORLD = 5
PREFACE = (
    "Somebody asks a question and wants to know the answer, with every step that leads to it. "
)
"""Longer than a block of the prefix cache."""
QUESTIONS = [
    PREFACE * 2 + question
    for question in ("What is 17 + 25?", "Who are you?", "List three colours.", "What is 9 * 6?")
]
TOKENS = 12
ROUNDING = 0.05
"""How far batches of another size move a log-probability in bfloat16."""
CHOICES = 8
ENDLESS = {
    "max_tokens": 3900,
    "ignore_eos": True,
    "n": CHOICES,
    "logprobs": True,
    "top_logprobs": 20,
    "stream": True,
}
"""More than is read: the server holds such a request until its client leaves."""


def projections() -> dict[str, tuple[int, int]]:
    """(inputs, outputs) of everything in a layer of the built-in model that a LoRA adapts."""
    shape = json.loads((model_path() / "config.json").read_text())
    width, inner = shape["hidden_size"], shape["intermediate_size"]
    queries, keys = (
        shape[heads] * shape["head_dim"] for heads in ("num_attention_heads", "num_key_value_heads")
    )
    attention = {"q": (width, queries), "k": (width, keys), "v": (width, keys)}
    others = {"o": (queries, width)}
    feed_forward = {"gate": (width, inner), "up": (width, inner), "down": (inner, width)}
    named = {f"self_attn.{name}_proj": size for name, size in (attention | others).items()}
    return named | {f"mlp.{name}_proj": size for name, size in feed_forward.items()}


def make_adapter(folder: Path, strength: float, seed: int) -> Path:
    """Write a LoRA of noise."""
    folder.mkdir()
    write_config(folder, rank=RANK, base_model="whet-pebble", modules=projections())
    layers = json.loads((model_path() / "config.json").read_text())["num_hidden_layers"]
    noise = np.random.default_rng(seed)
    tensors = {}
    for layer, (name, (inputs, outputs)) in product(range(layers), projections().items()):
        for part, size in (("lora_A", (RANK, inputs)), ("lora_B", (outputs, RANK))):
            weights = noise.normal(0, strength, size).astype(np.float32)
            tensors[f"base_model.model.model.layers.{layer}.{name}.{part}.weight"] = weights
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})
    return folder


def promote(server: Running, folder: Path) -> None:
    """Make an adapter the champion, and wait until it is served."""
    database = open_database(server.data_dir)
    registry = AdapterRegistry(database, server.data_dir / "adapters")
    new = NewVersion(tenant="default", base_model="whet-pebble", rank=RANK)
    version = registry.register(folder, new)
    registry.promote("default", version.id)
    database.close()
    await_champion(server, version.id)


def await_champion(server: Running, version: str) -> None:
    serves = lambda: server.get("/ready").json()["champion"] == version  # noqa: E731
    wait_until(serves, 60, f"the champion {version}")


@contextmanager
def endless(server: Running, model: str) -> Iterator[None]:
    """Have a request under way on `model` for the length of the block."""
    messages = [{"role": "user", "content": "Tell me a story."}]
    body = {"model": model, "messages": messages, **ENDLESS}
    url = f"{server.url}/v1/chat/completions"
    with httpx.stream("POST", url, json=body, timeout=120) as response:
        assert response.status_code == 200
        begun: Any = response.iter_bytes()  # held: its end would close the connection
        next(begun)
        yield
        begun.close()


def logprobs(server: Running) -> list[list[tuple[str, float]]]:
    """Greedy tokens of each question with their log-probabilities."""
    greedy: dict[str, Any] = {"temperature": 0, "max_tokens": TOKENS, "logprobs": True}
    answers = (server.chat(q, **greedy) for q in QUESTIONS)
    contents = (answer["choices"][0]["logprobs"]["content"] for answer in answers)
    return [[(step["token"], step["logprob"]) for step in content] for content in contents]


def fill_every_slot(server: Running, folder: Path) -> None:
    """Load all that can be loaded at once: the operator's are there, the others come one by one."""
    solved = SUITES["jargon"].problems(64, split=Split.MEMORY, seed=1, level=2, world=WORLD)
    server.post("/v1/memory/import", content=as_jsonl(solved))
    asked = SUITES["jargon"].problems(1, split=Split.EVALUATION, seed=1, level=2, world=WORLD)
    promote(server, make_adapter(folder / "first", 0.01, seed=3))
    with endless(server, "whet-pebble"):  # keeps the first champion loaded beside the second
        promote(server, make_adapter(folder / "second", 0.01, seed=4))
        quiet = {"strategy": "ttt", "memory": {"write": False}}
        report = server.chat(asked[0].question, adaptation=quiet)["adaptation"]
        assert report["strategy"] == "ttt", report["reason"]
        assert report["adapter"]["parent"], "the second champion is served"
    assert server.whet("adapters", "reset").returncode == 0
    await_champion(server, "base")


def assert_same(
    one: list[list[tuple[str, float]]], other: list[list[tuple[str, float]]], when: str
) -> None:
    for question, first, second in zip(QUESTIONS, one, other, strict=True):
        assert [token for token, _ in first] == [token for token, _ in second], (when, question)
        apart = max(abs(a - b) for (_, a), (_, b) in zip(first, second, strict=True))
        assert apart <= ROUNDING, (when, question, apart)


@pytest.fixture(scope="module")
def engine_flags() -> tuple[str, ...]:
    """Of an engine other than the usual one, as in `test_tensor_parallel`."""
    return ()


@pytest.fixture(scope="module")
def full(
    tmp_path_factory: pytest.TempPathFactory, engine_flags: tuple[str, ...]
) -> Iterator[tuple[Running, Path]]:
    """A server with two adapters of its operator's, and room for one of each other kind."""
    folder = tmp_path_factory.mktemp("isolation")
    modules = [f"{name}={make_adapter(folder / name, 0.3, i)}" for i, name in enumerate("ab")]
    flags = ["--strategy", "plain", "--max-adapters", "1", *engine_flags]
    flags += ["--lora-modules", *modules, "--max-loras", "6"]
    # The second for /reset_prefix_cache.
    env = {"VLLM_ALLOW_RUNTIME_LORA_UPDATING": "1", "VLLM_SERVER_DEV_MODE": "1"}
    with serving(folder / "data", folder / "log", *flags, env=env) as server:
        yield server, folder


def test_no_adapter_ever_touches_a_request_without_one(full: tuple[Running, Path]) -> None:
    server, folder = full
    alone = logprobs(server)
    fill_every_slot(server, folder)
    assert server.post("/reset_prefix_cache").status_code == 200
    with endless(server, "a"), endless(server, "b"):
        mixed = logprobs(server)
        assert server.metric("vllm:num_requests_running") == 2 * CHOICES, "they were beside them"
    assert_same(alone, mixed, "in a batch with adapters")
    assert_same(alone, logprobs(server), "later, from the prefix cache")


def test_an_adapter_loaded_over_http_cannot_fill_the_last_slot(full: tuple[Running, Path]) -> None:
    server, folder = full
    path = str(make_adapter(folder / "c", 0.3, seed=5))
    refused = server.post("/v1/load_lora_adapter", json={"lora_name": "c", "lora_path": path})
    assert refused.status_code == 400
    error = refused.json()["error"]
    assert error["param"] == "lora_name"
    assert "--max-loras" in error["message"]
    server.post("/v1/unload_lora_adapter", json={"lora_name": "b"})
    again = server.post("/v1/load_lora_adapter", json={"lora_name": "c", "lora_path": path})
    assert again.status_code == 400, "what is unloaded keeps its slot"
