"""What a generation tells of itself: its report, and what the run remembers of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from adaptation.learning.distillation.archive import Parentage
from adaptation.learning.distillation.gate import Decision
from adaptation.learning.distillation.guarding import Asked
from adaptation.learning.distillation.material import Gathered
from adaptation.learning.distillation.report import Aim, GenerationReport, Guards, Training
from adaptation.learning.distillation.select import Selected
from adaptation.learning.distillation.target import Target
from adaptation.learning.monitors.autophagy import real_share
from adaptation.learning.training.gate import MAX_REFUSAL_SHIFT_NATS
from adaptation.learning.training.trainer import Recipe, TrainingResult
from memory.types import AdapterVersion
from memory.versions.judgements import Judgement
from memory.versions.release import Stage

PASSED = ("promoted", "passed")
"""Decisions of the gate for a candidate: the error budget goes by them, whatever follows."""


def report_of(
    tenant: str,
    base_model: str,
    gathered: Gathered,
    champion: AdapterVersion | None,
    rebuilt: AdapterVersion | None,
    parentage: Parentage,
    target: Target | None = None,
) -> GenerationReport:
    """Return what is known before anything is trained."""
    chosen = gathered.chosen
    return GenerationReport(
        tenant=tenant,
        base_model=base_model,
        teacher=gathered.teacher,
        decision="dry_run",
        reasons=("a dry run trains nothing",),
        train=len(chosen.train),
        holdout=len(chosen.holdout),
        hardest_first=chosen.hardest_first,
        unverified=chosen.unverified,
        unlearnable=len(chosen.unlearnable),
        obstacle=next(iter(chosen.unlearnable), None),
        doubts=gathered.doubts,
        bare=chosen.bare,
        written=chosen.written,
        unsolved=chosen.unsolved,
        selection=chosen.picked.choice if chosen.picked else None,
        sources=dict(Counter(record.source.value for record in chosen.train)),
        real_share=real_share(chosen.train),
        practice_left_out=chosen.practice_left_out,
        target=_aim(target, chosen) if target else None,
        tasks=dict(Counter(record.task or "" for record in chosen.train)),
        current=champion.id if champion else None,
        parent=parentage.version.id if parentage.version else None,
        drawn=parentage.drawn,
        rebuilds=rebuilt.id if rebuilt else None,
        gone=len(rebuilt.record_ids) - len(chosen.train) if rebuilt else 0,
        seconds=0.0,
    )


def _aim(target: Target, chosen: Selected) -> Aim:
    return Aim(name=target.name, level=target.level, questions=len(chosen.holdout))


def refused(result: TrainingResult) -> tuple[str, ...]:
    """Say what training did to refusals, where that is too much."""
    shift = result.refusal_shift
    if shift is None or shift <= MAX_REFUSAL_SHIFT_NATS:
        return ()
    return (
        f"refusals lost {shift:.2f} nats a token against complying, more than "
        f"{MAX_REFUSAL_SHIFT_NATS:g}",
    )


def guards_told(asked: Asked | None) -> Guards | None:
    """Return how guards fared, for the report."""
    if asked is None:
        return None
    outcome = asked.outcome
    return Guards(
        known=outcome.before,
        lost=outcome.lost,
        families=dict(outcome.families),
        gained=dict(outcome.gained),
        unknown=asked.unknown,
        length=asked.length,
    )


def judgement_of(judged: GenerationReport, ids: Sequence[str]) -> Judgement:
    """Return what the run remembers of a generation; `ids` are those of the held-out records."""
    assert judged.budget is not None
    assert judged.e_value is not None
    assert judged.accuracy is not None
    return Judgement(
        tenant=judged.tenant,
        base_model=judged.base_model,
        adapter_id=judged.adapter or "",
        promoted=judged.decision in PASSED,
        alpha=judged.budget.alpha,
        e_value=judged.e_value,
        helped=judged.helped or 0,
        hurt=judged.hurt or 0,
        before=judged.accuracy.current,
        after=judged.accuracy.candidate,
        train=judged.train,
        seconds=judged.seconds,
        record_ids=tuple(ids[: judged.asked]),
        alarms=tuple(alarm.monitor for alarm in judged.alarms),
    )


def evidence_of(
    decision: Decision, result: TrainingResult, recipe: Recipe, first: Stage
) -> dict[str, object]:
    """Return what a report tells of the decision and the training behind it."""
    passed = "promoted" if first is Stage.ALL else "passed"
    return {
        "decision": passed if decision.promote else "rejected",
        "stage": first if decision.promote else None,
        "reasons": decision.reasons,
        "helped": decision.helped,
        "hurt": decision.hurt,
        "p_value": decision.p_value,
        "e_value": decision.e_value,
        "asked": decision.asked,
        "refusal_shift": result.refusal_shift,
        "training": Training(
            rank=result.rank,
            steps=result.steps,
            loss=(result.losses[0], result.losses[-1]),
            tokens=result.tokens,
            flops=result.flops,
            seconds=result.seconds,
            recipe=recipe,
        ),
    }
