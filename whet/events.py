"""What a streamed answer is made of: votes as they fall, text as it comes, then the answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from openai.types import CompletionUsage
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from pydantic import TypeAdapter

from adaptation.report import AnswerCount, Report

_COUNTS = TypeAdapter(tuple[AnswerCount, ...])


@dataclass(frozen=True)
class Votes:
    """How the vote stands after one more sample; wanted by `Options(progress=True)`."""

    counts: tuple[AnswerCount, ...]
    """Most votes first."""


@dataclass(frozen=True)
class Text:
    """The next piece of the answer's text."""

    text: str


@dataclass(frozen=True)
class Answer:
    """A whole answer."""

    id: str
    """What `feedback` names."""
    model: str
    text: str
    report: Report | None
    """How the answer came about; None where the server is not Whet."""
    usage: CompletionUsage | None
    """Every token that was generated for the request."""
    finish_reason: str | None


Event = Votes | Text | Answer


def report_in(extra: Mapping[str, Any] | None) -> Report | None:
    """Return the report among the extra fields of one of openai-python's objects.

    What a newer server adds to it is passed over.
    """
    said = (extra or {}).get("adaptation")
    return Report.model_validate(said, extra="ignore") if said and "strategy" in said else None


def answer_of(completion: ChatCompletion) -> Answer:
    """Return a whole completion as an answer: its first choice."""
    first = completion.choices[0]
    return Answer(
        completion.id,
        completion.model,
        first.message.content or "",
        report_in(completion.model_extra),
        completion.usage,
        first.finish_reason,
    )


class Reading:
    """A stream of chunks, as far as it has come."""

    def __init__(self) -> None:
        self._id = self._model = ""
        self._pieces: list[str] = []
        self._report: Report | None = None
        self._usage: CompletionUsage | None = None
        self._finish_reason: str | None = None

    def take(self, chunk: ChatCompletionChunk) -> Iterator[Votes | Text]:
        """Take in the next chunk; yields what it shows."""
        self._id, self._model = chunk.id, chunk.model
        self._usage = chunk.usage or self._usage
        self._report = report_in(chunk.model_extra) or self._report
        progress = ((chunk.model_extra or {}).get("adaptation") or {}).get("progress")
        if progress:
            yield Votes(_COUNTS.validate_python(progress["votes"], extra="ignore"))
        for choice in chunk.choices[:1]:
            self._finish_reason = choice.finish_reason or self._finish_reason
            if choice.delta.content:
                self._pieces.append(choice.delta.content)
                yield Text(choice.delta.content)

    def answer(self) -> Answer:
        """Return the whole, after the last chunk."""
        text = "".join(self._pieces)
        return Answer(self._id, self._model, text, self._report, self._usage, self._finish_reason)
