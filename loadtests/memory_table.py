"""The figures of `make bench-memory`, as a table and against their targets."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median

import numpy as np
from rich.console import Console
from rich.table import Table

SMALL = 64
"""Records of the small tenant."""
TARGET_P99_MS = {100_000: 5.0, 1_000_000: 12.0}
TARGET_RECALL, TARGET_FOUND_MS, TARGET_IMPORT, TARGET_MEM0 = 0.99, 50.0, 2_000.0, 10.0


@dataclass
class Figures:
    """What one size came to; a value for each round, times in milliseconds."""

    records: int
    recall: float = 0.0
    """Share of the exact neighbours among those found by the vector alone."""
    filled_per_s: float = 0.0
    opened_s: float = 0.0
    """Of reading all vectors from the database."""
    sealed_s: float = 0.0
    """Until the inverted lists were in place; searches went on."""
    reopened_s: float = 0.0
    """First search after a restart, from the snapshot."""
    probes: int = 0
    """Cells that a search looks into, as measured when the index was sealed; 0 where it is flat."""
    core_ms: list[float] = field(default_factory=list)
    """Of a processor core, for one search of Whet's."""
    load: list[float] = field(default_factory=list)
    """Of the machine, after each round."""
    p50: dict[str, list[float]] = field(default_factory=dict)
    """By who searched; likewise below."""
    p99: dict[str, list[float]] = field(default_factory=dict)
    added: dict[str, list[float]] = field(default_factory=dict)
    """One record stored durably, and found."""

    def take(self, who: str, seconds: Sequence[float]) -> None:
        """Note one round's searches."""
        self.load.append(os.getloadavg()[0])
        self.p50.setdefault(who, []).append(float(np.quantile(seconds, 0.5)) * 1e3)
        self.p99.setdefault(who, []).append(float(np.quantile(seconds, 0.99)) * 1e3)


@dataclass
class Report:
    """All that was measured."""

    sizes: list[Figures]
    small_ms: list[float]
    """p50 of a tenant of `SMALL` records, a value for each round."""
    import_per_s: list[float]
    """Lines read, checked and stored, a value for each round."""
    store_per_s: list[float]
    """Drafts stored."""
    notes: list[str] = field(default_factory=list)


def show(report: Report) -> None:
    """Print the table, and what was met and missed."""
    console = Console(markup=False, highlight=False)
    table = Table("records", "who", "search p50, ms", "p99, ms", "one record added, ms", box=None)
    for each in report.sizes:
        for who in each.p50:
            shown = map(_spread, (each.p50[who], each.p99[who], each.added[who]))
            table.add_row(f"{each.records:,}", who, *shown)
    console.print(table)
    for each in report.sizes:
        console.print(
            f"{each.records:,}: recall {each.recall:.4f}; filled at {each.filled_per_s:,.0f}/s, "
            f"read in {each.opened_s:.1f} s, sealed beside searches in {each.sealed_s:.0f} s, "
            f"back from its snapshot in {each.reopened_s:.1f} s; {each.probes} cells a search, "
            f"{_spread(each.core_ms)} ms of a core; "
            f"load average {_spread(each.load)}"
        )
    console.print(f"a tenant of {SMALL} records: p50 {_spread(report.small_ms)} ms")
    console.print(f"import of lines: {_spread(report.import_per_s)} records/s")
    console.print(f"drafts stored: {_spread(report.store_per_s)} records/s")
    for line in (*_verdicts(report), *report.notes):
        console.print(line)


def _verdicts(report: Report) -> Iterator[str]:
    for each in report.sizes:
        name = f"{each.records:,} records"
        if each.records in TARGET_P99_MS:
            limit = TARGET_P99_MS[each.records]
            yield _verdict(f"{name}: p99 ≤ {limit} ms", median(each.p99["Whet"]) <= limit)
        yield _verdict(f"{name}: recall ≥ {TARGET_RECALL}", each.recall >= TARGET_RECALL)
        found = max(each.added["Whet"]) <= TARGET_FOUND_MS
        yield _verdict(f"{name}: found {TARGET_FOUND_MS} ms after its commit", found)
        for who in each.p50:
            if who != "Whet":
                ratio = median(each.p50[who]) / median(each.p50["Whet"])
                told = f"{name}: {who} searches in {ratio:.1f} × the time"
                yield told if who != "mem0" else _verdict(told, ratio >= TARGET_MEM0)
    rate = median(report.import_per_s)
    yield _verdict(f"import ≥ {TARGET_IMPORT:,.0f} records/s", rate >= TARGET_IMPORT)


def _verdict(text: str, met: bool) -> str:
    return f"{text}: {'met' if met else 'MISSED'}"


def _spread(values: Sequence[float]) -> str:
    return f"{median(values):,.3g} ({min(values):,.3g} to {max(values):,.3g})"
