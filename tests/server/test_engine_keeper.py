"""An engine that dies is started again in place, one that hangs is killed first."""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from server.engine import keeper as keeping
from server.engine import silence
from server.engine.keeper import EngineKeeper
from server.engine.silence import Silence
from tests.server.composed import ASK, MODEL, Composed, Reply, composed, events_of
from tests.server.test_composition import promote

pytestmark = pytest.mark.filterwarnings("ignore:max_tokens is deprecated:DeprecationWarning")
QUIET = {"memory": {"write": False}}
PLAIN, VOTED = {**QUIET, "strategy": "plain"}, {**QUIET, "strategy": "consistency"}


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for a dead engine so often that no test waits for it."""
    monkeypatch.setattr(keeping, "LOOK_S", 0.01)


def dying_once() -> Any:
    """A script whose first sample kills the engine."""
    fates = iter([True])
    return lambda request: Reply("#### 1", kills=next(fates, False))


async def until(happened: Callable[[], bool]) -> None:
    while not happened():  # noqa: ASYNC110 (a thread starts the engine)
        await asyncio.sleep(0.01)


async def until_ready(server: Composed) -> httpx.Response:
    await until(lambda: server.parts.keeper.wait_s is None)
    answer = await server.http.get("/ready")
    assert answer.status_code == 200
    return answer


@pytest.mark.parametrize("asked", [PLAIN, VOTED], ids=["plain", "voted"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_requests_under_way_are_told_of_an_engine_that_dies_and_later_ones_are_answered(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    asked: dict[str, Any],
    stream: bool,
) -> None:
    async with composed(tmp_path, monkeypatch, dying_once()) as server:
        body = {**ASK, "adaptation": asked, "stream": stream}
        response = await server.http.post("/v1/chat/completions", json=body)
        if response.status_code == 200:  # the stream had begun
            error = events_of(response.text)[-1]["error"]
        else:
            assert response.status_code == 503
            assert int(response.headers["retry-after"]) >= 1
            error = response.json()["error"]
        assert error["code"] == "service_unavailable"
        assert "started again" in error["message"]
        assert (await until_ready(server)).json()["engine"] == "ready"
        assert (await server.chat(adaptation=asked))["choices"][0]["message"]["content"]
        assert not server.parts.client.output_processor.has_unfinished_requests()
        assert "the engine is gone: it is started again" in caplog.messages
        assert server.cores.started == 1


async def test_meanwhile_requests_are_refused_at_once_and_all_but_the_engine_is_at_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with composed(tmp_path, monkeypatch, lambda request: Reply("#### 1")) as server:
        server.cores.error = RuntimeError("no memory for it")
        server.core.die()
        await until(lambda: server.cores.started > 0)
        refused = await server.http.post("/v1/chat/completions", json=ASK)
        assert refused.status_code == 503
        assert int(refused.headers["retry-after"]) > 1
        assert not server.core.taken
        for _ in range(3):
            ready = await server.http.get("/ready")
            assert ready.status_code == 503
        assert "engine: restarting" in ready.json()["error"]["message"]
        assert caplog.text.count("/ready") == 1, "whoever asks again and again fills no log"
        assert (await server.http.get("/health")).status_code == 200
        embedder = server.memory.embedder.id.partition("@")[0]
        embedded = {"model": embedder, "input": "a word"}
        assert (await server.http.post("/v1/embeddings", json=embedded)).status_code == 200
        assert (await server.http.get("/v1/models")).status_code == 200


async def test_an_engine_that_does_not_start_any_more_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "MOST_PAUSE_S", 0.01)
    async with composed(
        tmp_path, monkeypatch, lambda request: Reply("#### 1"), engine_restarts=3
    ) as server:
        server.cores.error = RuntimeError("no memory for it")
        server.core.die()
        async with asyncio.timeout(20):
            await server.gave_up.wait()
        assert server.cores.started == 3
        assert (await server.http.get("/health")).status_code == 503
        assert server.parts.client.errored


async def test_an_engine_that_gives_no_token_is_killed_and_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fates = iter([asyncio.Event()])

    def script(request: Any) -> Reply:
        return Reply("#### 1", gate=next(fates, None))

    async with composed(tmp_path, monkeypatch, script, engine_stall_s=2) as server:
        body = {**ASK, "adaptation": PLAIN}
        async with asyncio.timeout(20):
            response = await server.http.post("/v1/chat/completions", json=body)
        assert response.status_code == 503
        await until_ready(server)
        assert (await server.chat(adaptation=PLAIN))["choices"][0]["message"]["content"]


async def test_the_champion_is_in_the_new_engine_and_one_whose_files_are_gone_is_not_served(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with composed(
        data_dir.parent, monkeypatch, lambda request: Reply("#### 1"), champion_poll_s=3600
    ) as server:
        promote(server.memory, data_dir.parent)
        await server.parts.champions.refresh()
        champion = server.parts.champions.of("default")
        served = champion.adapter
        assert served is not None
        server.core.die()
        await until_ready(server)
        assert served.id in server.parts.client.engine_core.loaded
        shutil.rmtree(served.path)
        server.parts.client.engine_core.die()
        await until(lambda: server.cores.started > 1 and server.parts.keeper.wait_s is None)
        assert champion.adapter is None
        assert (await server.chat(model=f"{MODEL}:plain"))["choices"][0]["message"]["content"]


class SlowCores:
    """Whose start takes until it is killed, or let go."""

    mended = "started again"

    def __init__(self) -> None:
        self.begun, self.goes_on = threading.Event(), threading.Event()
        self.is_killed = False
        self.ended: list[float | None] = []

    def start(self, client: Any) -> SlowCores:
        self.begun.set()
        self.goes_on.wait()
        if self.is_killed:
            raise RuntimeError("the core was killed while it started")
        return self

    def shutdown(self, timeout: float | None) -> None:
        self.ended.append(timeout)

    def kill_starting(self) -> None:
        self.is_killed = True
        self.goes_on.set()

    def adopt(self, client: Any, core: Any) -> None:
        raise AssertionError("nobody waits for it any more")

    def cpu_s(self, client: Any) -> float:
        return 0.0

    def kill(self, client: Any) -> None: ...


async def reloaded() -> None: ...


@pytest.mark.parametrize("is_late", [False, True], ids=["killed", "too late to be killed"])
async def test_a_server_that_stops_leaves_no_engine_that_was_being_started(is_late: bool) -> None:
    cores = SlowCores()
    if is_late:
        cores.kill_starting = cores.goes_on.set  # type: ignore[method-assign]
    keeper = EngineKeeper(SimpleNamespace(errored=True), cores, 5, None)
    following = asyncio.create_task(keeper.follow(reloaded, lambda: None, lambda: False))
    await asyncio.to_thread(cores.begun.wait)
    following.cancel()
    await asyncio.wait([following])
    assert following.cancelled()
    assert cores.ended == ([0] if is_late else [])


class Engine:
    """Requests of an engine, and the processor time it uses, as a test says."""

    def __init__(self) -> None:
        self.request_states: dict[str, Any] = {}
        self.output_processor = self
        self.tokens = 0
        self.spent_s = 0.0
        self.rests = False
        self.answers = True

    def ask(self) -> None:
        self.request_states["a"] = self
        self.detokenizer = self

    def num_output_tokens(self) -> int:
        return self.tokens

    def cpu_s(self, client: Any) -> float:
        return self.spent_s

    async def is_sleeping(self) -> bool:
        if not self.answers:
            await asyncio.Event().wait()
        return self.rests


async def looks(watch: Silence, engine: Engine, number: int, busy: float = 0.0) -> list[bool]:
    found = []
    for _ in range(number):
        engine.spent_s += busy
        found.append(await watch.is_stuck(1.0))
        await asyncio.sleep(0)
    return found


async def test_tokens_and_answers_are_signs_of_life() -> None:
    engine = Engine()
    watch = Silence(engine, engine, 3.0)
    assert not any(await looks(watch, engine, 10)), "idle, and it answers"
    engine.ask()
    for _ in range(10):
        engine.tokens += 1
        assert not any(await looks(watch, engine, 3))


async def test_an_idle_engine_that_does_not_answer_is_stuck(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(silence, "ANSWER_S", 0.01)
    engine = Engine()
    engine.answers = False
    watch = Silence(engine, engine, 3.0)
    assert await looks(watch, engine, 4) == [False, False, False, True]
    watch.forget()


async def test_an_engine_in_a_long_step_is_given_many_times_as_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(silence, "ANSWER_S", 0.01)
    engine = Engine()
    engine.ask()
    engine.answers = False
    watch = Silence(engine, engine, 3.0)
    patience = 3 * silence.BUSY_FACTOR
    found = await looks(watch, engine, patience + 1, busy=1.0)
    assert not any(found[:patience])
    assert found[patience]


async def test_an_engine_stopped_in_a_long_step_is_stuck_as_soon_as_any_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(silence, "ANSWER_S", 0.01)
    engine = Engine()
    engine.ask()
    engine.answers = False
    watch = Silence(engine, engine, 3.0)
    assert not any(await looks(watch, engine, 20, busy=8.0))
    assert await looks(watch, engine, 3) == [False, False, True]


async def test_an_engine_that_was_told_to_rest_is_not_stuck() -> None:
    engine = Engine()
    engine.ask()
    engine.rests = True
    watch = Silence(engine, engine, 3.0)
    assert not any(await looks(watch, engine, 10))
