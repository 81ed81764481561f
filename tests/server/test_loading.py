"""Adapters loaded over HTTP: as many as there are slots for, the last one left empty."""

from __future__ import annotations

import asyncio
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

with warnings.catch_warnings():  # of importing vLLM: others' deprecations
    warnings.simplefilter("ignore")
    from vllm.entrypoints.openai.models.serving import OpenAIServingModels
    from vllm.entrypoints.serve.engine.protocol import ErrorResponse
    from vllm.entrypoints.serve.lora.protocol import (
        LoadLoRAAdapterRequest,
        UnloadLoRAAdapterRequest,
    )
    from vllm.lora.request import LoRARequest

    from server.gateway.models import Models

from adaptation.learning.leases import FIRST_ID


class Engine:
    """Keeps what was loaded, as vLLM does, until it is told to remove it."""

    model_config = SimpleNamespace(model="base")
    renderer = input_processor = None

    def __init__(self) -> None:
        self.loaded: set[int] = set()

    async def add_lora(self, request: LoRARequest) -> bool:
        await asyncio.sleep(0)
        self.loaded.add(request.lora_int_id)
        return True

    async def list_loras(self) -> set[int]:
        return self.loaded


class Resolver:
    """Finds an adapter of any name."""

    async def resolve_lora(self, base: str, name: str) -> LoRARequest:
        return LoRARequest(lora_name=name, lora_int_id=1, lora_path=f"/{name}")


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def models(engine: Engine) -> Models:
    """Room for two adapters."""
    made = Models(OpenAIServingModels(engine, []), most=2)
    made.lora_resolvers = [Resolver()]
    return made


def load(models: Models, name: str, **keywords: Any) -> Any:
    request = LoadLoRAAdapterRequest(lora_name=name, lora_path=f"/{name}", **keywords)
    return models.load_lora_adapter(request)


async def test_what_has_no_slot_is_refused_with_what_to_do(models: Models, engine: Engine) -> None:
    engine.loaded |= {FIRST_ID, FIRST_ID + 1}  # the server's own have slots of their own
    answers = await asyncio.gather(*(load(models, name) for name in "abcd"))
    refused = [answer for answer in answers if isinstance(answer, ErrorResponse)]
    assert len(refused) == 2
    for answer in refused:
        assert answer.error.code == 400
        assert answer.error.param == "lora_name"
        assert "--max-loras" in answer.error.message
    assert len(engine.loaded) == 2 + 2


async def test_an_adapter_that_was_unloaded_still_counts(models: Models, engine: Engine) -> None:
    for name in "ab":
        await load(models, name)
    await models.unload_lora_adapter(UnloadLoRAAdapterRequest(lora_name="a"))
    assert isinstance(await load(models, "a"), ErrorResponse)
    assert len(engine.loaded) == 2


async def test_an_adapter_can_be_loaded_anew_into_its_own_slot(
    models: Models, engine: Engine
) -> None:
    for name in "ab":
        await load(models, name)
    assert isinstance(await load(models, "b", load_inplace=True), str)
    assert len(engine.loaded) == 2


async def test_an_adapter_found_by_name_needs_a_slot_too(models: Models, engine: Engine) -> None:
    found = await asyncio.gather(*(models.resolve_lora(name) for name in "aab"))
    assert [adapter.lora_name for adapter in found] == ["a", "a", "b"]
    refused = await models.resolve_lora("c")
    assert isinstance(refused, ErrorResponse)
    assert refused.error.code == 400
    assert len(engine.loaded) == 2


async def test_a_folder_that_is_loaded_again_is_another_path_to_the_prefix_cache(
    models: Models, tmp_path: Path
) -> None:
    """vLLM 0.32 keys cached blocks by name and path: the old weights' would be reused."""
    spelled = []
    for _ in range(3):
        request = LoadLoRAAdapterRequest(
            lora_name="a", lora_path=str(tmp_path), load_inplace=bool(spelled)
        )
        assert isinstance(await models.load_lora_adapter(request), str)
        spelled.append(models.lora_requests["a"].lora_path)
    assert spelled[0] == str(tmp_path)
    assert len(set(spelled)) == 3
    assert all(Path(path) == tmp_path for path in spelled)


async def test_a_folder_can_be_loaded_again_for_ever(models: Models, tmp_path: Path) -> None:
    spelled = set()
    for number in range(5_000):
        request = LoadLoRAAdapterRequest(
            lora_name="a", lora_path=f"{tmp_path}{'/' * (number % 3)}", load_inplace=bool(spelled)
        )
        assert isinstance(await models.load_lora_adapter(request), str)
        spelled.add(models.lora_requests["a"].lora_path)
    assert len(spelled) == 5_000
    assert max(map(len, spelled)) < len(str(tmp_path)) + 64
    assert Path(max(spelled, key=len)) == tmp_path
