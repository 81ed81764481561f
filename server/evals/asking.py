"""Models are asked through the server's own door, in the tenant's name."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from adaptation.grading.errors import Fault, GradingError
from adaptation.grading.examine import models_of
from server.batches.patience import Post, answered
from server.evals.specs import Completions, DataSource, Responses
from server.http.request_body import Body
from server.requests.request_context import CHAT

EMBEDDINGS = "/v1/embeddings"


class RefusedError(Exception):
    """A request was answered with an error."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def models_needed(
    criteria: Sequence[Any], source: DataSource | None = None
) -> Iterator[tuple[str, str]]:
    """Yield the models that an evaluation or a run asks, each with the field that names it."""
    if isinstance(source, Completions | Responses) and source.model is not None:
        yield source.model, "data_source.model"
    for place, grader in enumerate(criteria):
        yield from models_of(grader, f"testing_criteria.{place}")


@dataclass(frozen=True)
class Door:
    """Asks what a tenant may ask; implements `judge.Asking`."""

    post: Post
    tenant: str
    embedder: str
    """The name under which embeddings are served."""

    async def ask(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Return the answer; raises `RefusedError`."""
        content = json.dumps(body, ensure_ascii=False).encode("utf-8", "surrogatepass")
        response = await answered(self.post, self.tenant, path, Body(content))
        try:
            found: dict[str, Any] = response.json()
        except ValueError:
            found = {}
        if response.status_code >= 400:
            error = found.get("error") or {}
            code = error.get("code") or str(response.status_code)
            raise RefusedError(str(code), str(error.get("message") or response.text[:200]))
        return found

    async def chat(self, body: dict[str, Any]) -> dict[str, Any]:
        """See `judge.Asking`."""
        return await self._graded(CHAT, body)

    async def embeddings(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        """See `judge.Asking`."""
        found = await self._graded(EMBEDDINGS, {"model": self.embedder, "input": list(texts)})
        return [each["embedding"] for each in found["data"]]

    async def _graded(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        try:
            return await self.ask(path, body)
        except RefusedError as error:
            raise GradingError(Fault.MODEL_SERVER, str(error)) from error
