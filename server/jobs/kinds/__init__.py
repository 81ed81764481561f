"""How each kind of job is done: one file each, one dict."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from memory.job import JobKind
from server.jobs.work import Work

Run: TypeAlias = Callable[[Work], Awaitable[dict[str, Any]]]
"""Does a job, and returns what came of it; raises what `server.jobs` calls a failure."""

KINDS: Mapping[JobKind, Run] = {}
