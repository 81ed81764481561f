"""How the tour speaks: chapters, votes as bars, and what each station came to in the end.

Prints only what it is given: nothing here knows how a station ought to end.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from rich.console import Console
from rich.progress import track
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from adaptation.evaluation.questions import is_right
from adaptation.evaluation.suites.solved import Solved
from adaptation.report import AnswerCount

WIDTH = 100
BAR = 30
"""Cells of a vote that everybody agrees on."""

Verdict = Literal["helped", "helped, at a cost", "made no difference", "hurt", "worked"]
STYLES = {"helped": "green", "worked": "green", "hurt": "red"}


@dataclass(frozen=True)
class Outcome:
    """What one station came to."""

    station: str
    happened: str
    verdict: Verdict


def verdict_of(before: float, after: float) -> Verdict:
    """Compare two figures of which more is better."""
    if before == after:
        return "made no difference"
    return "helped" if after > before else "hurt"


class Narrator:
    """Writes to a terminal or a pipe."""

    def __init__(self, console: Console | None = None) -> None:
        width = None if sys.stdout.isatty() else WIDTH
        self._chapters = 0
        self.console = console or Console(width=width, markup=False, emoji=False, highlight=False)

    def chapter(self, title: str) -> None:
        """Begin a station; they are numbered as they come."""
        self._chapters += 1
        self._head(f"{self._chapters}. {title}")

    def say(self, text: str, style: str = "") -> None:
        """Say something, wrapped."""
        self.console.print(text, style=style)

    def quote(self, who: str, text: str) -> None:
        """Show what was asked or answered, each line behind a bar."""
        for index, line in enumerate(text.splitlines() or [""]):
            name = f"{who if index == 0 else '':>12} │ "
            self.console.print(Text(name, "dim") + Text(line), soft_wrap=True)

    def votes(self, counts: Sequence[AnswerCount], task: Solved) -> None:
        """Show a vote: one bar for each answer, the right one marked."""
        total = sum(entry.count for entry in counts)
        for entry in counts:
            right = is_right(entry.answer, task)
            cells = max(1, round(BAR * entry.count / total))
            name = f"{entry.answer if entry.answer is not None else '(no answer)':>12.12} │ "
            bar = Text("█" * cells, "green" if right else "red")
            mark = "  ← right" if right else ""
            self.console.print(Text(name, "dim") + bar + Text(f" {entry.count}{mark}"))

    def marks(self, who: str, hits: Sequence[bool]) -> None:
        """Show one mark for each question."""
        row = Text(f"{who:>12} │ ", "dim")
        for hit in hits:
            row += Text("✓" if hit else "✗", "green" if hit else "red")
        self.console.print(row + Text(f"  {sum(hits)} of {len(hits)} right"))

    def each(self, tasks: Sequence[Solved], what: str) -> Iterable[Solved]:
        """Go through questions behind a progress bar, which a pipe does not see."""
        hidden = not self.console.is_terminal
        return track(tasks, description=what, console=self.console, transient=True, disable=hidden)

    @contextmanager
    def waiting(self, what: str) -> Iterator[None]:
        """Show a spinner while the block works."""
        with self.console.status(what):
            yield

    def summary(self, outcomes: Sequence[Outcome]) -> None:
        """Close the tour with what really happened."""
        self._head("What happened")
        table = Table(
            "", "what happened", "verdict", box=None, pad_edge=False, padding=(0, 2, 0, 0)
        )
        table.columns[2].no_wrap = True
        for outcome in outcomes:
            verdict = Text(outcome.verdict, STYLES.get(outcome.verdict, "yellow"))
            table.add_row(outcome.station, outcome.happened, verdict)
        self.console.print(table)

    def _head(self, title: str) -> None:
        self.console.print()
        self.console.print(Rule(Text(title, "bold"), align="left", style="dim"))
