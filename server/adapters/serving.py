"""What answers one question: the type that the scope's decision is handed on in."""

from __future__ import annotations

from typing import NamedTuple

from adaptation.report import ReleaseReport, ScopeReport
from adaptation.types import Adapter


class Serving(NamedTuple):
    """A distilled adapter or the model as it came, and why."""

    base: Adapter | None = None
    scope: ScopeReport | None = None
    """None where the question decided nothing."""
    release: ReleaseReport | None = None
    """None where it belongs to no trial."""
