"""Which version a generation is trained on from: none, a given one, or one drawn from the archive.

All generations on one base form a tree below it. A line of the best alone ends where nothing more
is gained. So the archive keeps every version that was judged. A parent is drawn by its score α and
the number n of its children (Darwin Gödel Machine, arXiv 2505.22954), with the weight

    w = sigmoid(λ (α − α₀)) / (1 + n),   λ = 10, α₀ = 0.5.

A score is luck in part. What has judged a parent, or what that grew from, does not judge its child:
on other questions the luck of the draw is gone.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from adaptation.errors import DistillationError
from adaptation.learning.distillation.registry import Registry
from adaptation.learning.distillation.report import Drawn
from adaptation.learning.distillation.select import JUDGED_BY
from memory.types import AdapterVersion

SHARPNESS, MIDDLE = 10.0, 0.5
SEED_BYTES = 4


@dataclass(frozen=True)
class Parentage:
    """What a generation grows from."""

    version: AdapterVersion | None = None
    """None: the base."""
    drawn: Drawn | None = None
    seen: frozenset[str] = frozenset()
    """Records that it, or what it grew from, learned from or was judged by."""


def find_parent(
    registry: Registry, tenant: str, base_model: str, given: str | None, draws: bool
) -> Parentage:
    """Return the `given` parent, or one that is drawn; raises `DistillationError`."""
    known = {v.id: v for v in registry.list(tenant) if v.base_model == base_model}
    if given is not None:
        if given not in known or known[given].retired is not None:
            raise DistillationError(
                f"{given} is no version of {base_model} that is still there: "
                "see `whet adapters lineage`"
            )
        return Parentage(known[given], None, _seen(known[given], known))
    if not draws:
        return Parentage()
    chosen, drawn = draw(tenant, base_model, list(known.values()))
    return Parentage(chosen, drawn, _seen(chosen, known))


def parent_again(registry: Registry, tenant: str, rebuilt: AdapterVersion) -> Parentage:
    """Return what a version grew from, or what was trained in the place of that."""
    known = {v.id: v for v in registry.list(tenant)}
    left = dict(known)  # one that came to the same bytes is said to replace itself
    parent = left.pop(rebuilt.parent or "", None)
    while parent is not None and parent.retired is not None:
        parent = left.pop(parent.retired.replaced_by or "", None)
    return Parentage(parent, None, _seen(parent, known))


def draw(
    tenant: str, base_model: str, versions: Sequence[AdapterVersion]
) -> tuple[AdapterVersion | None, Drawn]:
    """Draw a parent among the versions that were judged, and the base; the same ones, the same."""
    judged = sorted(
        (v for v in versions if v.retired is None and _score(v) is not None), key=lambda v: v.id
    )
    children = Counter(v.parent for v in versions)
    of_base = [v.metrics["accuracy"]["base"] for v in judged]
    pool: list[tuple[AdapterVersion | None, float]] = [
        (None, sum(of_base) / len(of_base) if of_base else MIDDLE),
        *((v, _score(v) or 0.0) for v in judged),
    ]
    weights = [weight(score, children[v.id if v else None]) for v, score in pool]
    digest = blake2b(f"{tenant}\0{base_model}\0{len(versions)}".encode(), digest_size=SEED_BYTES)
    seed = int.from_bytes(digest.digest())
    (place,) = random.Random(seed).choices(range(len(pool)), weights)
    chance = weights[place] / sum(weights)
    return pool[place][0], Drawn(seed=seed, among=len(pool), chance=round(chance, 4))


def weight(score: float, children: int) -> float:
    """Return what a version weighs in the draw; `score` is a share, `children` were trained on."""
    return 1 / (1 + math.exp(-SHARPNESS * (score - MIDDLE))) / (1 + children)


def _score(version: AdapterVersion) -> float | None:
    accuracy = version.metrics.get("accuracy")
    is_aimed = version.metrics.get("target") is not None  # its accuracy is on other questions
    return float(accuracy["candidate"]) if accuracy and not is_aimed else None


def _seen(version: AdapterVersion | None, known: Mapping[str, AdapterVersion]) -> frozenset[str]:
    found: set[str] = set()
    while version is not None:
        found |= {*version.record_ids, *version.metrics.get(JUDGED_BY, ())}
        version = known.get(version.parent or "")
    return frozenset(found)
