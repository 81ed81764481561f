"""The picture of a run: what accuracy costs, in tokens and in seconds.

A row for each group of suites, its suites pooled; an arm has the same colour and shape everywhere.
The same summary always gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from adaptation.evaluation.errors import EvaluationError
from adaptation.evaluation.summary import ArmSummary, Section, Summary

WIDTH_IN, ROW_IN, LEGEND_IN = 9.0, 2.4, 1.2
DPI = 200
SUFFIXES = (".png", ".svg")
GREY = "#808080"
NAMED_SUITES = 8
"""More are not named above a row."""


@dataclass(frozen=True)
class Look:
    """How an arm is drawn."""

    colour: str
    marker: str
    hollow: bool = False
    size: float = 6.5


# A colour for each kind of arm (Okabe and Ito 2008: told apart by the colour-blind), and a shape
# for each arm of the kind.
BLACK, ORANGE, SKY, GREEN, BLUE, VERMILION, PURPLE = (
    "#000000", "#e69f00", "#56b4e9", "#009e73", "#0072b2", "#d55e00", "#cc79a7",
)  # fmt: skip
LOOKS = MappingProxyType(
    {
        "greedy": Look(BLACK, "v", hollow=True),
        "one": Look(BLACK, "o"),
        "plain": Look(BLACK, "h", hollow=True),
        "vote": Look(SKY, "s"),
        "vote-2": Look(SKY, "1"),
        "vote-4": Look(SKY, "2"),
        "vote-8": Look(SKY, "3"),
        "consistency": Look(BLUE, "D"),
        "copy": Look(GREY, "X"),
        "demos-4": Look(ORANGE, "<"),
        "demos-8": Look(ORANGE, "^"),
        "demos-16": Look(ORANGE, ">"),
        "demos-16+vote": Look(VERMILION, "p"),
        "ttt": Look(GREEN, "*", size=11),
        "auto": Look(PURPLE, "P", size=8),
        "demonstrations": Look(ORANGE, "D"),
        "best_of_n": Look(BLUE, "s", hollow=True),
        "refine": Look(VERMILION, "^", hollow=True),
        "reflexion": Look(VERMILION, "v", hollow=True),
        "retry": Look(VERMILION, "o", hollow=True),
        "debate": Look(PURPLE, "s", hollow=True),
        "decompose": Look(PURPLE, "D", hollow=True),
    }
)
UNKNOWN = Look(GREY, "d")


@dataclass(frozen=True)
class Cost:
    """What is on the x-axis of a column."""

    label: str
    of: Callable[[ArmSummary], float]


COSTS = (
    Cost("generated tokens a question (mean)", lambda arm: arm.generated_tokens),
    Cost("seconds a question (median)", lambda arm: arm.seconds.value),
)


def draw(summary: Summary, path: Path) -> None:
    """Write the picture as its suffix says; raises `EvaluationError` where that cannot be."""
    if path.suffix.lower() not in SUFFIXES:
        raise EvaluationError(f"{path}: a picture is {' or '.join(SUFFIXES)}")
    matplotlib, figure_class, style = canvas()
    with matplotlib.rc_context(style):
        figure = _figure(figure_class, summary)
        try:
            figure.savefig(path, dpi=DPI, metadata=undated(path))
        except OSError as error:
            raise EvaluationError(f"{path} cannot be written: {error.strerror}") from error


def canvas() -> tuple[Any, Any, dict[str, Any]]:
    """Return matplotlib, its figure of no window and our style.

    Raises `EvaluationError` where it is not installed.
    """
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError as error:
        raise EvaluationError(
            'a picture needs matplotlib: pip install "whet[eval]", or leave out --picture'
        ) from error
    return matplotlib, Figure, _style(matplotlib)


def _style(matplotlib: Any) -> dict[str, Any]:
    """Return matplotlib's own defaults, whatever the user's file says, and ours."""
    return dict(matplotlib.rcParamsDefault) | {
        "font.size": 9,
        "axes.titlesize": 10,
        "axes.titleweight": "bold",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": "#e6e6e6",
        "grid.linewidth": 0.7,
        "svg.hashsalt": "whet",
        "svg.fonttype": "path",
    }


def undated(path: Path) -> dict[str, str | None]:
    """Return metadata without a date: the same picture has the same bytes."""
    return {"Date": None} if path.suffix.lower() == ".svg" else {"Software": None}


def _figure(figure_class: Any, summary: Summary) -> Any:
    """Draw on a figure of no window: `Figure` without pyplot takes the Agg canvas of the file."""
    sections = summary.groups
    height = ROW_IN * len(sections) + LEGEND_IN
    figure = figure_class(figsize=(WIDTH_IN, height), layout="constrained", facecolor="white")
    figure.suptitle(_caption(summary), x=0.995, ha="right", fontsize=8, color=GREY)
    rows = figure.subplots(len(sections), len(COSTS), sharex="col", sharey="row", squeeze=False)
    for row, section in zip(rows, sections, strict=True):
        _titles(row, section)
        for axes, cost in zip(row, COSTS, strict=True):
            _panel(axes, section.arms, cost)
    for axes, cost in zip(rows[-1], COSTS, strict=True):
        axes.set_xlabel(cost.label)
        axes.set_xlim(*_reach(cost, [arm for each in sections for arm in each.arms]))
    _legend(figure, rows.flat)
    return figure


def _caption(summary: Summary) -> str:
    header = summary.header
    adapter = f" with adapter {header.adapter}" if header.adapter else ""
    return (
        f"{header.model}{adapter}, {header.questions} questions a suite; "
        "bars: 95 % intervals; dashed: no model asked"
    )


def _titles(row: Any, section: Section) -> None:
    """Name the group above the left panel and its suites above the right one."""
    named, others = section.suites[:NAMED_SUITES], len(section.suites[NAMED_SUITES:])
    suites = ", ".join(named) + (f" and {others} more" if others else "")
    row[0].set_title(section.name, loc="left")
    row[-1].set_title(suites, loc="right", fontsize=8, fontweight="normal", color=GREY)
    row[0].set_ylabel("right")


def _panel(axes: Any, arms: Sequence[ArmSummary], cost: Cost) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, MultipleLocator, NullLocator

    axes.set_xscale("log")
    axes.autoscale(False, axis="x")
    axes.set_ylim(-0.03, 1.03)
    axes.yaxis.set_major_locator(MultipleLocator(0.25))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:.0%}"))
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    for arm in arms:
        _point(axes, arm, cost.of(arm))


def _reach(cost: Cost, arms: Sequence[ArmSummary]) -> tuple[float, float]:
    """Return the ends of an axis: wide enough for a mark, which stand at 1, 2 and 5."""
    known = [x for arm in arms if arm.generated_tokens and (x := cost.of(arm)) > 0] or [1.0]
    low, high = min(known), max(known)
    room = 1.25 if high > 2 * low else 1.6
    return low / room, high * room


def _point(axes: Any, arm: ArmSummary, x: float) -> None:
    """Draw an arm with its interval; one that asks no model is a line across."""
    look, right = LOOKS.get(arm.arm, UNKNOWN), arm.right
    if arm.generated_tokens == 0:
        axes.axhline(right.value, color=look.colour, linestyle="--", linewidth=1, label=arm.arm)
    elif x > 0:  # no reply at all has no cost: NaN
        axes.errorbar(
            [x],
            [right.value],
            yerr=[[max(0.0, right.value - right.low)], [max(0.0, right.high - right.value)]],
            color=look.colour,
            marker=look.marker,
            markersize=look.size,
            markerfacecolor="none" if look.hollow else look.colour,
            markeredgecolor=look.colour if look.hollow else "white",
            markeredgewidth=1.2 if look.hollow else 0.6,
            elinewidth=1.1,
            linestyle="none",
            label=arm.arm,
        )


def _legend(figure: Any, panels: Sequence[Any]) -> None:
    """Put each arm into one legend below all panels."""
    handles: dict[str, Any] = {}
    for axes in panels:
        for handle, arm in zip(*axes.get_legend_handles_labels(), strict=True):
            handles.setdefault(arm, handle)
    order = sorted(handles, key=lambda arm: (*LOOKS, arm).index(arm))
    figure.legend(
        [handles[arm] for arm in order],
        order,
        loc="outside lower center",
        ncols=6,
        frameon=False,
    )
