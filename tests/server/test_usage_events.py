"""The events of what requests cost add up to the usage of their answers."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.server.composed import ASK, MODEL, STORY, Reply, composed
from tests.server.usage_sink import receiving, telling

pytestmark = pytest.mark.filterwarnings("ignore:max_tokens is deprecated:DeprecationWarning")


async def test_the_sums_are_those_of_the_answers(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = count()

    def script(request: Any) -> Reply:
        return Reply(f"It is\n#### {(14, 14, 13)[next(number) % 3]}")

    with receiving() as sink:
        async with (
            telling(data_dir.parent / "usage", sink.url) as events,
            composed(data_dir.parent, monkeypatch, script, usage=events) as server,
        ):
            same = {"x-request-id": "the-same", "content-type": "application/json"}
            server.http.headers.update(same)
            voted = {"adaptation": {"strategy": "consistency", "memory": {"reuse": False}}}
            answers = [await server.chat(user="tom", **voted) for _ in range(3)]
            answers.append(await server.chat(adaptation={"strategy": "plain"}))
            two = {"model": MODEL, "prompt": [STORY, f"{STORY} Now."], **voted}
            answers.append(await server.post("/v1/completions", **two))
            embedded = {"model": server.memory.embedder.id, "input": [STORY, "7"], "user": "eve"}
            answers.append(await server.post("/v1/embeddings", **embedded))
            streamed = {**ASK, **voted, "stream_options": {"include_usage": True}}
            answers.append((await server.events("/v1/chat/completions", **streamed))[-1])
            await server.http.get("/v1/models")
            await sink.has(7)
    assert len({each["id"] for each in sink.taken}) == 7, "a client's id makes no two events one"
    for answer, event in zip(answers, sink.taken, strict=True):
        usage, told = answer["usage"], event["data"]
        assert told["prompt_tokens"] == usage["prompt_tokens"]
        assert told["completion_tokens"] == usage.get("completion_tokens", 0)
        spent = (told[f"{kind}_tokens"] for kind in ("returned", "losing", "cancelled"))
        assert sum(spent) == told["completion_tokens"]
        assert (told["tenant"], told["request_id"]) == ("default", "the-same")
    told = [event["data"] for event in sink.taken]
    assert told[0]["losing_tokens"] > 0
    assert [each.get("end_user") for each in told] == ["tom"] * 3 + [None, None, "eve", None]
    assert [each.get("strategy") for each in told[3:6]] == ["plain", "consistency", None]
