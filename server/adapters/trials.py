"""Candidates on trial, and new champions that are looked after: who answers, until that decides.

In the shadow a candidate answers beside what is shown; then a sticky share of the requests is its
own; then all are, but for those that are held back to compare. Owns who is at which stage, which
arm a request belongs to, and what follows from how the answers fared. Knows nothing of how an
adapter is loaded.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal

from adaptation.learning.distillation.release import Decision, Verdict, decide, decide_shadow
from adaptation.report import ReleaseReport
from memory.errors import ConflictError, WhetMemoryError
from memory.memory import LongTermMemory
from memory.types import AdapterVersion
from memory.versions.release import Stage
from server.adapters.releasing import after_shadow
from server.requests.request_context import Asked

logger = logging.getLogger(__name__)

DIGEST_BYTES = 8
LOOK_S = 30.0
"""Between two looks at who is on trial, and how the answers fared."""


@dataclass(frozen=True)
class Shares:
    """Shares of the requests that a version could answer."""

    shadow: float = 0.0
    """A candidate answers them as well, unseen."""
    share: float = 0.0
    """A candidate answers them."""
    holdback: float = 0.0
    """What was served before a champion answers them."""

    def of(self, stage: Stage) -> float:
        """Return that of a stage; 0 where nothing is tried at it."""
        shares = {Stage.SHADOW: self.shadow, Stage.SHARE: self.share, Stage.ALL: self.holdback}
        return shares.get(stage, 0.0)


@dataclass(frozen=True)
class OnTrial:
    """A version at one of the stages that end by what is seen."""

    version: AdapterVersion
    stage: Stage
    since: float
    """Unix seconds."""
    previous: str | None = None
    """What was served before a champion."""


class Trials:
    """The versions of all tenants that are tried."""

    def __init__(self, memory: LongTermMemory, model: str, shares: Shares) -> None:
        """`model` is the base that is served."""
        self._memory, self._model, self._shares = memory, model, shares
        self._on: Mapping[str, OnTrial] = {}
        self._unread: str | None = None

    def of(self, asked: Asked) -> ReleaseReport | None:
        """Return which arm of a trial a prompt belongs to, None where there is no trial.

        One end user stays in one arm; without a name, one conversation does. A shadow falls on
        single requests: nobody sees it.
        """
        trial = self._on.get(asked.context.tenant)
        if trial is None or asked.context.model is not None:
            return None
        share, candidate = self._shares.of(trial.stage), trial.version.id
        if trial.stage is Stage.SHADOW:
            is_shadowed = lot(candidate, asked.request_id) < share
            return _report(candidate, "control", "shadow") if is_shadowed else None
        turns = asked.context.conversations[asked.index]
        who = asked.context.end_user or next((t.content for t in turns if t.role == "user"), "")
        drawn = lot(candidate, who)
        if trial.stage is Stage.ALL:  # who had it as a candidate is the last to lose it
            return _report(candidate, "candidate" if drawn < 1 - share else "control", "all")
        return _report(candidate, "candidate" if drawn < share else "control", "share")

    def previous(self, tenant: str) -> str | None:
        """Return the version that was served before the champion that is looked after."""
        trial = self._on.get(tenant)
        return trial.previous if trial else None

    async def follow(self, look_s: float = LOOK_S) -> None:
        """Keep up with the registry and decide, until cancelled."""
        while True:
            await self.refresh()
            await asyncio.sleep(look_s)

    async def refresh(self) -> None:
        """Look who is on trial, and end the trials that have decided."""
        if self._shares == Shares():
            return
        try:
            self._on = await asyncio.to_thread(self._on_trial)
            self._unread = None
        except WhetMemoryError as error:
            if self._unread != str(error):
                logger.warning("candidates on trial cannot be read: %s", error)
            self._unread = str(error)
        except Exception as error:  # nobody awaits what follows the registry: it must not die
            if self._unread != str(error):
                logger.exception("candidates on trial could not be read; it is tried again")
            self._unread = str(error)

    def _on_trial(self) -> dict[str, OnTrial]:
        """Return what is still on trial after this look; a candidate goes before a champion."""
        found = (self._champions() if self._shares.holdback else {}) | self._candidates()
        tried = {tenant: each for tenant, each in found.items() if self._shares.of(each.stage)}
        return {tenant: each for tenant, each in tried.items() if not self._decided(tenant, each)}

    def _candidates(self) -> dict[str, OnTrial]:
        steps, found = self._memory.releases.now("candidate"), dict[str, OnTrial]()
        for tenant, version in self._memory.adapters.candidates().items():
            step = steps.get(tenant)
            if version.base_model != self._model:
                continue
            if step is None or step.adapter_id != version.id:  # of a Whet that knew no stages
                found[tenant] = OnTrial(version, Stage.SHARE, version.created_at.timestamp())
            elif self._shares.of(step.stage):
                found[tenant] = OnTrial(version, step.stage, step.at)
        return found

    def _champions(self) -> dict[str, OnTrial]:
        found = {}
        for tenant, step in self._memory.releases.now("champion").items():
            if step.stage is not Stage.ALL:
                continue
            version = self._memory.adapters.show(tenant, step.adapter_id)
            if version.base_model == self._model:
                before = self._memory.adapters.alias(tenant, "previous")
                same = before is not None and before.base_model == self._model
                previous = before.id if before is not None and same else None
                found[tenant] = OnTrial(version, Stage.ALL, step.at, previous)
        return found

    def _decided(self, tenant: str, trial: OnTrial) -> bool:
        candidate = trial.version.id
        if trial.stage is Stage.SHADOW:
            seen = self._memory.shadows.of(tenant, candidate)
            decision = decide_shadow(seen.pairs, seen.total)
        else:
            decision = decide(self._memory.live.of(tenant, candidate, trial.since))
        if decision.verdict is Verdict.WAIT:
            return False
        self._end(tenant, trial, decision)
        logger.info("%s %s: %s", decision.verdict, candidate, decision.reason)
        return True

    def _end(self, tenant: str, trial: OnTrial, decision: Decision) -> None:
        registry, version = self._memory.adapters, trial.version.id
        reason = decision.reason
        if decision.verdict is Verdict.PROMOTE:
            try:
                registry.advance(tenant, version, trial.stage, self._next(trial.stage), reason)
                return
            except ConflictError as error:  # its files are damaged: no reason to end all trials
                reason = str(error)
        registry.take_back(tenant, version, trial.stage, reason)

    def _next(self, stage: Stage) -> Stage:
        if stage is Stage.SHADOW:
            return after_shadow(self._shares.share)
        return Stage.ALL if stage is Stage.SHARE else Stage.KEPT


def _report(
    candidate: str,
    arm: Literal["candidate", "control"],
    stage: Literal["shadow", "share", "all"],
) -> ReleaseReport:
    return ReleaseReport(candidate=candidate, arm=arm, stage=stage)


def lot(candidate: str, who: str) -> float:
    """Return a number in [0, 1) that stays the same for one asker and one candidate."""
    digest = blake2b(f"{candidate}\0{who}".encode("utf-8", "replace"), digest_size=DIGEST_BYTES)
    return float(int.from_bytes(digest.digest()) / (1 << 8 * DIGEST_BYTES))
