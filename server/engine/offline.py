"""vLLM without a server: batches of prompts in, replies out.

Owns the offline engine of one base and its adapters, one batch at a time. `vllm.LLM` answers a
batch to its end; its engine is stepped here, so that a batch tells how far it is and can be given
up. Knows nothing of conversations, nor of who asks.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vllm import EngineArgs, SamplingParams
from vllm.lora.request import LoRARequest
from vllm.platforms import current_platform
from vllm.sampling_params import RequestOutputKind
from vllm.usage.usage_lib import UsageContext
from vllm.v1.engine.llm_engine import LLMEngine

from adaptation.errors import EngineError, TrainerError
from adaptation.learning.training.adapter_files import WEIGHTS, read_config
from adaptation.learning.training.draws import seeds_of
from adaptation.learning.training.trainer import Draw
from server.models.size import size_of
from server.startup.engine_defaults import CPU_FLAGS, CPU_WORKER

TOGETHER = 128
"""Replies under way at once, at most: as many as the trainer decodes together."""
MOST_RANK = 64
"""Of an adapter: what a `Recipe` allows."""
DEVICE_CACHE_BYTES = 4 * 2**30
"""Keys and values on an accelerator, as much as the trainer's own decoder may take there."""
MOST_SHARE = 0.95
SEED_DIGITS = 15
"""Hexadecimal ones: vLLM's seeds have 63 bits."""


@dataclass(frozen=True)
class Reply:
    """Tokens of one reply, without the one that ends it."""

    token_ids: tuple[int, ...]
    whole: bool
    """Whether it ended by itself."""


@dataclass(frozen=True)
class Batch:
    """Prompts, and how each is to be answered."""

    prompts: Sequence[Sequence[int]]
    most: int
    """Tokens of a reply, at most."""
    adapter: str | None
    """Folder of an adapter; None: the bare base."""
    draw: Draw | None
    """None: the likeliest tokens."""
    cancelled: threading.Event

    def go_on(self) -> None:
        """Raise `TrainerError` where the batch is given up."""
        if self.cancelled.is_set():
            raise TrainerError("the job was cancelled")


class Offline:
    """A base in vLLM, and its replies."""

    def __init__(self, model: str, cache_bytes: int) -> None:
        """`cache_bytes` are for the keys and values on a CPU."""
        arguments = engine_arguments(model, cache_bytes)
        self._engine: Any = LLMEngine.from_engine_args(arguments, UsageContext.LLM_CLASS)
        self._context = int(self._engine.model_config.max_model_len)
        settings = self._engine.model_config.get_diff_sampling_param()
        self._penalty = float(settings.get("repetition_penalty") or 1.0)
        self._ids = itertools.count(1)
        self._adapters: dict[tuple[object, ...], LoRARequest] = {}

    def replies(self, batch: Batch, on_reply: Callable[[int, int], None]) -> list[Reply]:
        """Return a reply to each prompt, whose first tokens are the same whatever the limit is.

        A prompt that leaves no room for a reply gets an empty one, as vLLM would refuse it. Raises
        `ValueError` on what cannot be asked, `TrainerError` where the batch is given up, and
        `EngineError` where the engine is of no use any more.
        """
        adapter = self._loaded(batch.adapter) if batch.adapter is not None else None
        self._engine.reset_prefix_cache()  # a batch rounds alike, whatever was asked before
        places = dict[str, int]()
        try:
            for place, params in enumerate(self._params(batch)):
                batch.go_on()
                if len(batch.prompts[place]) < self._context:
                    name = str(next(self._ids))
                    prompt = {"prompt_token_ids": [*batch.prompts[place]]}
                    self._engine.add_request(name, prompt, params, lora_request=adapter)
                    places[name] = place
            return self._answered(batch, places, on_reply)
        except (TrainerError, ValueError):
            self._engine.abort_request([*places])
            raise

    def _answered(
        self, batch: Batch, places: dict[str, int], on_reply: Callable[[int, int], None]
    ) -> list[Reply]:
        found = [Reply((), whole=False)] * len(batch.prompts)
        ended = len(found) - len(places)
        while self._engine.has_unfinished_requests():
            batch.go_on()
            for output in self._stepped():
                found[places[output.request_id]] = _reply(output.outputs[0])
                ended += 1
                on_reply(ended, len(found))
        return found

    def _stepped(self) -> list[Any]:
        """Return the replies that ended with one more token of all."""
        try:
            return [output for output in self._engine.step() if output.finished]
        except Exception as error:  # vLLM's, whatever it is: its state is unknown now
            raise EngineError(f"vLLM failed: {type(error).__name__}: {error}") from error

    def _params(self, batch: Batch) -> list[SamplingParams]:
        common: dict[str, Any] = {
            "max_tokens": batch.most,
            "repetition_penalty": self._penalty,
            "detokenize": False,
            "output_kind": RequestOutputKind.FINAL_ONLY,
        }
        if batch.draw is None:
            return [SamplingParams(temperature=0.0, **common) for _ in batch.prompts]
        return [
            SamplingParams(
                temperature=batch.draw.temperature, seed=int(seed[:SEED_DIGITS], 16), **common
            )
            for seed in seeds_of(batch.draw, batch.prompts)
        ]

    def _loaded(self, folder: str) -> LoRARequest:
        """Return an adapter that the engine has; folders are told apart by what lies in them."""
        read_config(Path(folder))
        about = (Path(folder) / WEIGHTS).stat()
        key = folder, about.st_ino, about.st_size, about.st_mtime_ns
        if key not in self._adapters:
            number = len(self._adapters) + 1
            self._adapters[key] = LoRARequest(f"adapter-{number}", number, folder)
        try:
            self._engine.add_lora(self._adapters[key])
        except Exception as error:  # vLLM's own kinds; the engine is as it was
            raise ValueError(f"vLLM cannot load the adapter in {folder}: {error}") from error
        return self._adapters[key]


def engine_arguments(model: str, cache_bytes: int) -> EngineArgs:
    """Return what an engine of short life is made with: Whet's flags, one adapter at a time."""
    flags: dict[str, Any] = {
        "enable_lora": True,
        "max_loras": 1,
        "max_lora_rank": MOST_RANK,
        "max_num_seqs": TOGETHER,
        "max_model_len": -1,  # the model's own, or as much as there is room for
        "disable_log_stats": True,
    }
    if current_platform.is_cpu():
        flags |= {**CPU_FLAGS, "worker_cls": CPU_WORKER, "kv_cache_memory_bytes": cache_bytes}
    else:
        flags |= _share_of_device(model)
    return EngineArgs(model=model, **flags)


def _share_of_device(model: str) -> dict[str, Any]:
    """Return how much of an accelerator is taken: the trainer, and a server perhaps, are there.

    vLLM does not start where less than its share is free.
    """
    size = size_of(model)
    taken = DEVICE_CACHE_BYTES + (size.weight_bytes if size is not None else DEVICE_CACHE_BYTES)
    share = taken / current_platform.get_device_total_memory()
    return {
        "kv_cache_memory_bytes": DEVICE_CACHE_BYTES,
        "gpu_memory_utilization": min(MOST_SHARE, share),
    }


def _reply(completion: Any) -> Reply:
    whole = completion.finish_reason == "stop"
    token_ids = tuple(completion.token_ids)
    return Reply(token_ids[:-1] if whole else token_ids, whole)
