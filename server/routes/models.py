"""`/v1/models`: the served model, and the same under each strategy's name.

Replaces vLLM's listing, which shows every adapter to everybody.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from adaptation.options import Strategy
from server.errors import ApiError


def models_router(
    names: tuple[str, ...], max_model_len: int, embedder: str, created: int
) -> APIRouter:
    """Return the routes; `created` is Unix seconds, `max_model_len` tokens."""
    router = APIRouter(tags=["models"])
    voting = [f"{name}{suffix}" for name in names for suffix in ("", *_suffixes())]
    served = [*voting, embedder]

    def card(model: str) -> dict[str, Any]:
        shown = {"id": model, "object": "model", "created": created, "owned_by": "whet"}
        return shown if model == embedder else {**shown, "max_model_len": max_model_len}

    @router.get("/v1/models")
    async def list_models() -> dict[str, Any]:
        return {"object": "list", "data": [card(model) for model in served]}

    @router.get("/v1/models/{model:path}")
    async def retrieve_model(model: str) -> dict[str, Any]:
        if model not in served:
            raise ApiError(
                404, f"The model `{model}` does not exist.", param="model", code="model_not_found"
            )
        return card(model)

    return router


def _suffixes() -> list[str]:
    return [f":{strategy}" for strategy in Strategy]
