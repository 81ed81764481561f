"""A report is fetched by its answer's id, however the answer was given; headers name its cost."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from memory.errors import NotFoundError
from memory.history.completions import CompletionLog
from memory.store.database import open_database
from server.telemetry.reports import Reports
from tests.server.composed import ASK, MODEL, Composed, Reply, composed, events_of

Serve = Callable[..., AbstractAsyncContextManager[Composed]]
CHAT, COMPLETIONS, RESPONSES = "/v1/chat/completions", "/v1/completions", "/v1/responses"
ASKED = {
    CHAT: ASK,
    COMPLETIONS: {"model": MODEL, "prompt": "What is 1 + 1?"},
    RESPONSES: {"model": MODEL, "input": "What is 1 + 1?"},
}
pytestmark = pytest.mark.filterwarnings("ignore:max_tokens is deprecated:DeprecationWarning")


@pytest.fixture
def serve(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Serve:
    """Return what serves a script."""

    def build(script: Any, **settings: Any) -> AbstractAsyncContextManager[Composed]:
        return composed(data_dir.parent, monkeypatch, script, **settings)

    return build


def id_of(event: dict[str, Any]) -> str:
    """The id that a client sees in the first event of a stream."""
    found: str = event["response"]["id"] if "response" in event else event["id"]
    return found


async def test_every_answers_report_is_fetched_by_its_id(serve: Serve) -> None:
    async with serve(lambda request: Reply("#### 2")) as server:
        for path, asked in ASKED.items():
            for strategy in ("plain", "consistency"):
                for write in (True, False):
                    how = {"adaptation": {"strategy": strategy, "memory": {"write": write}}}
                    whole = await server.post(path, **asked, **how)
                    found = (await server.http.get(f"/v1/reports/{whole['id']}")).json()
                    assert found["object"] == "report"
                    assert found["id"] == whole["id"]
                    assert found["adaptation"] == whole["adaptation"]
                    first, *_ = await server.events(path, **asked, **how)
                    kept = (await server.http.get(f"/v1/reports/{id_of(first)}")).json()
                    assert kept["adaptation"]["strategy"] == strategy
                    assert kept["adaptation"]["answer"] == whole["adaptation"]["answer"]


async def test_each_prompt_of_a_completion_has_its_own_report(serve: Serve) -> None:
    async with serve(lambda request: Reply("#### 2")) as server:
        answer = await server.post(COMPLETIONS, model=MODEL, prompt=["1 + 1?", "2 + 0?"])
        found = (await server.http.get(f"/v1/reports/{answer['id']}")).json()
        reports = [choice["adaptation"] for choice in answer["choices"]]
        assert [each["adaptation"] for each in found["prompts"]] == reports


@pytest.mark.parametrize("path", list(ASKED))
async def test_headers_name_strategy_and_cost(serve: Serve, path: str) -> None:
    async with serve(lambda request: Reply("#### 2")) as server:
        response = await server.http.post(path, json=ASKED[path])
        body, headers = response.json(), response.headers
        report = body["adaptation"]
        assert headers["x-whet-strategy"] == report["strategy"] == "consistency"
        assert headers["x-whet-stop-reason"] == report["stop_reason"]
        assert int(headers["x-whet-samples"]) == report["samples"]["started"]
        assert int(headers["x-whet-completion-tokens"]) == server.core.generated_tokens
        assert headers["x-whet-completion-id"] == body["id"]
        assert (await server.http.get(headers["x-whet-report"])).json()["adaptation"] == report


@pytest.mark.parametrize("strategy", ["plain", "consistency"])
@pytest.mark.parametrize("path", list(ASKED))
async def test_a_streams_headers_say_where_its_report_will_be(
    serve: Serve, path: str, strategy: str
) -> None:
    async with serve(lambda request: Reply("#### 2")) as server:
        asked = {**ASKED[path], "stream": True, "adaptation": {"strategy": strategy}}
        response = await server.http.post(path, json=asked)
        headers = response.headers
        assert headers["x-whet-strategy"] == strategy
        assert "x-whet-samples" not in headers
        first = events_of(response.text)[0]
        assert headers["x-whet-completion-id"] == first.get("response", first)["id"]
        report = (await server.http.get(headers["x-whet-report"])).json()["adaptation"]
        assert report["strategy"] == strategy


async def test_an_error_has_no_such_header_and_an_unknown_report_is_a_404(serve: Serve) -> None:
    async with serve(lambda request: Reply("#### 2")) as server:
        refused = await server.http.post(CHAT, json={**ASK, "temperature": 9})
        assert not [name for name in refused.headers if name.startswith("x-whet")]
        response = await server.http.get("/v1/reports/chatcmpl-none")
        assert response.status_code == 404
        assert response.json()["error"]["code"] == "not_found"
        assert "chatcmpl-none" in response.json()["error"]["message"]


def test_another_tenants_report_does_not_exist(tmp_path: Path) -> None:
    database = open_database(tmp_path)
    log = CompletionLog(database)
    reports = Reports(log)
    reports.put("ann", "c1", {"strategy": "plain"})
    assert reports.find("ann", "c1") == [{"strategy": "plain"}]
    with pytest.raises(NotFoundError):
        reports.find("bob", "c1")
    log.close()
    database.close()


async def test_a_report_outlives_the_process_with_its_completion(
    serve: Serve, tmp_path: Path
) -> None:
    async with serve(lambda request: Reply("#### 2")) as server:
        answer = await server.chat()
    database = open_database(tmp_path / "data")
    log = CompletionLog(database)
    assert Reports(log).find("default", answer["id"]) == [answer["adaptation"]]
    log.close()
    database.close()
