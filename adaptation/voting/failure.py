"""A sample that the engine did not finish."""

from __future__ import annotations

from dataclasses import dataclass

from adaptation.errors import EngineError


@dataclass(frozen=True)
class Failure:
    """Which sample failed, and of what."""

    index: int
    error: Exception

    def __str__(self) -> str:
        known = isinstance(self.error, EngineError)
        return str(self.error) if known else f"an internal error ({type(self.error).__name__})"
