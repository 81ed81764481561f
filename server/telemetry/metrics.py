"""Whet's own Prometheus series, beside vLLM's at `/metrics`. No tenant, name or text in labels,
but where the operator asks for tenants (`TenantUse`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

from adaptation.learning.monitors.alarm import MONITORS
from adaptation.learning.training.trainer import Standing
from adaptation.report import Report, SampleCounts, TokenCounts


class Metrics:
    """Counts answers by what was done for them."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        counter, histogram = (
            partial(Counter, registry=registry),
            partial(Histogram, registry=registry),
        )
        self.requests = counter(
            "whet_requests_total",
            "Answers, by the strategy used and why sampling stopped",
            ["strategy", "stop_reason"],
        )
        self.samples = counter("whet_samples_total", "Samples, by what became of them", ["outcome"])
        self.tokens = counter("whet_tokens_total", "Tokens, by what became of them", ["outcome"])
        self.abandoned = counter(
            "whet_abandoned_total",
            "Requests that ended without an answer: the client left, or an error came",
        )
        self.refused = counter(
            "whet_refused_total",
            "Requests that were refused at once: 503 for want of a place or an engine, 429 beyond "
            "a tenant's limits",
            ["status"],
        )
        self.trainings = counter(
            "whet_trainings_total", "Test-time training jobs, by the gate's verdict", ["accepted"]
        )
        self.scope = counter(
            "whet_champion_scope_total",
            "Answers, by whether the question was near what the distilled adapter learned from",
            ["within"],
        )
        self.saved = counter("whet_records_saved_total", "Answers saved to memory", ["state"])
        self.seconds = histogram("whet_step_seconds", "Seconds in each step of a request", ["step"])
        self._watch_learning(counter)

    def _watch_learning(self, counter: Callable[..., Counter]) -> None:
        """Make the series of what becomes of generations, and of a tenant's answers over time."""
        self.generations = counter(
            "whet_generations_total",
            "Generations that were judged, by the gate's verdict",
            ["promoted"],
        )
        self.alarms = counter(
            "whet_monitor_alarms_total",
            "Alarms that the monitors of the learning loop gave",
            ["monitor"],
        )
        for monitor in MONITORS:
            self.alarms.labels(monitor)  # 0 from the start: the first alarm is a rise
        self.trends = counter(
            "whet_trend_changes_total",
            "Times that answers of a tenant got worse, no better, or steady again",
            ["trend"],
        )

    def observe(self, report: Report) -> None:
        """Count one answer."""
        self.requests.labels(report.strategy, report.stop_reason).inc()
        self._count(report.samples, report.tokens)
        if report.adapter is not None:
            self.trainings.labels(str(report.adapter.accepted).lower()).inc()
        if report.scope is not None:
            self.scope.labels(str(report.scope.within).lower()).inc()
        if report.memory is not None and report.memory.state is not None:
            self.saved.labels(report.memory.state).inc()
        for step, seconds in report.seconds.items():
            self.seconds.labels(step).observe(seconds)

    def observe_generation(self, promoted: bool, alarms: Sequence[str]) -> None:
        """Count a generation of the learning loop, and the alarms that monitors gave."""
        self.generations.labels(str(promoted).lower()).inc()
        for monitor in alarms:
            self.alarms.labels(monitor).inc()

    def observe_refusal(self, status: int) -> None:
        """Count a request that was let in nowhere."""
        self.refused.labels(str(status)).inc()

    def observe_abandoned(self, samples: SampleCounts, tokens: TokenCounts) -> None:
        """Count what was spent on a request that came to nothing."""
        self.abandoned.inc()
        self._count(samples, tokens)

    def _count(self, samples: SampleCounts, tokens: TokenCounts) -> None:
        self.samples.labels("finished").inc(samples.finished)
        self.samples.labels("cancelled").inc(samples.cancelled)
        for outcome, count in tokens.model_dump().items():
            self.tokens.labels(outcome).inc(count)


class TenantUse:
    """Counts what each tenant uses, as its limits do."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self.requests = Counter(
            "whet_tenant_requests_total", "Requests begun, by tenant", ["tenant"], registry=registry
        )
        self.tokens = Counter(
            "whet_tenant_tokens_total",
            "Tokens read and generated, losing and cancelled votes included, by tenant",
            ["tenant"],
            registry=registry,
        )


class Actors:
    """Counts the trainers that a Ray cluster has for this server."""

    def __init__(
        self, standing: Callable[[], Standing | None], registry: CollectorRegistry = REGISTRY
    ) -> None:
        def ready() -> float:
            found = standing()
            return 0 if found is None else found.actors

        help_text = "Ray actors that can train, where `trainer` is `ray`"
        self.actors = Gauge("whet_trainer_actors", help_text, registry=registry)
        self.actors.set_function(ready)
