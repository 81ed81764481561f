"""An adapter never touches a request that did not ask for it, with every slot in use."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from adaptation.pebble import model_path
from adaptation.training.adapter_files import WEIGHTS, write_config
from tests.e2e.running import Running, serving

RANK = 8
NAMES = ("loud-a", "loud-b", "loud-c", "loud-d")
"""As many as filled every slot there was when champion and requests alone were counted."""
QUESTIONS = [f"What is {n} + {n + 3}?" for n in range(17, 25)]
ALIKE = 0.1
"""Of a first token's log-probability: another batch rounds differently. What stands in the last
slot moved it by 2 nats and more."""


def loud_adapter(folder: Path, seed: int) -> Path:
    """An adapter of random weights so large that nobody could miss it."""
    shape = json.loads((model_path() / "config.json").read_text("utf-8"))
    width, inner = shape["hidden_size"], shape["intermediate_size"]
    random = np.random.default_rng(seed)
    tensors = {}
    for layer in range(shape["num_hidden_layers"]):
        name = f"base_model.model.model.layers.{layer}.mlp.down_proj"
        tensors[f"{name}.lora_A.weight"] = random.normal(0, 1, (RANK, inner)).astype(np.float32)
        tensors[f"{name}.lora_B.weight"] = random.normal(0, 1, (width, RANK)).astype(np.float32)
    folder.mkdir()
    write_config(folder, rank=RANK, base_model="whet-pebble", modules=["down_proj"])
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})
    return folder


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("crowded")
    modules = [f"{name}={loud_adapter(folder / name, i)}" for i, name in enumerate(NAMES)]
    flags = ("--max-adapters", "1", "--embedder", "hashing", "--lora-modules", *modules)
    with serving(folder / "data", folder / "log", *flags) as running:
        yield running


def greedy(server: Running, question: str, salt: str, model: str = "whet-pebble:plain") -> float:
    """Log-probability of the first greedy token; prompts of one `salt` share their cache."""
    body: dict[str, Any] = {"temperature": 0, "max_tokens": 24, "logprobs": True}
    answer = server.chat(question, model, ignore_eos=True, cache_salt=salt, **body)
    logprob: float = answer["choices"][0]["logprobs"]["content"][0]["logprob"]
    return logprob


def test_answers_of_the_base_are_the_same_alone_beside_adapters_and_from_the_cache(
    crowded: Running,
) -> None:
    alone = [greedy(crowded, question, "alone") for question in QUESTIONS]
    for name in NAMES:  # fills the slots
        assert abs(greedy(crowded, QUESTIONS[0], "alone", name) - alone[0]) > ALIKE
    with ThreadPoolExecutor(len(NAMES) + len(QUESTIONS)) as threads:
        noise = [threads.submit(_long, crowded, name) for name in NAMES]
        mixed = list(threads.map(lambda question: greedy(crowded, question, "mixed"), QUESTIONS))
        for running in noise:
            running.result()
    cached = [greedy(crowded, question, "mixed") for question in QUESTIONS]
    assert mixed == pytest.approx(alone, abs=ALIKE)
    assert cached == pytest.approx(alone, abs=ALIKE)


def _long(server: Running, adapter: str) -> None:
    server.chat("Count.", adapter, temperature=0, max_tokens=400, ignore_eos=True)
