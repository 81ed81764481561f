"""The reports of answers, to be fetched by the completion's id: what streams lose on their way.

A report is kept as long as its completion, in the database. One whose request keeps nothing stays
in this process alone, until others take its place.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import count
from typing import Any

from cachetools import FIFOCache

from memory.errors import NotFoundError
from memory.history.completions import CompletionLog

RECENT = 5_000
"""Reports of requests that write no memory."""

Content = Mapping[str, Any]


class Reports:
    """What was reported of the answers of all tenants."""

    def __init__(self, completions: CompletionLog) -> None:
        self._completions = completions
        self._recent: FIFOCache[tuple[str, str], Content] = FIFOCache(RECENT)

    def put(self, tenant: str, completion_id: str, report: Content) -> None:
        """Note the report of an answer of which nothing else is kept."""
        self._recent[tenant, completion_id] = report

    def find(self, tenant: str, completion_id: str) -> list[Content]:
        """Return one report for each prompt; raises `NotFoundError` where there is none."""
        with suppress(NotFoundError):
            return [self._find(tenant, completion_id)]
        found = list(self._prompts(tenant, completion_id))
        if not found:
            raise NotFoundError(
                f"there is no report of {completion_id}: it has the id of an answer of yours, "
                "and lasts as long as completions are kept (completion_retention_days)"
            )
        return found

    def _prompts(self, tenant: str, completion_id: str) -> Iterator[Content]:
        """Several prompts have one id with the client, and a number each with the engine."""
        with suppress(NotFoundError):
            for number in count():
                yield self._find(tenant, f"{completion_id}-{number}")

    def _find(self, tenant: str, completion_id: str) -> Content:
        recent = self._recent.get((tenant, completion_id))
        kept = recent or self._completions.get(tenant, completion_id).report
        if kept is None:
            raise NotFoundError(completion_id)
        return kept
