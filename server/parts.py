"""What lives as long as the server: engine, trainer, memory, and what they share.

Opened in one order, closed in the other. Knows nothing of HTTP.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import math
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, closing
from pathlib import Path
from typing import Any

from adaptation.background import Background
from adaptation.fair_queue import FairQueue
from adaptation.fairness import FairShares
from adaptation.learning.leases import CHAMPION_IDS, AdapterLeases
from adaptation.learning.training.chat import Template
from adaptation.learning.training.trainer import Trainer
from adaptation.rewards.process import ProcessRewardModel
from adaptation.rooms import FixedPlaces, Room, SharedPlaces
from adaptation.workers.algebra import Algebra
from memory.memory import LongTermMemory
from memory.tenants import Limits
from server.adapters.champions import Champions
from server.config import DEFAULT_TENANT, Settings
from server.engine import launch
from server.engine.cores import Cores
from server.engine.folder import adapter_folder
from server.engine.keeper import EngineKeeper
from server.engine.lora_series import take_away_lora_series
from server.engine.metered import MeteredClient, weight_of_flow
from server.engine.vllm_engine import VllmEngine
from server.erasure.eraser import Eraser
from server.memory_opening import memory_of
from server.models.named import base_model
from server.resident import resident_bytes, said
from server.rewards import open_rewards
from server.routes.ready import Probe
from server.telemetry.exporting import telemetry_of
from server.telemetry.telemetry import Telemetry
from server.tenancy.keyring import Keyring
from server.tenancy.principal import caller
from server.tenancy.quotas import Quotas
from server.tenancy.records_left import limits_of
from server.tenancy.secret import Secret
from server.trainers import trainer_of
from server.usage.delivery import UsageEvents, usage_events

logger = logging.getLogger(__name__)

CPU_SHARED, CPU_SPARE = 16, 0.5
"""Samples of several tenants at a time on a CPU, where each slows all others, and the share of them
that is given beyond a tenant's own. Of four tenants one wanted everything: with all that was free,
the others' p99 was 1.5 times as long, with half of it 1.0 to 1.2 times."""
AWAY = 1_000
"""Times that an engine elsewhere may go away in short order: whoever runs it ends that, not we."""


class Parts:
    """What lives as long as the server."""

    def __init__(
        self,
        client: Any,
        model: str,
        memory: LongTermMemory,
        trainer: Trainer,
        leases: AdapterLeases,
        places: AdapterLeases,
        algebra: Algebra,
        template: Template,
        rewards: ProcessRewardModel | None = None,
        limits: Limits | None = None,
        shared: int | None = None,
        keeper: EngineKeeper | None = None,
        telemetry: Telemetry | None = None,
        usage: UsageEvents | None = None,
    ) -> None:
        """`limits` are those of a tenant that has none of its own.

        `shared` is `Settings.shared_samples`; without a `keeper` an engine that died stays dead.
        """
        self.keeper = keeper or EngineKeeper(client, Cores(argparse.Namespace()), 0, None)
        self.secret = Secret.of_folder(memory.data_dir)
        self.eraser = Eraser(memory, self.secret)
        self.keyring = Keyring(memory.keys, self.secret, memory.aside)
        counts = memory.quota_counts if memory.is_shared else None
        self.quotas = Quotas(memory.tenants, limits or Limits(), memory.aside.reading, counts)
        queue = FairQueue(self._room(client, shared), FairShares(self._weight))
        self.client = MeteredClient(client, queue, caller, self.quotas.spent)
        self.telemetry = telemetry or Telemetry()
        self.usage = usage
        self.template = template
        self.memory = memory
        self.trainer = trainer
        self.leases = leases
        self.algebra = algebra
        self.rewards = rewards
        self.background = Background()
        self.engine = VllmEngine(self.client, template)
        self._storage = Probe(memory.storage_problem)
        self.champions = Champions(model, memory.adapters, self.engine, places)

    def _room(self, client: Any, shared: int | None) -> Room:
        """Return the engine's places; a tenant alone always has some waiting in vLLM itself."""
        config = client.vllm_config
        if config.scheduler_config.policy != "priority":
            return FixedPlaces(sys.maxsize)  # whoever comes goes on to vLLM's own queue
        places = config.scheduler_config.max_num_seqs
        on_cpu = config.device_config.device_type == "cpu"
        shared = min(places, shared or (CPU_SHARED if on_cpu else places))
        spare = math.ceil(shared * CPU_SPARE) if on_cpu else shared
        return SharedPlaces(2 * places, shared, spare, self._weight)

    def _weight(self, flow: str) -> float:
        return weight_of_flow(flow, self.quotas.weight)

    @property
    def on_accelerator(self) -> dict[str, int]:
        """Bytes that the trainer's copy of the model holds there; nothing where it is on the CPU.

        The engine keeps its own account (`--gpu-memory-utilization`).
        """
        held = self.trainer.device_bytes
        return {} if held is None else {"trainer": held}

    @property
    def _trainers(self) -> dict[str, str]:
        """How many actors train, where such do."""
        found = self.trainer.standing
        return {} if found is None else {"trainers": f"{found.actors}, at most {found.most}"}

    async def checks(self) -> tuple[bool, Mapping[str, str]]:
        """Answer `/ready`: only a dead engine makes the server unable to answer."""
        problem = await self._storage.problem()
        adapter = self.champions.of(DEFAULT_TENANT).adapter
        parts = {
            "engine": self.keeper.status,
            "memory": problem or "ready",
            "trainer": self.trainer.status,
            **self._trainers,
            "champion": self.champions.problem or (adapter.version or "" if adapter else "base"),
            **({"rewards": self.rewards.status} if self.rewards else {}),
            "resident": await asyncio.to_thread(lambda: said(resident_bytes())),
            **({"accelerator": said(held)} if (held := self.on_accelerator) else {}),
        }
        return self.keeper.wait_s is None, parts


