"""A tenant tries a few graders at a time, and takes nobody else's turn."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from server.refusals.errors import install_handlers
from server.routes.graders import AT_ONCE, graders_router
from server.tenancy.principal import PRINCIPAL, Principal, Role
from tests.server.named import ONLY_M

RUN = "/v1/fine_tuning/alpha/graders/run"
JUDGE = {
    "type": "score_model",
    "name": "judge",
    "model": "m",
    "input": [{"role": "user", "content": "{{sample.output_text}}"}],
}
ASKED = {"grader": JUDGE, "model_sample": "x"}


class Judge:
    """A model that answers when it may."""

    def __init__(self) -> None:
        self.may_answer, self.asked = asyncio.Event(), asyncio.Semaphore(0)

    async def chat(self, body: Any) -> dict[str, Any]:
        self.asked.release()
        await self.may_answer.wait()
        message = {"role": "assistant", "content": '{"steps": [], "result": 1}'}
        return {"model": "m", "choices": [{"message": message}], "usage": {"total_tokens": 1}}

    async def embeddings(self, texts: Any) -> Any:
        raise NotImplementedError


def client(judge: Judge, tenants: Iterator[str]) -> httpx.AsyncClient:
    app = FastAPI()
    app.include_router(graders_router(lambda tenant: judge, ONLY_M))
    install_handlers(app)

    async def named(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, PRINCIPAL: Principal(next(tenants), Role.USER)}, receive, send)

    return httpx.AsyncClient(transport=httpx.ASGITransport(named), base_url="http://whet")


@pytest.mark.parametrize("path", [RUN, "/v1/fine_tuning/alpha/graders/validate"])
async def test_a_tenant_tries_a_few_graders_at_a_time_and_others_theirs(path: str) -> None:
    judge, asked = Judge(), ASKED if path == RUN else {"grader": JUDGE}
    async with client(judge, iter(["acme"] * (AT_ONCE + 1) + ["globex", "acme"])) as http:
        trying = [asyncio.create_task(http.post(RUN, json=ASKED)) for _ in range(AT_ONCE)]
        for _ in trying:
            await judge.asked.acquire()
        refused = await http.post(path, json=asked)
        assert (refused.status_code, "retry-after" in refused.headers) == (429, True)
        other = asyncio.create_task(http.post(RUN, json=ASKED))
        await judge.asked.acquire()
        judge.may_answer.set()
        answers = await asyncio.gather(*trying, other)
        assert [answer.status_code for answer in answers] == [200] * (AT_ONCE + 1)
        assert (await http.post(path, json=asked)).status_code == 200
