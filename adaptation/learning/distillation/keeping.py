"""Keeping what a generation came to: the version, the judgement, how its records were chosen.

The version is registered in one step, its whole report with it. What a process did not note of it
any more, as it was killed then, the next generation notes from the report.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from adaptation.learning.candidates.choosing import Picked
from adaptation.learning.candidates.kept import Kept
from adaptation.learning.distillation.budget import History
from adaptation.learning.distillation.registry import Judgements, Registry
from adaptation.learning.distillation.report import GenerationReport
from adaptation.learning.distillation.select import JUDGED_BY, Selected
from adaptation.learning.distillation.telling import judgement_of
from memory.types import AdapterVersion
from memory.versions.adapters import NewVersion

JOB = "job"
"""Key of a version's metrics: the job that made it."""
WHOLE = frozenset({JUDGED_BY, "seconds"})
"""Keys that only versions of generations have which keep their report whole."""

AGAIN = (
    "the candidate is what is served already: the same records, base, seed and recipe come to the "
    "same weights"
)


@dataclass(frozen=True)
class Keeping:
    """Where that is kept."""

    registry: Registry
    judgements: Judgements
    kept: Kept
    base_model: str
    job: str | None = None
    """The job that has a generation run; None: it is no job."""

    def keep(self, judged: GenerationReport, chosen: Selected, folder: str) -> GenerationReport:
        """Register the version and remember the judgement; the champion again is no news."""
        version = self._register(judged, chosen, folder)
        judged = _as_kept(judged, version).model_copy(update={"adapter": version.id})
        if version.id != judged.current:
            self._note(judged, [record.id for record in chosen.holdout], chosen.picked)
        return judged

    def history(self, tenant: str) -> History:
        """Return what the gate has judged, once what killed processes left out is noted."""
        judged = self.judgements.of(tenant, self.base_model)
        known = {each.adapter_id for each in judged}
        left = [each for each in self._whole(tenant) if each.id not in known]
        for version in sorted(left, key=lambda each: each.created_at):
            self._note(report_of_version(version), version.metrics[JUDGED_BY])
        return History(self.judgements.of(tenant, self.base_model) if left else judged)

    def made(self, tenant: str) -> GenerationReport | None:
        """Return what came of the job where it made its version already, and was killed then."""
        whole = self._whole(tenant) if self.job is not None else []
        version = next((each for each in whole if each.metrics.get(JOB) == self.job), None)
        if version is None:
            return None
        report = report_of_version(version)
        self._replace(report)
        return report

    def _whole(self, tenant: str) -> list[AdapterVersion]:
        """Return the versions that have their report whole: a retired one keeps figures alone."""
        found = (each for each in self.registry.list(tenant) if each.retired is None)
        mine = (each for each in found if each.base_model == self.base_model)
        return [each for each in mine if each.metrics.keys() >= WHOLE]

    def _note(
        self, judged: GenerationReport, ids: Sequence[str], picked: Picked | None = None
    ) -> None:
        """Remember how records were chosen, then the judgement: without it both are noted anew."""
        judgement = judgement_of(judged, ids)
        of = judged.tenant, self.base_model, judgement.adapter_id
        if judged.selection is not None and not self._has_selection(*of):
            gain = (judgement.helped - judgement.hurt) / len(judgement.record_ids)
            served = picked.served if picked else judged.current is not None
            choice = judged.selection.logged(*of, served=served, gain=gain)
            self.kept.add(choice, picked.candidates(*of) if picked else ())
        self.judgements.add(judgement)

    def _has_selection(self, tenant: str, base_model: str, adapter_id: str) -> bool:
        noted = self.kept.selections(tenant, base_model)
        return adapter_id in {each.adapter_id for each in noted}

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
                metrics=judged.model_dump(mode="json", exclude={"adapter", "tenant"})
                | {JUDGED_BY: [record.id for record in chosen.holdout]}
                | ({JOB: self.job} if self.job else {}),
                record_ids=tuple(record.id for record in chosen.train),
                stage=judged.stage,
                rejected="; ".join(judged.reasons) if is_rejected else None,
            ),
        )
        self._replace(judged.model_copy(update={"adapter": version.id}))
        return version

    def _replace(self, judged: GenerationReport) -> None:
        if judged.rebuilds is not None and judged.adapter is not None:
            self.registry.replace(judged.tenant, judged.rebuilds, judged.adapter)


def report_of_version(version: AdapterVersion) -> GenerationReport:
    """Return the report of the generation that made a version, which has it whole."""
    told = {n: v for n, v in version.metrics.items() if n in GenerationReport.model_fields}
    return GenerationReport.model_validate(told | {"tenant": version.tenant, "adapter": version.id})


def _as_kept(judged: GenerationReport, version: AdapterVersion) -> GenerationReport:
    """Return the report of what was kept: the same weights may be served or refused already."""
    if version.id == judged.current:
        return judged.model_copy(update={"reasons": (AGAIN, *judged.reasons)})
    ended = version.rejected or (version.retired and version.retired.reason)
    if judged.decision == "rejected" or ended is None:
        return judged
    why = f"the same weights were refused before: {ended}"
    refused = {"decision": "rejected", "stage": None, "reasons": (why,)}
    return judged.model_copy(update=refused)