@asynccontextmanager
async def open_parts(
    args: argparse.Namespace, settings: Settings, training_threads: int | None = None
) -> AsyncIterator[Parts]:
    """Open memory, trainer and engine, and close them in the opposite order."""
    template, base = launch.chat_template(args), base_model(args.model)
    async with AsyncExitStack() as opened:
        memory = opened.enter_context(closing(memory_of(settings)))
        telemetry = telemetry_of(settings, base, args.otlp_traces_endpoint)
        opened.push_async_callback(asyncio.to_thread, telemetry.close)
        usage = await opened.enter_async_context(usage_events(settings))
        root = adapter_folder(settings)
        leases = opened.enter_context(closing(AdapterLeases(settings.max_adapters, root)))
        places = opened.enter_context(closing(_champion_places(settings, root)))
        algebra = opened.enter_context(closing(Algebra()))
        trainer = trainer_of(args.model, template, settings, training_threads)
        opened.push_async_callback(trainer.close)
        starting = asyncio.create_task(trainer.start())
        opened.callback(starting.cancel)
        rewards = await opened.enter_async_context(open_rewards(settings, training_threads))
        client, keeper = await opened.enter_async_context(_open_engine(args, settings))
        await asyncio.to_thread(memory.embedder.embed, ["warm-up"])
        await asyncio.wait([starting])
        if trainer.status != "ready":
            logger.warning("answers come without training for now: the trainer %s", trainer.status)
        yield Parts(
            client,
            base,
            memory,
            trainer,
            leases,
            places,
            algebra,
            template,
            rewards,
            limits_of(settings),
            _shared(client, settings),
            keeper,
            telemetry,
            usage,
        )


def _shared(client: Any, settings: Settings) -> int | None:
    """Return the samples at a time; an engine elsewhere is not bound to this machine's cores."""
    places: int = client.scheduler_config.max_num_seqs
    return settings.shared_samples or (places if settings.engine_url else None)


def _champion_places(settings: Settings, root: Path) -> AdapterLeases:
    return AdapterLeases(settings.max_champions, root, name="whet-champion", first_id=CHAMPION_IDS)


@asynccontextmanager
async def _open_engine(
    args: argparse.Namespace, settings: Settings
) -> AsyncIterator[tuple[Any, EngineKeeper]]:
    """Open the engine: one that is started here, or the one at `engine_url`."""
    if settings.engine_url is None:
        restarts = settings.engine_restarts
        async with launch.open_engine(args) as client:
            take_away_lora_series(client)
            yield client, EngineKeeper(client, Cores(args), restarts, settings.engine_stall_s)
        return
    from server.engine.remote.opening import open_remote_engine

    async with open_remote_engine(args, settings) as (client, cores):
        yield client, EngineKeeper(client, cores, AWAY, settings.engine_stall_s)
