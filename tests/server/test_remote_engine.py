"""A front without an engine: samples, adapters and faults over vLLM's own token routes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from server.commands.eval_server import chosen
from server.config import ConfigError, Settings
from server.engine import keeper as keeping
from server.engine.folder import adapter_folder
from server.settings.setting_sources import resolve
from tests.server.composed import ASK, Reply, arguments, composed
from tests.server.elsewhere import elsewhere, open_across
from tests.server.listening import listening
from tests.server.test_composition import PLAIN, VOTED, by_adapter, neighbour, promote, saying

pytestmark = pytest.mark.filterwarnings("ignore:max_tokens is deprecated:DeprecationWarning")


@pytest.fixture(autouse=True)
def allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the engine load adapters over HTTP, and look for it so often that no test waits."""
    from server.engine.remote import core, opening

    monkeypatch.setenv("VLLM_ALLOW_RUNTIME_LORA_UPDATING", "1")
    monkeypatch.setattr(core, "BEAT_S", 0.2)
    monkeypatch.setattr(opening, "LOOK_S", 0.05)


async def until(happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not happened():  # noqa: ASYNC110 (another server's doing)
            await asyncio.sleep(0.01)


def asked_of(taken: list[Any]) -> list[dict[str, Any]]:
    """What the core was asked, without what is made of text on the way."""
    return [
        {
            "prompt": request.prompt_token_ids,
            "seed": request.sampling_params.seed,
            "temperature": request.sampling_params.temperature,
            "most": request.sampling_params.max_tokens,
            "stops": sorted(request.sampling_params.all_stop_token_ids),
            "priority": request.priority,
            "adapter": request.lora_request is not None,
        }
        for request in taken
    ]


async def test_a_front_asks_an_engine_elsewhere_for_what_one_in_process_would_be_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = {**ASK, "adaptation": VOTED, "seed": 3, "logprobs": True, "top_logprobs": 2}
    stopping = {**ASK, "adaptation": PLAIN, "stop": ["it"], "max_tokens": 20}
    seen = []
    for engine in ({}, {"engine": open_across}):
        script = saying("14", "15", "14")
        async with composed(tmp_path, monkeypatch, script, **engine) as server:
            voted, stopped = await server.chat(**body), await server.chat(**stopping)
            seen.append((voted, stopped, asked_of(server.core.taken)))
            await until(lambda: not server.core._running)
    (voted, stopped, asked), (far, far_stopped, far_asked) = seen
    assert far["choices"] == voted["choices"]
    assert far["usage"] == voted["usage"]
    assert far["adaptation"]["votes"] == voted["adaptation"]["votes"]
    assert far["adaptation"]["confidence"] == voted["adaptation"]["confidence"]
    assert stopped["choices"][0]["message"]["content"] == "So "
    assert far_stopped["choices"] == stopped["choices"]
    assert far_asked == asked


async def test_an_adapter_is_loaded_there_sampled_through_and_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with composed(tmp_path, monkeypatch, by_adapter, engine=open_across) as server:
        server.memory.save_many([neighbour(number) for number in range(12)])
        answer = await server.chat(adaptation={**VOTED, "strategy": "ttt"})
        assert answer["adaptation"]["strategy"] == "ttt", answer["adaptation"]
        assert answer["adaptation"]["answer"] == "2"
        names = {each.lora_request.lora_name for each in server.core.taken if each.lora_request}
        there = server.parts.client.elsewhere.app.state.openai_serving_models.lora_requests
        assert set(there) <= names, "what was dropped is forgotten there"
        assert all(name.startswith("whet-") for name in names)


async def test_who_leaves_a_vote_ends_its_sequences_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    never = asyncio.Event()
    script = lambda request: Reply("#### 1", gate=never)  # noqa: E731
    async with composed(tmp_path, monkeypatch, script, engine=open_across) as server:
        body = {**ASK, "adaptation": VOTED}
        async with listening(server) as url, httpx.AsyncClient(base_url=url) as client:
            asking = asyncio.create_task(client.post("/v1/chat/completions", json=body))
            await until(lambda: len(server.core._running) >= 2)
            begun = len(server.core._running)
            asking.cancel()
            await until(lambda: not server.core._running)
        assert len(server.core.aborted) >= begun
        assert not server.parts.client.output_processor.has_unfinished_requests()


async def test_an_engine_that_goes_away_costs_a_503_and_is_asked_again_when_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(keeping, "LOOK_S", 0.01)
    gates: list[asyncio.Event] = []

    def script(request: Any) -> Reply:
        return Reply(by_adapter(request).text, gate=gates.pop() if gates else None)

    # Looks so often would count as half a second each.
    given: dict[str, Any] = {"engine": open_across, "engine_stall_s": None}
    async with composed(tmp_path, monkeypatch, script, **given) as server:
        promote(server.memory, tmp_path)
        await server.parts.champions.refresh()
        gates.append(asyncio.Event())
        far = server.parts.client.elsewhere
        body = {**ASK, "adaptation": PLAIN}
        asking = asyncio.create_task(server.http.post("/v1/chat/completions", json=body))
        await until(lambda: not gates)
        await far.go()
        told = await asking
        assert told.status_code == 503
        assert int(told.headers["retry-after"]) >= 1
        refused = await server.http.post("/v1/chat/completions", json=body)
        assert refused.status_code == 503
        assert int(refused.headers["retry-after"]) >= 1
        assert (await server.http.get("/ready")).status_code == 503
        await far.come()
        await until(lambda: server.parts.keeper.wait_s is None)
        answer = await server.chat(adaptation=PLAIN)
        assert answer["choices"][0]["message"]["content"] == "#### 2", "by the champion"
        assert "the engine is gone: it is waited for" in caplog.messages, "nobody starts it here"


async def test_an_engine_without_room_refuses_one_request_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vllm.exceptions import QueueOverflowError

    errors = iter([QueueOverflowError()])
    script = lambda request: Reply("#### 1", error=next(errors, None))  # noqa: E731
    async with composed(tmp_path, monkeypatch, script, engine=open_across) as server:
        body = {**ASK, "adaptation": PLAIN}
        refused = await server.http.post("/v1/chat/completions", json=body)
        assert refused.status_code == 503, refused.text
        assert int(refused.headers["retry-after"]) >= 1
        assert server.parts.keeper.wait_s is None
        assert (await server.chat(adaptation=PLAIN))["choices"][0]["message"]["content"] == "#### 1"


@pytest.mark.parametrize(
    ("changed", "allowed_there", "told"),
    [
        ({"enable_scale_out": False}, "1", "--enable-scale-out"),
        ({}, "0", "VLLM_ALLOW_RUNTIME_LORA_UPDATING=1"),
        ({"max_model_len": 64}, "1", "--max-model-len"),
        ({"api_key": ["secret"]}, "1", "--engine-key"),
    ],
    ids=["route", "adapters", "context", "key"],
)
async def test_what_an_engine_lacks_is_told_at_the_start(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    changed: dict[str, Any],
    allowed_there: str,
    told: str,
) -> None:
    from server.engine.remote.opening import open_remote_engine

    settings = Settings(data_dir=tmp_path)
    args = arguments(monkeypatch, settings)
    monkeypatch.setenv("VLLM_ALLOW_RUNTIME_LORA_UPDATING", allowed_there)
    async with elsewhere(args, lambda request: Reply("1"), **changed) as server:
        here = settings.model_copy(update={"engine_url": server.url})
        with pytest.raises(ConfigError, match=told):
            async with open_remote_engine(args, here):
                pass


async def test_a_folder_that_only_this_end_sees_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from server.engine.remote.opening import open_remote_engine

    settings = Settings(data_dir=tmp_path)
    args = arguments(monkeypatch, settings)
    async with elsewhere(args, lambda request: Reply("1")) as server:

        async def blind(adapter: Any) -> bool:
            raise ValueError(f"No adapter found for {adapter.lora_path}")

        monkeypatch.setattr(server.client.core, "add_lora_async", blind)
        here = settings.model_copy(update={"engine_url": server.url})
        with pytest.raises(ConfigError, match="--engine-folder"):
            async with open_remote_engine(args, here):
                pass


async def test_what_cannot_cross_fails_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from server.engine.remote import core

    def unwritable(request: Any, model: str) -> bytes:
        raise OverflowError("no JSON holds it")

    script = lambda request: Reply("#### 1")  # noqa: E731
    async with composed(tmp_path, monkeypatch, script, engine=open_across) as server:
        with monkeypatch.context() as broken:
            broken.setattr(core, "body_of", unwritable)
            async with asyncio.timeout(60):
                body = {**ASK, "adaptation": PLAIN}
                failed = await server.http.post("/v1/chat/completions", json=body)
        assert failed.status_code == 500, failed.text
        assert server.parts.keeper.wait_s is None
        assert (await server.chat(adaptation=PLAIN))["choices"][0]["message"]["content"] == "#### 1"


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    settings = Settings(data_dir=tmp_path, engine_folder=tmp_path / "file")
    with pytest.raises(ConfigError, match="engine_folder"):
        adapter_folder(settings)


def test_the_likeliest_tokens_are_those_that_were_asked_for() -> None:
    from server.engine.remote.wire import output_of

    sampled = {"token_id": 9, "logprob": -5.0, "rank": 40}
    likely = [{"token_id": n, "logprob": -float(n), "rank": n} for n in (1, 2, 3)]
    for first, others, ids in ((sampled, 2, [9, 1, 2]), (likely[1], 2, [2, 1, 2])):
        top = [first, *[each for each in likely if each is not first]]
        choice = {
            "token_ids": [first["token_id"]],
            "finish_reason": None,
            "logprobs": {"content": [{**first, "top_logprobs": top}]},
        }
        request = SimpleNamespace(request_id="r", sampling_params=SimpleNamespace(logprobs=others))
        found = output_of(request, choice, is_first=True).new_logprobs
        assert found.logprob_token_ids[0].tolist() == ids
        assert found.sampled_token_ranks.tolist() == [first["rank"]]


@pytest.mark.parametrize("url", ["localhost:8001", "ftp://host", "http://", "http://host:port"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="engine_url"):
        resolve({"engine_url": url}, {})


def test_the_engines_key_is_shown_nowhere() -> None:
    resolved = resolve({}, {"WHET_ENGINE_KEY": "an-engines-key"})
    assert resolved.settings.engine_key is not None
    assert resolved.settings.engine_key.get_secret_value() == "an-engines-key"
    assert "an-engines-key" not in repr(resolved)
    assert "engine_key" not in chosen(resolved.settings), "nor in the words of a command"
