"""Every query of the Grafana dashboard asks for series and labels that a server really has."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import promql_parser as promql
import pytest
import yaml
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

from adaptation.report import StopReason
from server.telemetry.adapters_served import NAME
from tests.server.composed import Reply, composed

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy/grafana"
DASHBOARD: dict[str, Any] = json.loads((FOLDER / "whet.json").read_text("utf-8"))
OF_PROMETHEUS = {"instance", "job"}
"""Labels that a series gets where it is scraped."""
SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}
REASONS = {str(reason) for reason in StopReason}
pytestmark = pytest.mark.filterwarnings("ignore:max_tokens is deprecated:DeprecationWarning")


def panels() -> list[dict[str, Any]]:
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def queries() -> list[tuple[str, str]]:
    """Every query with what its legend shows."""
    found = [
        (target["expr"], target["legendFormat"])
        for panel in panels()
        for target in panel["targets"]
    ]
    return found + [(each["expr"], each["textFormat"]) for each in DASHBOARD["annotations"]["list"]]


@dataclass
class Asked:
    """What a query asks for."""

    series: dict[str, dict[str, set[str]]] = field(default_factory=dict)
    """By name: labels, each with the values that it names."""
    kept: set[str] = field(default_factory=set)
    """Labels that are left when it has summed up."""


def asked(expression: str) -> Asked:
    """Read a query, as Prometheus does when Grafana has filled in its variables."""
    filled = expression.replace("$__rate_interval", "5m").replace("$instance", ".*")
    assert "$" not in filled
    found = Asked()
    for node in nodes(promql.parse(filled)):
        if isinstance(node, promql.VectorSelector):
            labels = found.series.setdefault(node.name, {})
            for each in node.matchers.matchers:
                values = labels.setdefault(each.name, set())
                if each.name not in OF_PROMETHEUS:
                    values.update(each.value.split("|"))
        elif isinstance(node, promql.AggregateExpr) and node.modifier is not None:
            found.kept.update(node.modifier.labels)
    return found


def nodes(node: Any) -> Iterator[Any]:
    """Yield a query's parts."""
    yield node
    below = [getattr(node, name, None) for name in ("lhs", "rhs", "expr", "vector_selector")]
    for each in [*below, *(getattr(node, "args", None) or ())]:
        if each is not None:
            yield from nodes(each)


@dataclass
class Served:
    """What a server has at `/metrics`."""

    labels: dict[str, set[str]]
    """By series."""
    values: dict[tuple[str, str], set[str]]
    """By series and label, as far as there were any."""


@contextmanager
def apart(name: str) -> Iterator[None]:
    """Take a series out of the registry for a while."""
    collector = REGISTRY._names_to_collectors[name]
    REGISTRY.unregister(collector)
    try:
        yield
    finally:
        REGISTRY.register(collector)


@pytest.fixture
async def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Served]:
    """A server that has answered, with vLLM's own series beside Whet's."""
    from vllm.v1.metrics.loggers import PrometheusStatLogger

    before = set(REGISTRY._collector_to_names)
    try:
        async with composed(
            tmp_path,
            monkeypatch,
            lambda request: Reply("#### 42"),
            registry=REGISTRY,
            tenant_metrics=True,
        ) as server:
            with apart(NAME):  # vLLM's own is taken away before Whet's is made
                statistics = PrometheusStatLogger(server.client.vllm_config)
                REGISTRY.unregister(statistics.gauge_lora_info)
            await server.chat(adaptation={"strategy": "consistency"})
            await server.chat(adaptation={"strategy": "consistency"})
            yield read((await server.http.get("/metrics")).text)
    finally:
        for collector in set(REGISTRY._collector_to_names) - before:
            REGISTRY.unregister(collector)


def read(text: str) -> Served:
    """Read the text; what has no sample yet has the labels that it was made with."""
    found = Served({}, {})
    for family in text_string_to_metric_families(text):
        for suffix in SUFFIXES.get(family.type, ()):
            name = family.name + suffix
            made = REGISTRY._names_to_collectors.get(family.name)
            labels = set(getattr(made, "_labelnames", ())) | (
                {"le"} if "_bucket" in suffix else set()
            )
            found.labels[name] = labels
            for sample in family.samples:
                if sample.name == name:
                    labels.update(sample.labels)
                    for label, value in sample.labels.items():
                        found.values.setdefault((name, label), set()).add(value)
    return found


async def test_every_query_asks_for_what_there_is(served: Served) -> None:
    assert len(queries()) > 25
    for expression, legend in queries():
        found = asked(expression)
        assert found.series, expression
        for name, labels in found.series.items():
            assert name in served.labels, f"{name} is at no /metrics: {expression}"
            known = served.labels[name] | OF_PROMETHEUS
            assert set(labels) | found.kept <= known, expression
            for label, values in labels.items():
                there = served.values.get((name, label), values)
                assert values <= (REASONS if label == "stop_reason" else there), expression
        assert set(re.findall(r"{{(\w+)}}", legend)) <= found.kept, (expression, legend)


async def test_every_series_of_whets_own_is_on_the_dashboard(served: Served) -> None:
    shown = {name for expression, _ in queries() for name in asked(expression).series}
    ours = {name for name in served.labels if re.match(r"whet_.*(?<!_created)$", name)}
    assert ours - shown == {"whet_step_seconds_count"}


def test_the_servers_to_choose_from_are_those_that_have_a_series_of_whets() -> None:
    (variable,) = [each for each in DASHBOARD["templating"]["list"] if each["type"] == "query"]
    assert variable["query"]["query"] == "label_values(whet_samples_total, instance)"


def test_no_panel_lies_on_another() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24
        assert not taken & cells, panel["title"]
        taken |= cells
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)


def test_what_grafana_is_told_at_its_start_can_be_read() -> None:
    (provider,) = yaml.safe_load((FOLDER / "provisioning/dashboards/whet.yaml").read_text("utf-8"))[
        "providers"
    ]
    assert provider["type"] == "file"
    (source,) = yaml.safe_load(
        (FOLDER / "provisioning/datasources/prometheus.yaml").read_text("utf-8")
    )["datasources"]
    assert (source["type"], source["url"]) == ("prometheus", "${WHET_PROMETHEUS}")
