"""Where the release of a version begins, by the server's settings."""

from __future__ import annotations

from typing import Literal, TypeAlias

from memory.versions.release import Stage
from server.config import Settings

Autonomy: TypeAlias = Literal["suggest", "approve", "auto"]


def first_stage(settings: Settings) -> Stage:
    """Return where a version begins that may be released."""
    if settings.champion_shadow:
        return Stage.SHADOW
    return after_shadow(settings.champion_share)


def after_shadow(share: float) -> Stage:
    """Return what follows the shadow; `share` of the requests are a candidate's to try."""
    return Stage.SHARE if share else Stage.ALL


def stage_once_passed(settings: Settings, autonomy: Autonomy | None) -> Stage:
    """Return where a version begins that passed the gate; None: as the settings have it."""
    match autonomy or settings.champion_autonomy:
        case "suggest":
            return Stage.SUGGESTED
        case "approve":
            return Stage.WAITING
        case _:
            return first_stage(settings)
