"""A typed client of a Whet server, thin over openai-python.

`Whet` and `AsyncWhet` ask, stream, teach and give feedback; what they do not do, their `openai`
does. Who has a client of openai-python already needs `asking` and `report_of` alone. Options are
checked by the server's own models before anything is sent.
"""

from __future__ import annotations

import json
import os
from collections.abc import AsyncGenerator, Generator, Iterable, Mapping, Sequence
from contextlib import closing
from typing import Any, Literal

from openai import AsyncOpenAI, OpenAI
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response
from pydantic import BaseModel

from adaptation.options import Budget, MemoryOptions, Options, Strategy
from adaptation.report import Report
from memory.identity.answers.options import AnswerOptions
from whet import KEY_VARIABLES, LOCAL, root_of
from whet.events import Answer, Event, Reading, Text, Votes, answer_of, report_in

__all__ = [
    "LOCAL",
    "Answer",
    "AnswerOptions",
    "AsyncWhet",
    "Budget",
    "Event",
    "Judged",
    "MemoryOptions",
    "Options",
    "Report",
    "Strategy",
    "Taught",
    "Text",
    "Votes",
    "Whet",
    "asking",
    "report_of",
]

NO_KEY = "none"
"""openai-python wants one; a server without keys does not."""

Messages = str | Sequence[Mapping[str, Any]]
"""A question, or the turns of a conversation as OpenAI has them."""
Lines = bytes | str | Iterable[Mapping[str, Any]]
"""Solved examples: JSON lines, or one object each, such as `{"question": …, "answer": …}`."""


class Judged(BaseModel):
    """What memory made of a caller's word on an answer."""

    action: str
    reason: str
    record: dict[str, Any] | None = None


class Taught(BaseModel):
    """What memory made of solved examples."""

    imported: int
    confirmed: int
    quarantined: int
    failed: int
    errors: list[dict[str, Any]] = []
    contradictions: list[dict[str, Any]] = []


def asking(options: Options | None) -> dict[str, Any]:
    """Return `extra_body` for openai-python; what the options leave open the server decides."""
    said = options.model_dump(mode="json", exclude_unset=True) if options else {}
    return {"adaptation": said} if said else {}


def report_of(answer: ChatCompletion | ChatCompletionChunk | Response) -> Report | None:
    """Return the report on one of openai-python's objects; None where it has none."""
    return report_in(answer.model_extra)


class Whet:
    """Asks one server, and waits."""

    def __init__(self, url: str = LOCAL, *, api_key: str | None = None, **settings: Any) -> None:
        """`api_key`: else $WHET_API_KEY or $VLLM_API_KEY; `settings` are those of `OpenAI`."""
        self.openai = OpenAI(base_url=_base(url), api_key=_key(api_key), **settings)
        self._model: str | None = None

    def ask(
        self,
        messages: Messages,
        options: Options | None = None,
        *,
        model: str | None = None,
        **request: Any,
    ) -> Answer:
        """Return the answer to a question or a conversation.

        `model`: else the first one served. `request` is whatever `chat.completions.create` takes.
        """
        body = _body(messages, options, model or self.first_model(), request)
        return answer_of(self.openai.chat.completions.create(**body))

    def stream(
        self,
        messages: Messages,
        options: Options | None = None,
        *,
        model: str | None = None,
        **request: Any,
    ) -> Generator[Event, None, None]:
        """Yield text as it comes, votes where the options want progress, and last the answer.

        Who closes the iterator ends the request.
        """
        body = _streamed(_body(messages, options, model or self.first_model(), request))
        reading = Reading()
        with closing(self.openai.chat.completions.create(**body)) as chunks:
            for chunk in chunks:
                yield from reading.take(chunk)
        yield reading.answer()

    def feedback(
        self,
        completion_id: str,
        verdict: Literal["correct", "incorrect"],
        answer: str | None = None,
        rationale: str | None = None,
    ) -> Judged:
        """Say whether an answer was right, and which one is."""
        said = _word(completion_id, verdict, answer, rationale)
        return Judged.model_validate(self.openai.post("/feedback", body=said, cast_to=object))

    def teach(self, lines: Lines) -> Taught:
        """Put solved examples into the server's memory."""
        told = self.openai.post("/memory/import", content=_lines(lines), cast_to=object)
        return Taught.model_validate(told)

    def first_model(self) -> str:
        """Return the name of the first model that the server lists; asked for once."""
        if self._model is None:
            self._model = self.openai.models.list().data[0].id
        return self._model

    def close(self) -> None:
        """Let go of the connections."""
        self.openai.close()


