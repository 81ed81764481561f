"""Adapters that clients load over HTTP: kept from filling the engine's last slot, and apart.

vLLM keeps an adapter in the engine when it is unloaded over HTTP, and gives the next one another
id: so what counts is what the engine holds, not what vLLM's list of models says. And its prefix
cache knows an adapter by name and path: one that was trained on and is loaded again from its folder
would read what its old weights left there.
"""

from __future__ import annotations

import re
from asyncio import Lock
from collections import Counter
from http import HTTPStatus
from pathlib import Path
from typing import Any

from vllm.entrypoints.openai.models.serving import OpenAIServingModels
from vllm.entrypoints.serve import create_error_response
from vllm.entrypoints.serve.engine.protocol import ErrorResponse
from vllm.entrypoints.serve.lora.protocol import LoadLoRAAdapterRequest

from adaptation.learning.leases import FIRST_ID

_TAIL = re.compile(r"(?:/+\.?)+\Z")
"""What a folder's path may end in without being another folder's."""


class Models(OpenAIServingModels):  # type: ignore[misc]
    """vLLM's models, with at most `most` adapters that are not Whet's own."""

    def __init__(self, theirs: OpenAIServingModels, most: int) -> None:
        """Stand in for vLLM's own, with what it has loaded at its start."""
        super().__init__(theirs.engine_client, theirs.base_model_paths)
        self.static_lora_modules = theirs.static_lora_modules
        self.lora_requests = theirs.lora_requests
        self.lora_id_counter = theirs.lora_id_counter
        self._most = most
        self._loading = Lock()
        self._times: Counter[str] = Counter()
        """How often each folder was loaded."""

    async def load_lora_adapter(
        self, request: LoadLoRAAdapterRequest, base_model_name: str | None = None
    ) -> ErrorResponse | str:
        """Load an adapter where there is room for it, else say what to do."""
        async with self._loading:
            if not await self._has_room(request.lora_name):
                return self._refusal()
            anew = request.model_copy(update={"lora_path": self._spelled_anew(request.lora_path)})
            return await super().load_lora_adapter(anew, base_model_name)

    async def resolve_lora(self, lora_name: str) -> Any:
        """Find an adapter by its name, and load it where there is room for it."""
        if lora_name in self.lora_requests or not self.lora_resolvers:
            return await super().resolve_lora(lora_name)
        async with self._loading:
            if not await self._has_room(lora_name):
                return self._refusal()
            return await super().resolve_lora(lora_name)

    def _spelled_anew(self, path: str) -> str:
        """Return a spelling of a folder's path that it has not been loaded by before."""
        if not Path(path).is_dir():
            return path  # not here: vLLM says so, or has it from elsewhere
        folder = _TAIL.sub("", path) or "/"
        times, self._times[folder] = self._times[folder], self._times[folder] + 1
        digits = f"{times:b}" if times else ""  # a path may have 4,096 bytes: not one for each time
        return folder + "".join("/." if digit == "1" else "//." for digit in digits)

    async def _has_room(self, name: str) -> bool:
        """Whether `name` has a slot or can get one; an adapter loaded anew in place keeps its."""
        loaded = {number for number in await self.engine_client.list_loras() if number < FIRST_ID}
        known = self.lora_requests.get(name)
        return (known is not None and known.lora_int_id in loaded) or len(loaded) < self._most

    def _refusal(self) -> ErrorResponse:
        return create_error_response(
            message=(
                f"there is room for {self._most} adapters besides those of the server itself: "
                "start it with a larger --max-loras. An adapter that was unloaded keeps its "
                "place until the server is started anew"
            ),
            err_type="InvalidUserInput",
            status_code=HTTPStatus.BAD_REQUEST,
            param="lora_name",
        )
