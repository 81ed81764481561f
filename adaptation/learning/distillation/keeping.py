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
from memory.types import AdapterVersion
from memory.versions.adapters import NewVersion


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
        version = self._register(judged, chosen, folder)
        judged = _as_kept(judged, version)
        if version.id != judged.current:
            judgement = judgement_of(judged, judging, version.id)
            self.judgements.add(judgement)
            if chosen.picked is not None:
                of = judged.tenant, self.base_model, version.id
                gain = (judgement.helped - judgement.hurt) / len(judging.records)
                self.kept.add(chosen.picked.selection(*of, gain), chosen.picked.candidates(*of))
        return judged.model_copy(update={"adapter": version.id})

    def _register(self, judged: GenerationReport, chosen: Selected, folder: str) -> AdapterVersion:
        assert judged.training is not None
        is_rejected = judged.decision == "rejected"
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
                stage=judged.stage,
                rejected="; ".join(judged.reasons) if is_rejected else None,
            ),
        )
        if judged.rebuilds is not None:
            self.registry.replace(judged.tenant, judged.rebuilds, version.id)
        return version


def _as_kept(judged: GenerationReport, version: AdapterVersion) -> GenerationReport:
    """Return the report of what was kept: the same weights may have been refused before."""
    ended = version.rejected or (version.retired and version.retired.reason)
    if judged.decision == "rejected" or ended is None:
        return judged
    why = f"the same weights were refused before: {ended}"
    refused = {"decision": "rejected", "stage": None, "reasons": (why,)}
    return judged.model_copy(update=refused)
