"""A peer: an OpenAI-compatible server that is no Whet, over real HTTP, with canned arithmetic."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse

Speak = Callable[[dict[str, Any], int], str]
"""The text of one choice, of a request's body and the choice's index."""


def adds(body: dict[str, Any], index: int) -> str:
    """Follow a story of gains and losses rightly, but the first of several choices wrongly."""
    words = body["messages"][-1]["content"]
    total = 0
    for sign, number in re.findall(r"(has|buys|finds|gets|wins|\w+s) (\d+)", words):
        total += int(number) if sign in ("has", "buys", "finds", "gets", "wins") else -int(number)
    wrong = index == 0 and body.get("n", 1) > 1
    return f"work.\n#### {total + wrong}"


@dataclass
class Peer:
    """The server's address, what it was asked, and how it misbehaves."""

    url: str = ""
    speak: Speak = adds
    asked: list[dict[str, Any]] = field(default_factory=list)
    fail: Callable[[int], int] = lambda number: 200
    """HTTP status of the request with this number."""
    fail_question: str | None = None
    """Always answered with HTTP 500."""
    away: Callable[[], bool] = lambda: False
    """Whether even the list of models fails."""
    message: dict[str, Any] | None = None
    """Returned instead of what it would say."""
    takes_tools: bool = True
    choices: int | None = None
    """Number of choices returned, whatever was asked for."""

    def app(self) -> FastAPI:
        app, numbers = FastAPI(), itertools.count()

        @app.get("/v1/models")
        def models() -> Any:
            if self.away():
                return JSONResponse({"error": {"message": "away"}}, 503)
            card = {"id": "peer-model", "object": "model", "created": 0, "owned_by": "peer"}
            return {"object": "list", "data": [card]}

        @app.post("/v1/chat/completions")
        def chat(body: dict[str, Any]) -> Response:
            if body["messages"][-1]["content"] == self.fail_question:
                return JSONResponse({"error": {"message": "broken"}}, 500)
            if body.get("tools") and not self.takes_tools:
                return JSONResponse({"error": {"message": "no tool parser"}}, 400)
            status = self.fail(next(numbers))
            if status != 200:
                return JSONResponse({"error": {"message": "not now"}}, status)
            self.asked.append(body)
            count = body.get("n", 1) if self.choices is None else self.choices
            texts = [self.speak(body, i) for i in range(count)]
            return JSONResponse(completion(body, texts, self.message))

        return app


def completion(
    body: dict[str, Any], texts: list[str], message: dict[str, Any] | None
) -> dict[str, Any]:
    """An OpenAI chat completion; a word is a token."""
    words = sum(len(text.split()) for text in texts)
    messages = [message or {"role": "assistant", "content": text} for text in texts]
    choices = [
        {"index": i, "finish_reason": "stop", "message": each} for i, each in enumerate(messages)
    ]
    usage = {"prompt_tokens": 1, "completion_tokens": words, "total_tokens": words + 1}
    return {
        "id": "x",
        "object": "chat.completion",
        "created": 0,
        "model": body["model"],
        "choices": choices,
        "usage": usage,
    }
