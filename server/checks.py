"""What the doctor looks at, and what a look found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from server.config import Settings


@dataclass(frozen=True)
class Check:
    """One thing looked at."""

    name: str
    status: Literal["ok", "warn", "fail"]
    found: str
    remedy: str = ""
    """What to do, where the status is not ok."""


@dataclass(frozen=True)
class Subject:
    """What is examined."""

    settings: Settings
    port: int = 8000
    deep: bool = False
