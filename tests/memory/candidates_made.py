"""Candidates and selections for the tests."""

from __future__ import annotations

from memory.types import Record
from memory.versions.candidates import Candidate, Scores, Selection, content_of


def choice(tenant: str = "ann", **changes: object) -> Selection:
    fields: dict[str, object] = {
        "tenant": tenant,
        "base_model": "base",
        "adapter_id": "ad_1",
        "policy": "all",
        "propensity": 0.75,
        "propensities": {"all": 0.75, "coverage": 0.25},
        "served": False,
        "gain": 0.125,
    }
    return Selection.model_validate(fields | changes)


def candidate(record: Record, **changes: object) -> Candidate:
    fields: dict[str, object] = {
        "tenant": record.tenant,
        "base_model": "base",
        "adapter_id": "ad_1",
        "record_id": record.id,
        "content": content_of(record),
        "chosen": True,
        "scores": Scores(
            tier=record.tier, difficulty=0.5, perplexity=2.0, novelty=0.25, influence=-0.5, tokens=7
        ),
    }
    return Candidate.model_validate(fields | changes)
