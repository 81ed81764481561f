"""One request on its way through a handler: its context goes down, its reports come back.

The handler makes one for each request and hands it to nobody but the client that it calls. It knows
what stands in a response, and nothing of how a response is sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from adaptation.options import Strategy
from adaptation.report import AnswerCount, Report
from adaptation.types import Sample
from server.engine.outputs import Given
from server.requests.request_context import Asked, RequestContext

Votes = asyncio.Queue[tuple[AnswerCount, ...]]


class Exchange:
    """What is asked of the engine client for one request, and what came of it so far."""

    def __init__(self, context: RequestContext, choices: int = 1) -> None:
        """`choices` is OpenAI's `n`."""
        self.context = context
        self._choices = choices
        self.reports: dict[int, Report] = {}
        """By prompt."""
        self.adapters: dict[int, str] = {}
        """What answered beside the base, by prompt."""
        self.votes: Votes | None = asyncio.Queue() if context.options.progress else None
        """The votes after every sample, where the client wants to see them come in."""
        self._written: dict[int, dict[str, Any]] = {}
        """The reports as they are sent: each in its turn, not all of them with the last."""
        self._recited: dict[str, int] = {}
        self._open = self._unsent_ends = 0

    @property
    def is_vote(self) -> bool:
        """Whether there is more to wait for than one sample."""
        return self.context.options.strategy is not Strategy.PLAIN

    @property
    def is_due(self) -> bool:
        """Whether a chunk that comes now may end a choice, or the stream."""
        return self._unsent_ends > 0 or not self._open

    def ask(self, request_id: str) -> Asked:
        """Return what the engine client is asked in one call."""
        self._open += 1
        earlier = self.reports.get(self.context.index_of(request_id))
        return Asked(self.context, request_id, earlier, None if self.votes is None else self._show)

    def _show(self, sample: Sample, votes: Callable[[], tuple[AnswerCount, ...]]) -> None:
        if self.votes is not None:
            self.votes.put_nowait(votes())

    def note(self, asked: Asked, given: Given) -> None:
        """Keep what an output tells, before the handler sees the output."""
        ends = [choice.finish_reason is not None for choice in given.output.outputs]
        self._unsent_ends += sum(ends)
        self._recited[asked.request_id] = given.recited
        if given.adapter is not None:
            self.adapters[asked.index] = given.adapter
        if given.report is not None:
            self.reports[asked.index] = given.report
            self._written[asked.index] = given.report.model_dump(mode="json")

    def close(self) -> None:
        """Keep in mind that a call has no more outputs."""
        self._open -= 1

    def complete_chunk(self, chunk: dict[str, Any]) -> None:
        """Add the report to a chunk that ends a choice, and make its usage true."""
        ends = [choice for choice in chunk.get("choices", ()) if choice.get("finish_reason")]
        self._unsent_ends -= len(ends)
        for part in [chunk] if ends and self.context.is_single else ends:
            self._report_on(part)
        if isinstance(chunk.get("usage"), dict):
            self._correct(chunk["usage"])

    def completed(self, response: Any) -> Any:
        """Return one of vLLM's whole responses with its report(s) and its true usage."""
        parts: dict[str, Any] = {}
        if self.context.is_single:
            self._report_on(parts)
        else:
            parts["choices"] = [self._completed_choice(choice) for choice in response.choices]
        if response.usage is not None:
            usage = response.usage.model_dump()
            self._correct(usage)
            parts["usage"] = type(response.usage).model_validate(usage)
        return response.model_copy(update=parts)

    def _completed_choice(self, choice: Any) -> Any:
        part = {"index": choice.index}
        self._report_on(part)
        return choice.model_copy(update=part)

    def _report_on(self, part: dict[str, Any]) -> None:
        """Add to a response, or to one of its choices, the report on its prompt."""
        index = 0 if self.context.is_single else part.get("index", 0) // self._choices
        if (report := self._written.get(index)) is not None:
            part["adaptation"] = report

    def _correct(self, usage: dict[str, Any]) -> None:
        """Make `usage` count every generated token; what is not returned is named reasoning.

        vLLM's handlers count what they return, generated or not.
        """
        reports, recited = self.reports.values(), sum(self._recited.values())
        unseen = sum(report.tokens.losing + report.tokens.cancelled for report in reports)
        if not (unseen or recited):
            return
        counted = "output_tokens" if "output_tokens" in usage else "completion_tokens"
        for name in (counted, "total_tokens"):
            usage[name] = usage.get(name, 0) + unseen - recited
        if unseen:
            details = usage.get(f"{counted}_details") or {}
            details["reasoning_tokens"] = (details.get("reasoning_tokens") or 0) + unseen
            usage[f"{counted}_details"] = details
