"""The picture of a run: what is served, generation by generation, a panel for each target."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from adaptation.evaluation.picture import BLACK, BLUE, DPI, GREEN, GREY, VERMILION, canvas, undated
from loadtests.measure.loop import Run, shares

WIDTH_IN, ROW_IN, LEGEND_IN = 8.0, 2.7, 0.8
LINES = (
    ("one", "one sample", GREEN, "o-"),
    ("voted", "16 votes", BLUE, "s--"),
    ("pass", "pass@16", BLACK, "^:"),
    ("as served", "everyday questions, as served", VERMILION, "D-"),
    ("everyday", "everyday questions, adapter alone", GREY, "d:"),
)


def draw(runs: Sequence[Run], model: str, least: float, path: Path) -> None:
    """Write the picture; the same runs always give the same bytes."""
    matplotlib, figure_class, style = canvas()
    with matplotlib.rc_context(style):
        size = (WIDTH_IN, ROW_IN * len(runs) + LEGEND_IN)
        figure = figure_class(figsize=size, layout="constrained", facecolor="white")
        figure.suptitle(f"{model}; bars: 95 % intervals", x=0.995, ha="right", fontsize=8)
        rows = figure.subplots(len(runs), 1, sharex=True, squeeze=False)
        for axes, run in zip(rows.flat, runs, strict=True):
            _panel(axes, run, least)
        rows.flat[-1].set_xlabel("generation (0 is the base)")
        handles, labels = rows.flat[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
        figure.savefig(path, dpi=DPI, metadata=undated(path))


def _panel(axes: Any, run: Run, least: float) -> None:
    found = shares(run, least)
    numbers = [generation.number for generation in run.generations]
    for name, label, colour, form in LINES:
        values = [each[name] for each in found]
        bars = [
            [max(0.0, each["value"] - each["low"]) for each in values],
            [max(0.0, each["high"] - each["value"]) for each in values],
        ]
        middles = [each["value"] for each in values]
        drawn = {"fmt": form, "color": colour, "label": label, "elinewidth": 0.8}
        axes.errorbar(numbers, middles, yerr=bars, markersize=4, linewidth=1.2, **drawn)
    promoted = [each.number for each in run.generations if each.decision == "promoted"]
    heights = [0.0] * len(promoted)
    axes.plot(promoted, heights, "|", color=BLACK, markersize=9, label="promoted then")
    axes.set_title(run.target, loc="left")
    axes.set_ylim(-0.03, 1.03)
    axes.set_ylabel("right")
    axes.set_xticks(numbers)
