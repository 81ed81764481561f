"""Evaluations and graders may ask the models that a chat may ask, and no others."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from openai import AsyncOpenAI

from server.http.request_body import Body
from tests.server.composed import ASK, MODEL, Composed, Reply, composed
from tests.server.registered import register
from tests.server.tenancy.test_tenants_http import Tenant
from tests.server.test_batches import client_of
from tests.server.test_evals import EQUAL, ended, made, outputs, source

pytestmark = pytest.mark.filterwarnings("ignore:max_tokens is deprecated:DeprecationWarning")
NAME = "ft:whet-pebble:whet:lamps:abc123"
UNKNOWN = ["gone", "whet-pebble:magic", "whet-pebble@9", "ft:whet-pebble:whet::none", "gone:ttt"]
KNOWN = [MODEL, f"{MODEL}:consistency", NAME, f"{MODEL}@1", "champion@1", "mine"]
JUDGES = "/v1/fine_tuning/alpha/graders"
GRADED = "grader.model"


def judge(model: str, kind: str = "score_model") -> dict[str, Any]:
    asked = {"input": [{"role": "user", "content": "Grade {{ sample.output_text }}"}]}
    labels = {"labels": ["good", "bad"], "passing_labels": ["good"]}
    given = {"type": kind, "name": kind, "model": model, **asked}
    return given | (labels if kind == "label_model" else {})


def both(model: str) -> dict[str, Any]:
    graders = {"same": EQUAL, "judge": judge(model)}
    return {"type": "multi", "name": "both", "graders": graders, "calculate_output": "same + judge"}


@pytest.fixture
async def server(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Composed]:
    async with composed(data_dir.parent, monkeypatch, lambda _: Reply("14")) as found:
        register(found.memory, data_dir.parent, 1.0, name=NAME)
        register(found.memory, data_dir.parent, 2.0)
        yield found


@pytest.fixture
def client(server: Composed) -> AsyncOpenAI:
    return client_of(server, "none")


async def test_a_model_that_a_chat_is_refused_is_refused_when_it_is_named(
    server: Composed, client: AsyncOpenAI
) -> None:
    found = await made(client)
    for model in UNKNOWN:
        chat = (await server.http.post("/v1/chat/completions", json={**ASK, "model": model})).json()
        assert chat["error"]["code"] == "model_not_found"
        run = client.evals.runs.create(found.id, data_source=source(model=model))
        for asked, param in (
            (run, "data_source.model"),
            (made(client, EQUAL, judge(model)), "testing_criteria.1.model"),
            (made(client, judge(model, "label_model")), "testing_criteria.0.model"),
            (made(client, both(model)), "testing_criteria.0.graders.judge.model"),
        ):
            with pytest.raises(openai.NotFoundError) as refused:
                await asked
            assert (refused.value.code, refused.value.param) == ("model_not_found", param)
            assert f"The model `{model}` does not exist." in refused.value.message
        for path, more in (("run", {"model_sample": "x"}), ("validate", {})):
            given = {"grader": judge(model), **more}
            response = await server.http.post(f"{JUDGES}/{path}", json=given)
            assert (response.status_code, response.json()["error"]["param"]) == (404, GRADED)
    assert [each async for each in client.evals.runs.list(found.id)] == []


async def test_a_model_that_a_chat_may_ask_may_be_named(
    client: AsyncOpenAI, server: Composed
) -> None:
    server.app.state.openai_serving_models.lora_requests["mine"] = object()  # --lora-modules
    await server.stop_batches()
    for model in KNOWN:
        found = await made(client, judge(model))
        run = await client.evals.runs.create(found.id, data_source=source(model=model))
        assert (run.status, run.model) == ("queued", model)


async def test_the_model_of_another_tenant_is_none(server: Composed) -> None:
    theirs = client_of(server, Tenant(server, "other").key)
    with pytest.raises(openai.NotFoundError):
        await made(theirs, judge(NAME))
    found = await made(theirs)
    with pytest.raises(openai.NotFoundError):
        await theirs.evals.runs.create(found.id, data_source=source(model=NAME))


@pytest.mark.parametrize("is_judge", [True, False])
async def test_a_run_whose_model_is_deleted_before_it_begins_fails_and_says_so(
    server: Composed, client: AsyncOpenAI, *, is_judge: bool
) -> None:
    found = await made(client, judge(NAME) if is_judge else EQUAL)
    await server.stop_batches()
    given = source(model=MODEL if is_judge else NAME)
    run = await client.evals.runs.create(found.id, data_source=given)
    await client.models.delete(NAME)
    server.start_batches()
    done = await ended(client, run)
    assert (done.status, done.error.code) == ("failed", "model_not_found")
    assert done.error.message == f"The model `{NAME}` does not exist."
    assert not server.core.taken, "no item is asked for nothing"


async def test_a_run_fails_whose_model_is_deleted_before_any_item_is_graded(
    server: Composed, client: AsyncOpenAI
) -> None:
    post = server.evals._post

    async def deleted_first(tenant: str, path: str, body: Body) -> httpx.Response:
        if server.memory.models.find(tenant, NAME):
            server.memory.models.remove(tenant, NAME)
        return await post(tenant, path, body)

    server.evals._post = deleted_first
    run = await client.evals.runs.create((await made(client)).id, data_source=source(model=NAME))
    done = await ended(client, run)
    assert (done.status, done.error.code) == ("failed", "model_not_found")
    assert done.result_counts.errored == done.result_counts.total == len(await outputs(client, run))


async def test_what_was_graded_before_the_model_was_deleted_counts(
    server: Composed, client: AsyncOpenAI
) -> None:
    post, asked = server.evals._post, list[str]()

    async def deleted_later(tenant: str, path: str, body: Body) -> httpx.Response:
        asked.append(path)
        answer = await post(tenant, path, body)
        if server.memory.models.find(tenant, NAME):
            server.memory.models.remove(tenant, NAME)
        return answer

    server.evals._post, server.evals._at_once = deleted_later, 1
    run = await client.evals.runs.create((await made(client)).id, data_source=source(model=NAME))
    done = await ended(client, run)
    counts = done.result_counts
    assert (done.status, counts.errored, counts.passed + counts.failed) == ("completed", 5, 1)
    assert len(asked) == counts.total
