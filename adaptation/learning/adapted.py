"""What the training of one request came to."""

from __future__ import annotations

from dataclasses import dataclass, replace

from adaptation.learning.training.gate import GateVerdict
from adaptation.report import AdapterReport
from adaptation.types import Adapter
from memory.types import Neighbour


@dataclass(frozen=True)
class Adapted:
    """What training came to; without an adapter the answer comes from plain voting."""

    adapter: Adapter | None = None
    report: AdapterReport | None = None
    neighbours: tuple[Neighbour, ...] = ()
    """Neighbours that were trained on or held out."""
    reason: str | None = None
    """Why there is no adapter."""
    losses: tuple[float, ...] = ()
    """Training loss before each step and after the last, nats per target token; of a training of
    this very request."""

    def judged(self, verdict: GateVerdict) -> Adapted:
        """Return the same training with what the gate says of its adapter."""
        if not verdict.accepted:
            return self.unused(f"the gate refused the adapter: {verdict.reason}")
        report = self.report and self.report.model_copy(update={"reason": verdict.reason})
        return replace(self, report=report)

    def unused(self, reason: str) -> Adapted:
        """Return the same training without its adapter: what was spent stays on the account."""
        report = self.report and self.report.model_copy(
            update={"accepted": False, "reason": reason}
        )
        return replace(self, adapter=None, report=report, reason=reason)
