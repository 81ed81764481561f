"""Keeping what a generation came to: the version, the judgement, how its records were chosen."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from adaptation.learning.candidates.kept import Kept
from adaptation.learning.distillation.judging import Judging
from adaptation.learning.distillation.registry import Judgements, Registry
from adaptation.learning.distillation.report import GenerationReport
from adaptation.learning.distillation.select import JUDGED_BY, Selected
from adaptation.learning.distillation.telling import judgement_of
from memory.versions.adapters import PASSED, NewVersion


@dataclass(frozen=True)
class Keeping:
    """Where that is kept."""

    registry: Registry
    judgements: Judgements
    kept: Kept
    base_model: str

    def keep(
        self, judged: GenerationReport, chosen: Selected, judging: Judging, folder: str
    ) -> GenerationReport:
        """Register the version and remember the judgement; the champion again is no news."""
        adapter_id = self._register(judged, chosen, folder)
        if adapter_id != judged.current:
            judgement = judgement_of(judged, judging, adapter_id)
            self.judgements.add(judgement)
            if chosen.picked is not None:
                of = judged.tenant, self.base_model, adapter_id
                gain = (judgement.helped - judgement.hurt) / len(judging.records)
                self.kept.add(chosen.picked.selection(*of, gain), chosen.picked.candidates(*of))
        return judged.model_copy(update={"adapter": adapter_id})

    def _register(self, judged: GenerationReport, chosen: Selected, folder: str) -> str:
        assert judged.training is not None
        version = self.registry.register(
            Path(folder),
            NewVersion(
                tenant=judged.tenant,
                base_model=self.base_model,
                parent=judged.parent,
                rank=judged.training.rank,
                metrics=judged.model_dump(mode="json", exclude={"adapter", "seconds", "tenant"})
                | {JUDGED_BY: [record.id for record in chosen.holdout]},
                record_ids=tuple(record.id for record in chosen.train),
                stage=judged.stage if judged.decision == "passed" else None,
            ),
        )
        if judged.decision == "promoted":
            self.registry.promote(judged.tenant, version.id, PASSED)
        elif judged.decision == "rejected" and version.id != judged.current:
            self.registry.record_reject(judged.tenant, version.id, "; ".join(judged.reasons))
        if judged.rebuilds is not None:
            self.registry.replace(judged.tenant, judged.rebuilds, version.id)
        return version.id
