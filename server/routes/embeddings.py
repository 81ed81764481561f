"""`/v1/embeddings`: the memory's own embedder, in OpenAI's shape."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Literal, TypeVar

import numpy as np
from fastapi import APIRouter
from pydantic import Field, model_validator

from memory.embedder import Embedder
from memory.types import Frozen
from server.errors import ApiError
from server.openai_form import drop_nulls

MAX_INPUTS = 2048
BATCH = 32
"""Texts worked on in one go: what memory wants to know comes in between."""
T = TypeVar("T")
Aside = Callable[..., Awaitable[Any]]


class EmbeddingRequest(Frozen):
    """OpenAI's request."""

    input: str | list[str] | list[int] | list[list[int]]
    model: str = Field(min_length=1, max_length=256)
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = Field(default=None, ge=1)
    user: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _nulls_are_absent(cls, given: Any) -> Any:
        if isinstance(given, dict):
            drop_nulls(given)
        return given


def embeddings_router(embedder: Embedder, aside: Aside = asyncio.to_thread) -> APIRouter:
    """Return the route; `aside` runs the embedder beside the event loop."""
    names = frozenset({embedder.id, embedder.id.partition("@")[0]})  # the version may be left out
    router = APIRouter(tags=["embeddings"])

    @router.post("/v1/embeddings")
    async def create_embedding(asked: EmbeddingRequest) -> dict[str, Any]:
        """Return a unit vector for each text, in the order of the texts."""
        texts = _texts(asked, embedder, names)
        tokens = await _in_batches(aside, embedder.count_tokens, texts)
        _refuse_long(tokens, embedder.max_tokens)
        vectors = await _in_batches(aside, embedder.embed, texts)
        used = sum(tokens)
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


async def _in_batches(
    aside: Aside, work: Callable[[list[str]], Iterable[T]], texts: list[str]
) -> list[T]:
    starts = range(0, len(texts), BATCH)
    return [found for start in starts for found in await aside(work, texts[start : start + BATCH])]


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
