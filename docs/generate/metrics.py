"""The table of Whet's series at `/metrics`."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from docs.generate.markdown import table
from server.telemetry.metrics import Actors, Metrics, TenantUse
from server.usage.delivery import UsageCounts


def write() -> str:
    """Return a row for every series, with its labels."""
    registry = CollectorRegistry()
    made = [
        series
        for owner in _owners(registry)
        for series in vars(owner).values()
        if isinstance(series, Counter | Gauge | Histogram)
    ]
    return table(("series", "labels", "counts"), sorted(map(_row, made)))


def _owners(registry: CollectorRegistry) -> tuple[object, ...]:
    """Return what has series, those that only some settings bring included."""
    return (
        Metrics(registry),
        TenantUse(registry),
        UsageCounts(registry),
        Actors(lambda: None, registry),
    )


def _row(series: Counter | Gauge | Histogram) -> tuple[str, str, str]:
    name = series._name + ("_total" if isinstance(series, Counter) else "")
    labels = ", ".join(f"`{label}`" for label in series._labelnames)
    return f"`{name}`", labels, series._documentation
