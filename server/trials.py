"""Candidates on trial: each answers a sticky share of what it could answer, until that decides.

Owns who is on trial, which arm a request belongs to, and what follows from how the answers fared.
Knows nothing of how an adapter is loaded.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from hashlib import blake2b

from adaptation.learning.distillation.release import Decision, Verdict, decide
from adaptation.report import ReleaseReport
from memory.errors import ConflictError, WhetMemoryError
from memory.memory import LongTermMemory
from memory.types import AdapterVersion
from server.request_context import Asked

logger = logging.getLogger(__name__)

DIGEST_BYTES = 8
LOOK_S = 30.0
"""Between two looks at who is on trial, and how the answers fared."""


class Trials:
    """The candidates of all tenants."""

    def __init__(self, memory: LongTermMemory, model: str, share: float) -> None:
        """`share` of the requests that a candidate could answer are given to it; 0 tries none."""
        self._memory, self._model, self._share = memory, model, share
        self._candidates: Mapping[str, AdapterVersion] = {}
        self._unread: str | None = None

    def of(self, asked: Asked) -> ReleaseReport | None:
        """Return which arm of a trial a prompt belongs to, None where there is no trial.

        One end user stays in one arm; without a name, one conversation does.
        """
        candidate = self._candidates.get(asked.context.tenant)
        if candidate is None or asked.context.model is not None:
            return None
        turns = asked.context.conversations[asked.index]
        who = asked.context.end_user or next((t.content for t in turns if t.role == "user"), "")
        is_tried = lot(candidate.id, who) < self._share
        return ReleaseReport(candidate=candidate.id, arm="candidate" if is_tried else "control")

    async def follow(self, look_s: float = LOOK_S) -> None:
        """Keep up with the registry and decide, until cancelled."""
        while True:
            await self.refresh()
            await asyncio.sleep(look_s)

    async def refresh(self) -> None:
        """Look who is on trial, and end the trials that have decided."""
        if not self._share:
            return
        try:
            self._candidates = await asyncio.to_thread(self._on_trial)
            self._unread = None
        except WhetMemoryError as error:
            if self._unread != str(error):
                logger.error("candidates cannot be looked after: %s", error)
            self._unread = str(error)
        except Exception as error:  # nobody awaits what follows the registry: it must not die
            if self._unread != str(error):
                logger.exception("candidates could not be looked after; it is tried again")
            self._unread = str(error)

    def _on_trial(self) -> dict[str, AdapterVersion]:
        """Return the candidates that are still on trial after this look."""
        found = self._memory.adapters.candidates()
        served = {tenant: each for tenant, each in found.items() if each.base_model == self._model}
        return {tenant: each for tenant, each in served.items() if not self._decided(tenant, each)}

    def _decided(self, tenant: str, candidate: AdapterVersion) -> bool:
        since = candidate.created_at.timestamp()
        decision = decide(self._memory.live.of(tenant, candidate.id, since))
        if decision.verdict is Verdict.WAIT:
            return False
        self._end(tenant, candidate, decision)
        logger.info("%s %s: %s", decision.verdict, candidate.id, decision.reason)
        return True

    def _end(self, tenant: str, candidate: AdapterVersion, decision: Decision) -> None:
        reason = decision.reason
        if decision.verdict is Verdict.PROMOTE:
            try:
                self._memory.adapters.promote(tenant, candidate.id)
                return
            except ConflictError as error:  # its files are damaged: no reason to end all trials
                reason = str(error)
        self._memory.adapters.record_reject(tenant, candidate.id, reason)


def lot(candidate: str, who: str) -> float:
    """Return a number in [0, 1) that stays the same for one asker and one candidate."""
    digest = blake2b(f"{candidate}\0{who}".encode("utf-8", "replace"), digest_size=DIGEST_BYTES)
    return float(int.from_bytes(digest.digest()) / (1 << 8 * DIGEST_BYTES))
