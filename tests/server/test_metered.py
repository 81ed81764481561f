"""Whatever asks the engine does so in its tenant's turn, and its tokens are told."""

from __future__ import annotations

import asyncio
import warnings
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import aclosing
from types import SimpleNamespace
from typing import Any

import pytest

from adaptation.fair_queue import FairQueue
from adaptation.fairness import FairShares
from adaptation.rooms import FixedPlaces
from server.tenancy.principal import Principal, Role

with warnings.catch_warnings():  # of importing vLLM: others' deprecations
    warnings.simplefilter("ignore")
    from vllm.sampling_params import RequestOutputKind, SamplingParams

    from server.engine.metered import MeteredClient, weight_of_flow


class Engine:
    """Answers each request with two tokens, one by one, when it is told to."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()
        self.priorities: dict[str, int] = {}
        self.drawn: Counter[str] = Counter()
        self.output_processor = SimpleNamespace(external_req_ids={}, request_states={})

    async def generate(
        self, prompt: Any, params: SamplingParams, request_id: str, priority: int
    ) -> AsyncGenerator[Any, None]:
        self.priorities[request_id] = priority
        self.output_processor.external_req_ids[request_id] = [request_id]
        stats = SimpleNamespace(num_generation_tokens=0)
        self.output_processor.request_states[request_id] = SimpleNamespace(stats=stats)
        texts = [[1], [2]] if params.output_kind is RequestOutputKind.DELTA else [[1], [1, 2]]
        for ids in texts:
            stats.num_generation_tokens += 1
            yield SimpleNamespace(
                prompt_token_ids=[7, 7, 7], outputs=[SimpleNamespace(token_ids=ids)]
            )
            await self.go_on.wait()


class Metered:
    def __init__(self, places: int = 1) -> None:
        self.engine, self.caller = Engine(), Principal("acme", Role.USER)
        self.spent: list[tuple[str, int]] = []
        queue = FairQueue(
            FixedPlaces(places), FairShares(lambda flow: weight_of_flow(flow, lambda tenant: 1.0))
        )
        self.client = MeteredClient(
            self.engine, queue, lambda: self.caller, lambda *spent: self.spent.append(spent)
        )

    async def ask(self, name: str, kind: RequestOutputKind = RequestOutputKind.DELTA) -> int:
        params = SamplingParams(output_kind=kind)
        async with aclosing(self.client.generate("x", params, name, priority=-99)) as outputs:
            return len([output async for output in outputs])


@pytest.mark.parametrize("kind", [RequestOutputKind.DELTA, RequestOutputKind.CUMULATIVE])
async def test_tokens_are_those_read_and_generated(kind: RequestOutputKind) -> None:
    metered = Metered()
    metered.engine.go_on.set()
    assert await metered.ask("one", kind) == 2
    assert metered.spent == [("acme", 5)]
    assert metered.engine.priorities["one"] >= 0, "the client's own is dropped"


async def test_a_request_that_is_left_tells_what_was_generated_and_frees_its_place() -> None:
    metered = Metered()
    left = asyncio.create_task(metered.ask("left"))
    next_one = asyncio.create_task(metered.ask("next"))
    await asyncio.sleep(0.01)
    assert list(metered.engine.priorities) == ["left"], "the other waits"
    left.cancel()
    await asyncio.gather(left, return_exceptions=True)
    assert metered.spent == [("acme", 4)]
    metered.engine.go_on.set()
    assert await asyncio.wait_for(next_one, 5) == 2


async def test_one_that_gives_up_before_its_turn_never_comes_to_the_engine() -> None:
    metered = Metered()
    first = asyncio.create_task(metered.ask("first"))
    await asyncio.sleep(0)
    waiting = asyncio.create_task(metered.ask("waiting"))
    await asyncio.sleep(0)
    waiting.cancel()
    metered.engine.go_on.set()
    await asyncio.gather(first, waiting, return_exceptions=True)
    await asyncio.wait_for(metered.ask("third"), 5)
    assert list(metered.engine.priorities) == ["first", "third"]
    assert metered.spent == [("acme", 5), ("acme", 5)]


async def test_a_modest_tenant_passes_the_crowd_of_another() -> None:
    metered, tasks = Metered(), []
    for number in range(20):
        tasks.append(asyncio.create_task(metered.ask(f"crowd-{number}")))
        await asyncio.sleep(0)
    metered.caller = Principal("modest", Role.USER)
    tasks.append(asyncio.create_task(metered.ask("modest")))
    await asyncio.sleep(0)
    metered.engine.go_on.set()
    await asyncio.gather(*tasks)
    assert list(metered.engine.priorities).index("modest") <= 2


async def test_whoever_reads_no_further_holds_no_place_once_the_engine_is_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("server.engine.metered.LOOK_S", 0.01)
    metered = Metered()
    unread = metered.client.generate("x", SamplingParams(), "unread")
    await anext(unread)
    waiting = asyncio.create_task(metered.ask("waiting"))
    await asyncio.sleep(0.05)
    assert list(metered.engine.priorities) == ["unread"], "the engine is still at work on it"
    del metered.engine.output_processor.external_req_ids["unread"]
    metered.engine.go_on.set()
    assert await asyncio.wait_for(waiting, 5) == 2
    await unread.aclose()
    assert await asyncio.wait_for(metered.ask("last"), 5) == 2


async def test_what_nobody_waits_for_has_half_the_turns() -> None:
    metered, tasks = Metered(), list[asyncio.Task[int]]()
    callers = [Principal("night", Role.USER, in_batch=True), Principal("day", Role.USER)]
    for number in range(60):
        for metered.caller in callers:
            tasks.append(asyncio.create_task(metered.ask(f"{metered.caller.tenant}-{number}")))
            await asyncio.sleep(0)
    metered.engine.go_on.set()
    await asyncio.gather(*tasks)
    first = [name.partition("-")[0] for name in metered.engine.priorities][10:70]
    assert first.count("day") / first.count("night") == pytest.approx(2.0, rel=0.2)
