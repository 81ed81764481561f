"""Generations as a run of distillation leaves them: accepted, rejected, a branch, a rollback."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from adaptation.learning.training.fake import write_zeros
from memory.memory import LongTermMemory
from memory.versions.adapters import NewVersion
from memory.versions.release import Stage
from server.config import DEFAULT_TENANT

BASE = "whet-pebble"
STEPS = (
    # before, after, helped, hurt, guards lost, decision, grew from which of these
    (0.42, 0.55, 21, 5, 0, "promoted", None),
    (0.55, 0.63, 17, 6, 1, "promoted", 0),
    (0.63, 0.61, 8, 11, 4, "rejected", 1),
    (0.63, 0.71, 15, 4, 1, "promoted", 1),
    (0.71, 0.70, 6, 7, 0, "rejected", 3),
    (0.71, 0.77, 12, 3, 1, "promoted", 3),
    (0.77, 0.80, 9, 4, 0, "passed", 5),
)
"""Shares of right answers to held-out questions, and what the gate made of them."""
HELD_OUT = 120
REASONS = {
    "promoted": "It is better: the bet against luck came to more than 20",
    "rejected": "It is no better: the bet against luck came to less than 20",
    "passed": "It is better, and waits for a person to approve of it",
}


def add_generations(memory: LongTermMemory, folder: Path, record_ids: list[str]) -> list[str]:
    """Register them all, the oldest first; return their ids."""
    made: list[str] = []
    for number, step in enumerate(STEPS):
        decision, grew_from = step[5], step[6]
        trained = folder / f"trained-{number}"
        trained.mkdir()
        write_zeros(trained, 2 + number)
        new = NewVersion(
            tenant=DEFAULT_TENANT,
            base_model=BASE,
            parent=None if grew_from is None else made[grew_from],
            rank=2 + number,
            metrics=metrics(number, *step[:6]),
            record_ids=tuple(record_ids[: 24 * (number + 1)]),
            stage=Stage.WAITING if decision == "passed" else None,
        )
        version = memory.adapters.register(trained, new)
        made.append(version.id)
        if decision == "promoted":
            memory.adapters.promote(DEFAULT_TENANT, version.id, "it passed the gate")
        elif decision == "rejected":
            memory.adapters.record_reject(DEFAULT_TENANT, version.id, REASONS[decision])
    return made


def metrics(
    number: int, before: float, after: float, helped: int, hurt: int, lost: int, decision: str
) -> dict[str, Any]:
    """Return what the report of a generation says, as far as the registry keeps it."""
    losses = (1.9 - 0.12 * number, 0.62 - 0.05 * number)
    recipe = {"rank": 2 + number, "learning_rate": 3e-4, "seed": number}
    gained = round(100 * (after - before), 1)
    return {
        "decision": decision,
        "reasons": [REASONS[decision]],
        "train": 24 * (number + 1),
        "holdout": HELD_OUT,
        "tasks": {"stories": 24 * (number + 1)},
        "accuracy": {"base": 0.42, "current": before, "candidate": after},
        "helped": helped,
        "hurt": hurt,
        "asked": HELD_OUT,
        "e_value": 24.6 if decision != "rejected" else 0.8,
        "p_value": 0.041 if decision != "rejected" else 1.0,
        "budget": {"alpha": 0.05, "left": 0.35 - 0.05 * number, "spent": number},
        "guards": {"known": 60, "lost": [f"g{n}" for n in range(lost)], "families": {}},
        "near_guards": {"known": 40, "lost": [], "families": {"sums": [0, 20], "units": [0, 20]}},
        "training": {
            "rank": 2 + number,
            "steps": 40 + 6 * number,
            "loss": losses,
            "tokens": 9_000 * (number + 1),
            "flops": 1e12,
            "seconds": 41.0 + 9 * number,
            "recipe": recipe,
        },
        "returns": {"points": gained, "per_hour": 6 * gained, "per_million_tokens": 10 * gained},
        "selection": {"policy": "hardest"},
        "alarms": [],
        "stage": "waiting" if decision == "passed" else None,
    }
