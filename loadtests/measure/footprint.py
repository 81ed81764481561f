"""Peak resident memory of each process of a server that has done all the rest of the bench."""

from __future__ import annotations

from loadtests.measure.laboratory import Laboratory
from loadtests.measure.result import Result
from loadtests.processes import peak_mib

NOTE = (
    "High-water marks since the start (VmHWM); pages shared between processes count in each. "
    "The engine holds 1 GiB of key-value cache, touched or not."
)


def measure(lab: Laboratory) -> Result:
    """Read the high-water marks of Whet's processes, after at least one adapted request."""
    lab.client.ask("What is 12 + 7?", strategy="consistency", memory={"write": False})
    found = peak_mib(lab.whet.family())
    return Result(
        name="memory",
        title="Peak resident memory of Whet, MiB",
        rows=[
            *((role, f"{mib:,.0f}") for role, mib in found.items()),
            ("together", f"{sum(found.values()):,.0f}"),
        ],
        figures={"mib": found},
        note=NOTE,
    )
