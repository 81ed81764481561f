"""`/v1/embeddings`: the memory's own embedder, in OpenAI's shape."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
from fastapi import APIRouter
from pydantic import Field, model_validator

from memory.embedding.embedder import Embedder
from memory.embedding.embedding_queue import EmbeddingQueue
from memory.threads import Threads
from memory.types import Frozen
from server.refusals.errors import ApiError
from server.requests.adaptation_request import MAX_END_USER
from server.requests.openai_form import drop_nulls
from server.telemetry.notes import Embedded, request_note
from server.tenancy.principal import Tenant

MAX_INPUTS = 2048
COUNTED = 32
"""Texts whose tokens are counted in one go: what memory wants to know comes in between."""
SERVED = "served"
"""Turns of their own: a tenant's recalls do not wait for the texts that it wants embedded."""


class EmbeddingRequest(Frozen):
    """OpenAI's request."""

    input: str | list[str] | list[int] | list[list[int]]
    model: str = Field(min_length=1, max_length=256)
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = Field(default=None, ge=1)
    user: str | None = None

    @property
    def end_user(self) -> str | None:
        """Return whom the client says it asks for."""
        return self.user[:MAX_END_USER] if self.user and self.user.strip() else None

    @model_validator(mode="before")
    @classmethod
    def _nulls_are_absent(cls, given: Any) -> Any:
        if isinstance(given, dict):
            drop_nulls(given)
        return given


def embeddings_router(
    embedder: Embedder, queue: EmbeddingQueue, counting: Threads, spent: Callable[[str, int], None]
) -> APIRouter:
    """Return the route; `queue` is the embedder's, and tokens are counted on threads apart.

    `spent` is told whose tokens were read.
    """
    names = frozenset({embedder.id, embedder.id.partition("@")[0]})  # the version may be left out
    router = APIRouter(tags=["embeddings"])

    @router.post("/v1/embeddings")
    async def create_embedding(asked: EmbeddingRequest, tenant: Tenant) -> dict[str, Any]:
        """Return a unit vector for each text, in the order of the texts."""
        texts = _texts(asked, embedder, names)
        tokens = await _counted(embedder, counting, texts)
        _refuse_long(tokens, embedder.max_tokens)
        vectors = await queue.vectors((tenant, SERVED), texts)
        used = sum(tokens)
        spent(tenant, used)
        if (note := request_note()) is not None:
            note.embedded.append(Embedded(embedder.id, used, asked.end_user))
        show = _as_base64 if asked.encoding_format == "base64" else _as_floats
        return {
            "object": "list",
            "data": [
                {"object": "embedding", "index": index, "embedding": show(vector)}
                for index, vector in enumerate(vectors)
            ],
            "model": asked.model,
            "usage": {"prompt_tokens": used, "total_tokens": used},
        }

    return router


async def _counted(embedder: Embedder, counting: Threads, texts: list[str]) -> list[int]:
    starts = range(0, len(texts), COUNTED)
    groups = (texts[start : start + COUNTED] for start in starts)
    return [found for each in groups for found in await counting.run(embedder.count_tokens, each)]


def _refuse_long(tokens: Sequence[int], most: int | None) -> None:
    """A vector of a text's beginning would be taken for one of all of it."""
    for index, count in enumerate(tokens):
        if most is not None and count > most:
            raise _refused(f"text {index} is too long: this model embeds {most} tokens")


def _texts(asked: EmbeddingRequest, embedder: Embedder, names: frozenset[str]) -> list[str]:
    if asked.model not in names:
        raise ApiError(
            404,
            f"The embedding model `{asked.model}` does not exist; GET /v1/models lists what does",
            param="model",
            code="model_not_found",
        )
    if asked.dimensions not in (None, embedder.dim):
        message = f"`dimensions`: this model's vectors have {embedder.dim}, not {asked.dimensions}"
        raise ApiError(400, message, param="dimensions")
    given = [asked.input] if isinstance(asked.input, str) else asked.input
    texts = [text for text in given if isinstance(text, str)]
    if len(texts) < len(given):
        raise _refused(
            "send text, not token ids, which are another model's "
            "(LangChain: check_embedding_ctx_length=False)"
        )
    if not texts or len(texts) > MAX_INPUTS:
        raise _refused(f"send 1 to {MAX_INPUTS} texts, not {len(texts)}")
    if not all(texts):
        raise _refused("a text is empty")
    return texts


def _refused(message: str) -> ApiError:
    return ApiError(400, f"`input`: {message}", param="input")


def _as_floats(vector: np.ndarray) -> list[float]:
    return [float(value) for value in vector]


def _as_base64(vector: np.ndarray) -> str:
    return base64.b64encode(vector.astype("<f4").tobytes()).decode()
