"""What `whet eval` prints about a run, and about two: for terminals, and for GitHub."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from rich.console import Console
from rich.table import Table
from rich.text import Text

from adaptation.evaluation.compare import Comparison
from adaptation.evaluation.summary import Summary
from server.commands.eval_tables import (
    Grid,
    comparison_grid,
    comparison_notes,
    group_notes,
    matrix,
    notes,
    section_grid,
    shown_value,
    title,
)
from server.terminal import console, plain


def print_summary(summary: Summary, out: Console | None = None) -> None:
    """Print every suite under its group, the group as a whole, and what went wrong."""
    out = out or console()
    for group in summary.groups:
        _heading(out, group.name)
        for suite in summary.suites:
            if suite.group is group.group:
                _print_grid(out, title(suite), section_grid(suite, summary.baseline))
        if len(group.suites) > 1:
            _print_grid(out, title(group), section_grid(group, summary.baseline))
        _print_lines(out, group_notes(group, summary.baseline))
    _heading(out, "by suite")
    _print_grid(out, "right, %", matrix(summary))
    _print_lines(out, notes(summary))


def print_comparison(
    comparison: Comparison, first: str, second: str, out: Console | None = None
) -> None:
    """Print what the second run, named `second`, does otherwise than the first."""
    out = out or console()
    _heading(out, f"{second} against {first}")
    if comparison.headers:
        rows = tuple(
            (each.field, shown_value(each.first), shown_value(each.second))
            for each in comparison.headers
        )
        _print_grid(out, "measured otherwise", Grid(("", first, second), rows, texts=3))
    _print_grid(out, "right, %", comparison_grid(comparison))
    _print_lines(out, comparison_notes(comparison, first, second))


def markdown(summary: Summary, *, suites: bool = False) -> str:
    """Return the groups' tables as GitHub draws them; with `suites`, those of all suites too."""
    parts = []
    for group in summary.groups:
        members = [s for s in summary.suites if s.group is group.group] if suites else []
        alone = group.suites == tuple(s.name for s in members) and len(members) == 1
        for section in [*members, *([] if alone else [group])]:
            parts.append(f"**{title(section)}**")
            parts.append(_as_markdown(section_grid(section, summary.baseline)))
        parts += group_notes(group, summary.baseline)
    parts += ["**right by suite, %**", _as_markdown(matrix(summary))]
    parts.append("\n".join(f"- {escape(line, quote=False)}" for line in notes(summary)))
    return "\n\n".join(part for part in parts if part) + "\n"


def _heading(out: Console, text: str) -> None:
    out.print()
    out.print(Text(f"── {plain(text)} ──", style="bold"))


def _print_grid(out: Console, title: str, grid: Grid) -> None:
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    for number, name in enumerate(grid.columns):
        table.add_column(name, justify="left" if number < grid.texts else "right")
    for row in grid.rows:
        table.add_row(*map(plain, row))
    out.print()
    out.print(Text(plain(title), style="bold"))
    out.print(table)


def _print_lines(out: Console, lines: Sequence[str]) -> None:
    if lines:
        out.print()
    for line in lines:
        out.print(Text(plain(line)))


def _as_markdown(grid: Grid) -> str:
    rules = tuple(":--" if n < grid.texts else "--:" for n in range(len(grid.columns)))
    escaped = ([cell.replace("|", "\\|") for cell in row] for row in (grid.columns, *grid.rows))
    heads, *rows = (f"| {' | '.join(cells)} |" for cells in escaped)
    return "\n".join((heads, f"| {' | '.join(rules)} |", *rows))
