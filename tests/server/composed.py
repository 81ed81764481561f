"""The whole server in this process, on a scripted engine: everything but the model is real."""

from __future__ import annotations

import asyncio
import json
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from adaptation.learning.leases import CHAMPION_IDS, AdapterLeases
from adaptation.learning.training.fake import FakeTrainer
from adaptation.workers.algebra import Algebra
from memory.embedding.embedder import create_embedder
from memory.memory import LongTermMemory
from server.config import Settings
from server.settings.database_url import secret_of
from server.startup import engine_defaults

with warnings.catch_warnings():  # of importing vLLM: others' deprecations
    warnings.simplefilter("ignore")
    from server.adapters.shadowing import Shadowing
    from server.adapters.trials import Trials
    from server.adaptive_client import AdaptiveClient
    from server.app import build
    from server.batches.worker import BatchWorker
    from server.engine import launch
    from server.engine.fake_client import FakeCore, FakeCores, Reply, Script, open_fake_engine
    from server.engine.keeper import EngineKeeper
    from server.evals.worker import EvalWorker
    from server.jobs.runner import JobRunner
    from server.parts import Parts
    from server.telemetry.telemetry import Telemetry
    from server.usage.delivery import UsageEvents

__all__ = ["Reply", "Script"]

MODEL = "whet-pebble"
STORY = "Tom has 12 apples. He buys 7 more and gives 5 away. How many apples does Tom have?"
ASK: dict[str, Any] = {"model": MODEL, "messages": [{"role": "user", "content": STORY}]}


Opened = Callable[[Any, Script], AbstractAsyncContextManager[Any]]


@dataclass(frozen=True)
class Composed:
    """A server that answers."""

    app: FastAPI
    client: AdaptiveClient
    core: FakeCore
    parts: Parts
    trainer: FakeTrainer
    http: httpx.AsyncClient
    batches: BatchWorker
    evals: EvalWorker
    jobs: JobRunner
    cores: FakeCores
    gave_up: asyncio.Event
    """Set where the server would end for want of an engine."""
    trials: Trials
    shadowing: Shadowing
    _working: list[asyncio.Task[None]] = field(default_factory=list)

    def start_batches(self) -> None:
        self._working.append(asyncio.create_task(self.batches.follow()))
        self._working.append(asyncio.create_task(self.evals.follow()))

    def share_limits(self) -> None:
        """Tell the other servers of a database every second that this one is there."""
        if self.parts.quotas.settling is not None:
            self._working.append(asyncio.create_task(self.parts.quotas.settling.follow()))

    def start_jobs(self) -> None:
        self._working.append(asyncio.create_task(self.jobs.follow()))

    def watch(self, reload: Callable[[], Awaitable[None]]) -> None:
        """Start the engine again when it dies."""
        watching = self.parts.keeper.follow(
            reload, self.gave_up.set, lambda: self.client.is_stopping
        )
        self._working.append(asyncio.create_task(watching))

    async def stop_batches(self) -> None:
        for task in self._working:
            task.cancel()
        await asyncio.gather(*self._working, return_exceptions=True)

    @property
    def memory(self) -> LongTermMemory:
        return self.parts.memory

    async def post(self, path: str, **body: Any) -> dict[str, Any]:
        """Return what a request that goes well is answered with."""
        response = await self.http.post(path, json=body)
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        return answer

    async def chat(self, **body: Any) -> dict[str, Any]:
        return await self.post("/v1/chat/completions", **{**ASK, **body})

    async def events(self, path: str, **body: Any) -> list[dict[str, Any]]:
        """Return the events of a streamed answer."""
        response = await self.http.post(path, json={**body, "stream": True})
        assert response.status_code == 200, response.text
        return events_of(response.text)


def events_of(text: str) -> list[dict[str, Any]]:
    """The data of server-sent events, without the mark of their end."""
    data = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: ")]
    return [json.loads(line) for line in data if line != "[DONE]"]


@asynccontextmanager
async def composed(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    script: Script,
    flags: Sequence[str] = (),
    telemetry: Telemetry | None = None,
    registry: CollectorRegistry | None = None,
    usage: UsageEvents | None = None,
    engine: Opened = open_fake_engine,
    **given: Any,
) -> AsyncIterator[Composed]:
    """Serve with `script` for the length of the block; `flags` are vLLM's, `given` Whet's own.

    `engine` opens another client; it has the core that the script plays on, and what restarts it.

    Whet's series go into `registry`, which is nobody else's by default.
    """
    settings = Settings(**{"data_dir": folder / "data", "embedder": "hashing", **given})
    args = arguments(monkeypatch, settings, flags)
    url = secret_of(settings.database_url)
    embedder = create_embedder("hashing")
    memory = LongTermMemory.open(
        settings.data_dir, embedder, database_url=url, trace_rows=settings.trace_rows
    )
    leases, algebra, trainer = AdapterLeases(4, root=folder), Algebra(), FakeTrainer()
    places = AdapterLeases(
        settings.max_champions, root=folder, name="whet-champion", first_id=CHAMPION_IDS
    )
    try:
        async with engine(args, lambda request: Reply("warm")) as inner:
            template = launch.chat_template(args)
            cores, gave_up = getattr(inner, "cores", None) or FakeCores(), asyncio.Event()
            parts = Parts(
                inner,
                MODEL,
                memory,
                trainer,
                leases,
                places,
                algebra,
                template,
                shared=settings.shared_samples,
                keeper=EngineKeeper(
                    inner, cores, settings.engine_restarts, settings.engine_stall_s
                ),
                telemetry=telemetry,
                usage=usage,
            )
            built = await build(parts, args, settings, registry or CollectorRegistry())
            app, client, warming = built.app, built.answering.client, built.warming
            inner.core.script, inner.core.generated_tokens = script, 0
            inner.core.taken.clear()
            inner.core.begun = asyncio.Semaphore(0)
            transport = httpx.ASGITransport(app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
                made = Composed(
                    app,
                    client,
                    inner.core,
                    parts,
                    trainer,
                    http,
                    built.offline.batches,
                    built.offline.evals,
                    built.offline.jobs,
                    cores,
                    gave_up,
                    built.answering.trials,
                    built.shadowing,
                )
                made.start_batches()
                made.share_limits()
                made.watch(built.reload)
                try:
                    yield made
                finally:
                    await made.stop_batches()
                    await parts.quotas.close()
            await warming.close()
    finally:
        algebra.close()
        leases.close()
        places.close()
        memory.close()


def arguments(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, flags: Sequence[str] = ()
) -> Any:
    """Return the engine's flags as `whet serve` completes them; the environment is put back."""
    one_thread = {"OMP_NUM_THREADS": "1", "VLLM_ENABLE_V1_MULTIPROCESSING": "0"}
    for name, value in {**engine_defaults.ENVIRONMENT, **one_thread}.items():
        monkeypatch.setenv(name, value)
    parser = launch.make_parser()
    parser.set_defaults(model=None, **engine_defaults.flags_for(launch.on_cpu()))
    args = parser.parse_args([*flags])
    engine_defaults.complete(args, settings, on_cpu=True)
    return args
