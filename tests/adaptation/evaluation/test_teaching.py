"""Examples in somebody else's memory: there for the run, and gone after it, whatever happens."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from adaptation.evaluation.errors import EvaluationError
from adaptation.evaluation.plan import World, make_plan
from adaptation.evaluation.suites import SUITES
from adaptation.evaluation.target import Target
from adaptation.evaluation.teaching import Teacher

THEIRS = {"id": "rec_theirs", "task": "jargon/0", "state": "active"}


class Memory:
    """What a Whet server keeps, behind the routes that teaching uses."""

    def __init__(self) -> None:
        self.records: dict[str, dict[str, Any]] = {"rec_theirs": dict(THEIRS)}
        self.broken: str | None = None
        """Part of the paths that answer with an error."""
        self.page = 5

    def active(self) -> set[str]:
        return {r["task"] for r in self.records.values() if r["state"] == "active"}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if self.broken and self.broken in str(request.url) + request.content.decode():
            return httpx.Response(503, json={"error": {"message": "no"}})
        if request.method == "POST":
            for line in request.content.decode().splitlines():
                task = json.loads(line)["task"]
                key = f"rec_{len(self.records)}"
                self.records[key] = {"id": key, "task": task, "state": "active"}
            return httpx.Response(200, json={})
        if request.method == "DELETE":
            self.records[request.url.path.rpartition("/")[2]]["state"] = "erased"
            return httpx.Response(200, json={})
        return httpx.Response(200, json=self._listed(request.url.params))

    def _listed(self, params: httpx.QueryParams) -> dict[str, Any]:
        found = [r for r in self.records.values() if r["task"] == params["task"]]
        after = [r["id"] for r in found].index(params["after"]) + 1 if "after" in params else 0
        page = found[after : after + self.page]
        last = page[-1]["id"] if page else None
        return {"data": page, "has_more": after + self.page < len(found), "last_id": last}


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Memory:
    memory, whole = Memory(), httpx.AsyncClient

    def client(**settings: Any) -> httpx.AsyncClient:
        return whole(**settings | {"transport": httpx.MockTransport(memory)})

    monkeypatch.setattr("adaptation.evaluation.target.httpx.AsyncClient", client)
    return memory


@pytest.fixture
def worlds() -> tuple[World, ...]:
    levels = {"jargon": 2, "facts": 2}
    suites = [SUITES["jargon"], SUITES["facts"]]
    plan = make_plan(suites, questions=2, examples=8, seed=0, levels=levels, worlds=1)
    return plan.worlds


async def teach(worlds: tuple[World, ...], memory: Memory, *, keep: bool = False) -> None:
    target = Target("http://127.0.0.1:9", "m")
    try:
        async with Teacher(target, "run1", keep=keep).taught(worlds):
            assert memory.active() == {
                "jargon/0",
                "whet-eval/run1/jargon/0",
                "whet-eval/run1/facts/0",
            }
            raise KeyError("the run breaks off")
    finally:
        await target.close()


async def test_examples_are_gone_when_a_run_breaks_off_and_the_users_records_are_not(
    memory: Memory, worlds: tuple[World, ...]
) -> None:
    with pytest.raises(KeyError, match="breaks off"):
        await teach(worlds, memory)
    assert memory.active() == {"jargon/0"}
    assert memory.records["rec_theirs"] == THEIRS


async def test_a_memory_that_is_thrown_away_is_left_alone(
    memory: Memory, worlds: tuple[World, ...]
) -> None:
    with pytest.raises(KeyError):
        await teach(worlds, memory, keep=True)
    assert len(memory.active()) == 3


async def test_examples_of_the_first_world_are_gone_when_those_of_the_second_fail(
    memory: Memory, worlds: tuple[World, ...]
) -> None:
    memory.broken = '"task": "whet-eval/run1/facts'
    with pytest.raises(EvaluationError):
        await teach(worlds, memory)
    assert memory.active() == {"jargon/0"}


async def test_what_could_not_be_erased_is_named_and_the_rest_is_erased(
    memory: Memory, worlds: tuple[World, ...]
) -> None:
    memory.broken = "records?task=whet-eval/run1/jargon"
    with pytest.raises(EvaluationError, match=r"may be left .* whet-eval/run1/jargon/0; the same"):
        await teach(worlds, memory)
    assert memory.active() == {"jargon/0", "whet-eval/run1/jargon/0"}
    memory.broken = None
    with pytest.raises(KeyError):
        await teach(worlds, memory)
    assert memory.active() == {"jargon/0"}
