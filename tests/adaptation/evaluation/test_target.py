"""The server under evaluation, over real HTTP."""

from __future__ import annotations

import pytest

from adaptation.evaluation.errors import EvaluationError, ServerGoneError
from adaptation.evaluation.exchange import Request
from adaptation.evaluation.target import Target
from tests.adaptation.evaluation.peer import Peer
from tests.e2e.running import free_port

ASK = Request([{"role": "user", "content": "Tom has 2 eggs."}], temperature=0, seed=1, max_tokens=9)


async def test_the_first_listed_model_is_asked_where_none_is_named(peer: Peer) -> None:
    async with Target(f"{peer.url}/v1/", None) as target:
        assert (target.model, target.is_whet) == ("peer-model", False)
        reply = await target.ask(ASK)
    assert (reply.texts, reply.prompt_tokens, reply.generated_tokens) == (("work.\n#### 2",), 1, 3)
    assert reply.samples == 1
    assert peer.asked[0]["max_tokens"] == 9


async def test_an_unknown_model_is_refused_with_the_known_ones(peer: Peer) -> None:
    with pytest.raises(EvaluationError, match="serves no model 'gpt', but peer-model"):
        async with Target(peer.url, "gpt"):
            pass


async def test_where_nothing_answers_the_address_is_named() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(ServerGoneError, match=f"no server answers at {url}"):
        async with Target(url, None):
            pass


async def test_a_reply_that_calls_tools_is_its_calls(peer: Peer) -> None:
    function = {"name": "add", "arguments": '{"a": 1, "b": 2}'}
    call = {"id": "1", "type": "function", "function": function}
    peer.message = {"role": "assistant", "content": None, "tool_calls": [call]}
    async with Target(peer.url, None) as target:
        reply = await target.ask(ASK)
    assert reply.texts == ('{"name": "add", "arguments": {"a": 1, "b": 2}}',)
