"""An answer as it comes: votes, text, and in the end how it came about and what it cost.

The text goes to stdout, all else to stderr: in a terminal as bars that grow, elsewhere as lines.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text as Words

from adaptation.report import AnswerCount, Report
from server.terminal import console, plain
from whet.events import Answer, Event, Text, Votes

BAR = 30
"""Cells of a vote that everybody agrees on."""
SHOWN = 8
"""Answers that bars are shown of."""
NAME = 24
"""Characters of an answer beside its bar."""


def show(events: Iterator[Event], *, silent: bool = False) -> tuple[Answer, float]:
    """Show what comes; return the answer and the seconds it took. `silent`: no text on stdout."""
    view, began = _View(silent), time.monotonic()
    try:
        for event in events:
            match event:
                case Votes(counts):
                    view.votes(counts)
                case Text(text):
                    view.text(text)
                case Answer():
                    seconds = time.monotonic() - began
                    view.end(event, seconds)
                    return event, seconds
    finally:
        view.leave()
    raise AssertionError("a stream ends with its answer")


class _View:
    """What is on the screen."""

    def __init__(self, silent: bool) -> None:
        self._err, self._silent = console(stderr=True), silent
        self._counts: Sequence[AnswerCount] = ()
        self._is_begun = False
        self._live: Live | None = None
        if self._err.is_terminal:
            self._live = Live(self._waiting(), console=self._err, refresh_per_second=10)
            self._live.start()

    def votes(self, counts: Sequence[AnswerCount]) -> None:
        self._counts = counts
        if self._live:
            self._live.update(self._waiting())
        else:
            self._err.print(f"votes: {told_votes(counts)}", style="dim")

    def text(self, text: str) -> None:
        self.stop()
        self._is_begun = not self._silent
        if not self._silent:
            print(printable(text), end="", flush=True)

    def end(self, answer: Answer, seconds: float) -> None:
        self._is_begun = self._is_begun or not self._silent  # an empty answer is a line as well
        self.leave()
        for line in told(answer, seconds):
            self._err.print(line, style="dim", soft_wrap=True)

    def leave(self) -> None:
        """End the line of a text, whole or broken off."""
        self.stop()
        if self._is_begun:
            print(flush=True)
        self._is_begun = False

    def stop(self) -> None:
        """Leave the votes as they are now, and nothing that moves."""
        if self._live:
            self._live.update(Group(*bars(self._counts)))
            self._live.stop()
            self._live = None

    def _waiting(self) -> RenderableType:
        return Group(*bars(self._counts), Spinner("dots", style="dim"))


def bars(counts: Sequence[AnswerCount]) -> list[Words]:
    """Return votes as bars, most votes first."""
    total = sum(entry.count for entry in counts)
    shown = []
    for index, entry in enumerate(counts[:SHOWN]):
        name = Words(f"{_name(entry.answer):>{NAME}} │ ", "dim")
        bar = Words("█" * max(1, round(BAR * entry.count / total)), "cyan" if not index else "dim")
        shown.append(name + bar + Words(f" {entry.count}"))
    return shown


def told_votes(counts: Sequence[AnswerCount]) -> str:
    """Return votes on one line."""
    named = [f"{_name(entry.answer)} ×{entry.count}" for entry in counts[:SHOWN]]
    return ", ".join(named) + (", …" if len(counts) > SHOWN else "")


def told(answer: Answer, seconds: float) -> list[str]:
    """Return how an answer came about and what it cost, in one or more lines."""
    report = answer.report
    if report is None:
        return [f"{_tokens(answer)} · {seconds:.1f} s"]
    facts = [_strategy(report), _votes(report), _tokens(answer), f"{seconds:.1f} s", answer.id]
    lines = [" · ".join(filter(None, facts))]
    return [*lines, *filter(None, (_training(report), _memory(report), report.reason))]


def as_json(answer: Answer, seconds: float) -> dict[str, Any]:
    """Return an answer for programs."""
    return {
        "id": answer.id,
        "model": answer.model,
        "answer": answer.text,
        "seconds": round(seconds, 3),
        "usage": answer.usage.model_dump() if answer.usage else None,
        "adaptation": answer.report.model_dump(mode="json") if answer.report else None,
    }


def printable(text: str) -> str:
    """Return a model's text without what would move a terminal's cursor or colour it."""
    return "".join(c for c in text if c.isprintable() or c in "\n\t")


def _name(answer: str | None) -> str:
    return "(no answer)" if answer is None else plain(answer, NAME)


def _strategy(report: Report) -> str:
    asked, used = report.requested.value, report.strategy.value
    name = used if asked == used else f"{asked} → {used}"
    return f"{name}, {report.stop_reason.value}"


def _votes(report: Report) -> str:
    samples = report.samples
    if not report.votes or not samples.started:
        return ""
    leader, total = report.votes[0], sum(entry.count for entry in report.votes)
    sure = f", confidence {report.confidence:.2f}" if report.confidence is not None else ""
    cancelled = f", {samples.cancelled} cancelled" if samples.cancelled else ""
    return f"{leader.count} of {total} votes{sure}{cancelled}"


def _tokens(answer: Answer) -> str:
    if answer.usage is None:
        return ""
    trained = answer.report.tokens.training if answer.report else 0
    learned = f", {trained:,} trained on" if trained else ""
    return f"{answer.usage.completion_tokens:,} tokens{learned}"


def _training(report: Report) -> str:
    adapter = report.adapter
    if adapter is None:
        return ""
    losses = " → ".join(f"{loss:.2f}" for loss in adapter.holdout_loss)
    verdict = "accepted" if adapter.accepted else f"refused: {adapter.reason}"
    held_out = f", held-out loss {losses}" if losses else ""
    neighbours = len(report.neighbours or ())
    how = "trained" if report.tokens.training else "adapter of an earlier request, trained"
    return f"{how} {adapter.steps} steps on {neighbours} neighbours{held_out}, {verdict}"


def _memory(report: Report) -> str:
    memory = report.memory
    if memory is None:
        return ""
    if memory.reused:
        return f"from memory: {memory.reused}"
    return f"remembered as {memory.saved} ({memory.state})" if memory.saved else ""
