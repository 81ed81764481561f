"""An evaluation as it is remembered: what is graded by what, its runs and their outputs.

A run goes `queued` → `in_progress` → `completed`. It may be `failed` for its items, or `canceled`.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, Literal

from pydantic import Field

from memory.types import Frozen


class RunStatus(StrEnum):
    """How far a run is; OpenAI's words."""

    QUEUED = "queued"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    CANCELED = "canceled"
    FAILED = "failed"


OPEN = (RunStatus.QUEUED, RunStatus.IN_PROGRESS)
"""There is still something to be done."""


class EvaluationDetails(Frozen):
    """What its client gave."""

    source: dict[str, Any]
    """The configuration of its data source."""
    criteria: list[dict[str, Any]]
    """Graders, in their wire form."""
    metadata: dict[str, str] | None = None


class NewEvaluation(Frozen):
    """What makes an evaluation."""

    tenant: str
    name: str
    details: EvaluationDetails


class Evaluation(NewEvaluation):
    """An evaluation as it is remembered; times are Unix seconds."""

    id: str
    created_at: float
    updated_at: float


class RunDetails(Frozen):
    """What its client gave."""

    source: dict[str, Any]
    """Items, and how a model is asked them."""
    answers: list[str] | None = None
    """Ids of the stored answers."""
    criteria: list[dict[str, Any]]
    """The evaluation's criteria when the run was made."""
    metadata: dict[str, str] | None = None


class ModelUsage(Frozen):
    """What was asked of one model."""

    invocation_count: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0

    def plus(self, other: ModelUsage) -> ModelUsage:
        """Return both together."""
        mine = self.model_dump()
        return ModelUsage(**{name: mine[name] + more for name, more in other.model_dump().items()})


class Outcomes(Frozen):
    """How often a criterion was met."""

    passed: int = 0
    failed: int = 0


class NewOutput(Frozen):
    """What came of one item."""

    line: int
    """From 1."""
    status: Literal["pass", "fail", "error"]
    content: dict[str, Any]
    """What its client reads."""
    met: dict[str, bool] = Field(default_factory=dict)
    """By criterion."""
    usage: dict[str, ModelUsage] = Field(default_factory=dict)
    """By model."""


class RunSummary(Frozen):
    """What the outputs of a run come to."""

    passed: int = 0
    failed: int = 0
    errored: int = 0
    criteria: dict[str, Outcomes] = Field(default_factory=dict)
    usage: dict[str, ModelUsage] = Field(default_factory=dict)

    def plus(self, outputs: Sequence[NewOutput]) -> RunSummary:
        """Return the summary with more outputs."""
        counts = {"pass": self.passed, "fail": self.failed, "error": self.errored}
        criteria, usage = dict(self.criteria), dict(self.usage)
        for output in outputs:
            counts[output.status] += 1
            for name, is_met in output.met.items():
                known = criteria.get(name, Outcomes())
                criteria[name] = Outcomes(
                    passed=known.passed + is_met, failed=known.failed + (not is_met)
                )
            for model, more in output.usage.items():
                usage[model] = usage.get(model, ModelUsage()).plus(more)
        return RunSummary(
            passed=counts["pass"],
            failed=counts["fail"],
            errored=counts["error"],
            criteria=criteria,
            usage=usage,
        )


class NewRun(Frozen):
    """What makes a run."""

    tenant: str
    eval_id: str
    name: str
    model: str
    details: RunDetails
    total: int = 0
    """Items, as far as they are known."""


class EvalRun(NewRun):
    """A run as it is remembered; times are Unix seconds."""

    id: str
    status: RunStatus
    error: dict[str, str] | None = None
    """Why it failed: code and message."""
    summary: RunSummary
    created_at: float


class EvalOutput(Frozen):
    """What came of one item, as it is remembered."""

    id: str
    run_id: str
    line: int
    status: str
    content: dict[str, Any]
    created_at: float