class AsyncWhet:
    """The same for asyncio."""

    def __init__(self, url: str = LOCAL, *, api_key: str | None = None, **settings: Any) -> None:
        """See `Whet`; `settings` are those of `AsyncOpenAI`."""
        self.openai = AsyncOpenAI(base_url=_base(url), api_key=_key(api_key), **settings)
        self._model: str | None = None

    async def ask(
        self,
        messages: Messages,
        options: Options | None = None,
        *,
        model: str | None = None,
        **request: Any,
    ) -> Answer:
        """See `Whet.ask`."""
        body = _body(messages, options, model or await self.first_model(), request)
        return answer_of(await self.openai.chat.completions.create(**body))

    async def stream(
        self,
        messages: Messages,
        options: Options | None = None,
        *,
        model: str | None = None,
        **request: Any,
    ) -> AsyncGenerator[Event, None]:
        """See `Whet.stream`."""
        body = _streamed(_body(messages, options, model or await self.first_model(), request))
        reading = Reading()
        async with await self.openai.chat.completions.create(**body) as chunks:
            async for chunk in chunks:
                for event in reading.take(chunk):
                    yield event
        yield reading.answer()

    async def feedback(
        self,
        completion_id: str,
        verdict: Literal["correct", "incorrect"],
        answer: str | None = None,
        rationale: str | None = None,
    ) -> Judged:
        """See `Whet.feedback`."""
        said = _word(completion_id, verdict, answer, rationale)
        return Judged.model_validate(await self.openai.post("/feedback", body=said, cast_to=object))

    async def teach(self, lines: Lines) -> Taught:
        """See `Whet.teach`."""
        told = await self.openai.post("/memory/import", content=_lines(lines), cast_to=object)
        return Taught.model_validate(told)

    async def first_model(self) -> str:
        """See `Whet.first_model`."""
        if self._model is None:
            self._model = (await self.openai.models.list()).data[0].id
        return self._model

    async def close(self) -> None:
        """See `Whet.close`."""
        await self.openai.close()


def _base(url: str) -> str:
    return root_of(url) + "/v1"


def _key(given: str | None) -> str:
    return given or next(filter(None, map(os.environ.get, KEY_VARIABLES)), NO_KEY)


def _body(
    messages: Messages, options: Options | None, model: str, request: Mapping[str, Any]
) -> dict[str, Any]:
    asked = isinstance(messages, str)
    turns = [{"role": "user", "content": messages}] if asked else list(messages)
    extra = {**(request.get("extra_body") or {}), **asking(options)}
    return {**request, "model": model, "messages": turns, "extra_body": extra}


def _streamed(body: dict[str, Any]) -> dict[str, Any]:
    return {"stream_options": {"include_usage": True}, **body, "stream": True}


def _word(
    completion_id: str, verdict: str, answer: str | None, rationale: str | None
) -> dict[str, str]:
    said = {"answer": answer, "rationale": rationale}
    named = {name: text for name, text in said.items() if text is not None}
    return {"completion_id": completion_id, "verdict": verdict, **named}


def _lines(lines: Lines) -> bytes:
    if isinstance(lines, bytes):
        return lines
    if isinstance(lines, str):
        return lines.encode()
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)
