"""Results as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from loadtests.measure.result import Result, Target

HEAD = ("| | found | target | |", "|---|--:|---|---|")


def whole(result: Result) -> str:
    """Return a result's targets and rows as a table, under its title and over its note."""
    lines = [result.title, "", *HEAD, *map(_line, result.targets)]
    lines += [f"| {name} | {value} | | |" for name, value in result.rows]
    return "\n".join([*lines, "", result.note]).rstrip() + "\n"


def targets(results: Sequence[Result]) -> str:
    """Return one table of the targets of several results."""
    return (
        "\n".join((*HEAD, *(_line(each) for result in results for each in result.targets))) + "\n"
    )


def _line(target: Target) -> str:
    found, sign = target.found, {"at least": "≥", "at most": "≤"}[target.direction]
    shown = f"{found.value:.3g} {target.unit}".rstrip()
    if found.low != found.high:
        shown += f" ({found.low:.3g} to {found.high:.3g})"
    bound = f"{sign} {target.bound:g} {target.unit}".rstrip()
    is_single = found.low == found.high  # of which no spread leaves anything open
    verdict = ("met" if target.met else "MISSED") if is_single else target.verdict
    return f"| {target.name} | {shown} | {bound} | {verdict} |"
