"""Works on the evaluation runs of all tenants."""

from __future__ import annotations

import asyncio

from memory.memory import LongTermMemory
from memory.offline.evaluation import EvalRun
from server.batches.patience import Post
from server.evals.asking import Door
from server.evals.work import RunWork
from server.requests.models_asked import ModelsAsked
from server.telemetry.telemetry import Telemetry
from server.tenant_work import TenantWork


class EvalWorker(TenantWork[EvalRun]):
    """Looks after runs until it is cancelled."""

    def __init__(
        self,
        memory: LongTermMemory,
        post: Post,
        news: asyncio.Event,
        at_once: int,
        most_bytes: int,
        embedder: str,
        models: ModelsAsked,
        telemetry: Telemetry | None = None,
    ) -> None:
        """`news` is set when a run was made, cancelled or deleted.

        `at_once` bounds a run's items at work, `most_bytes` a line of its source; `embedder` is
        the name under which embeddings are served; `models` are those that may be asked for;
        `telemetry` sees every run.
        """
        super().__init__("evaluation runs", memory.eval_runs, memory.aside.writing, news)
        self._memory, self._post, self._at_once = memory, post, at_once
        self._most_bytes, self._embedder = most_bytes, embedder
        self._models, self._telemetry = models, telemetry or Telemetry()

    def begin(self, found: EvalRun, holder: str) -> RunWork:
        """See `TenantWork.begin`."""
        door = Door(self._post, found.tenant, self._embedder)
        watched = self._telemetry.work("evaluation run", run=found.id, tenant=found.tenant)
        bounds = self._at_once, self._most_bytes
        return RunWork(self._memory, door, self._models, holder, found, *bounds, watched)
