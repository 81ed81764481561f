"""What has to hold at the other end before a server starts to use it, tried rather than read.

Each refusal says how the engine is to be started.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adaptation.errors import EngineError
from adaptation.learning.leases import PREFIX
from server.engine.remote.core import LOAD, UNLOAD
from server.engine.remote.line import GENERATE, GoneError, Line, message_of

NAME = "probe"
NOT_SEEN = "No adapter found"
"""What vLLM says of a path that it cannot read."""
SEEN = "doesn't contain tensors"
"""What it says of a folder that it has read, and that holds a configuration alone."""
NO_ROUTE = "Not Found"


@dataclass(frozen=True)
class Wanted:
    """What this server will ask of a remote engine."""

    context: int
    """Most tokens of prompt and answer."""
    rank: int | None
    """Widest adapter; None where there are none."""
    folder: Path
    """Where adapters are put."""


async def base_of(line: Line, wanted: Wanted, prefix: str) -> str:
    """Return the base's name at the other end; adapters that an earlier server left are dropped.

    Raises `GoneError` where nobody answers yet, and `EngineError` where the engine does not suit.
    """
    if not await line.is_well():
        raise GoneError("it says that it is not well")
    status, text = await line.call("/v1/models")
    if status == 401:
        raise EngineError("the engine wants another key: give --engine-key, what its --api-key is")
    try:
        cards = json.loads(text)["data"]
        base = next(card for card in cards if not card.get("parent"))
    except (ValueError, LookupError, TypeError, AttributeError, StopIteration) as error:
        raise EngineError("no vLLM answers there: `/v1/models` lists no model") from error
    if (base.get("max_model_len") or 0) < wanted.context:
        raise EngineError(
            f"the engine takes {base.get('max_model_len')} tokens and this server {wanted.context}:"
            " give both the same --max-model-len"
        )
    await _try_a_token(line, str(base["id"]))
    if wanted.rank is not None:
        for card in cards:
            if str(card["id"]).startswith(prefix):
                await line.call(UNLOAD, {"lora_name": card["id"]})
        await _try_an_adapter(line, wanted.folder, wanted.rank, prefix)
    return str(base["id"])


async def _try_a_token(line: Line, model: str) -> None:
    params = {"max_tokens": 1, "temperature": 0.0}
    body = {"token_ids": [1], "sampling_params": params, "model": model}
    status, text = await line.call(GENERATE, body)
    message = message_of(text)
    if status in (403, 404):
        raise EngineError("start the engine with --enable-scale-out")
    if status >= 500:
        raise GoneError(f"{status}: {message}")
    if status != 200:
        raise EngineError(f"the engine refuses one token: {message}")


async def _try_an_adapter(line: Line, folder: Path, rank: int, prefix: str) -> None:
    """Have it load one without weights: how that fails tells what it can."""
    with _without_weights(folder, rank) as path:
        body = {"lora_name": f"{prefix}{NAME}", "lora_path": str(path)}
        status, text = await line.call(LOAD, body)
    message = message_of(text)
    if SEEN in message:
        return
    if status == 404 and message == NO_ROUTE:
        raise EngineError("start the engine with VLLM_ALLOW_RUNTIME_LORA_UPDATING=1")
    if NOT_SEEN in message:
        raise EngineError(
            f"the engine does not see {folder}: give --engine-folder, a folder that both read under"
            " the same path, as the same user"
        )
    raise EngineError(
        f"the engine loads no adapters of rank {rank}: start it with --enable-lora and"
        f" --max-lora-rank {rank} ({message[:200]})"
    )


@contextmanager
def _without_weights(folder: Path, rank: int) -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=folder))
    config: dict[str, Any] = {
        "peft_type": "LORA",
        "r": rank,
        "lora_alpha": rank,
        "target_modules": ["q_proj"],
    }
    try:
        (path / "adapter_config.json").write_text(json.dumps(config), "utf-8")
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
