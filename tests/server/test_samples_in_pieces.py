"""Samples of a vote are looked at token by token at first, then every few tokens."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.server.composed import ASK, Composed, Reply, composed

with warnings.catch_warnings():  # of importing vLLM: others' deprecations
    warnings.simplefilter("ignore")
    from vllm.logprobs import FlatLogprobs
    from vllm.v1.engine import EngineCoreOutput
    from vllm.v1.engine.logprobs import LogprobsProcessor
    from vllm.v1.outputs import LogprobsLists

    from server.engine.easing import CLOSE_TOKENS, PIECE_TOKENS, SampledLogprobs

pytestmark = pytest.mark.filterwarnings("ignore:max_tokens is deprecated:DeprecationWarning")
LONG = " ".join(f"and then {number} more" for number in range(10, 40))
QUIET: dict[str, Any] = {"max_samples": 4, "memory": {"read": False, "write": False}}


def saying(text: str, logprob: float = -0.1) -> Callable[[Any], Reply]:
    """A script whose samples come to 14 and 18 in turn."""

    def reply(request: Any) -> Reply:
        index = int(str(request.external_req_id).rpartition("-")[2])
        return Reply(f"{text}\n#### {18 if index % 2 else 14}", logprob=logprob)

    return reply


async def chunks(server: Composed, **more: Any) -> list[str]:
    asked = {**ASK, **more, "adaptation": {**QUIET, **more.get("adaptation", {})}}
    events = await server.events("/v1/chat/completions", **asked)
    deltas = [choice["delta"] for event in events for choice in event["choices"]]
    return [delta["content"] for delta in deltas if delta.get("content")]


async def test_a_long_sample_is_given_on_in_pieces_and_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with composed(tmp_path, monkeypatch, saying(LONG)) as server:
        given = await chunks(server)
        tokens = len(server.core.encode("".join(given)))
    assert "".join(given) in (f"{LONG}\n#### 14", f"{LONG}\n#### 18")
    assert len(given) <= CLOSE_TOKENS + tokens / PIECE_TOKENS + 1


async def test_under_a_budget_of_tokens_each_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with composed(tmp_path, monkeypatch, saying(LONG)) as server:
        given = await chunks(server, adaptation={"budget": {"tokens": 100_000}})
        tokens = len(server.core.encode("".join(given)))
    assert len(given) > tokens / 2


async def test_what_is_foretold_is_cut_in_the_midst_of_a_long_sample(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last fifty tokens of each text are certain, once one like it was heard to its end."""
    async with composed(tmp_path, monkeypatch, saying(LONG, logprob=-0.0002)) as server:
        answer = await server.chat(adaptation={**QUIET, "max_samples": 12})
        whole = len(server.core.encode(f"{LONG}\n#### 14")) + 1
    late = answer["adaptation"]["samples"]["started"] - 4  # that many begin together
    certain = 50
    assert late > 0
    assert answer["usage"]["completion_tokens"] <= 4 * whole + late * (
        whole - certain + 2 * PIECE_TOKENS
    )


async def test_words_of_tokens_are_there_for_whoever_asks_for_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with composed(tmp_path, monkeypatch, saying(LONG)) as server:
        answer = await server.chat(logprobs=True, adaptation=QUIET)
        unasked = await server.chat(adaptation=QUIET)
    choice = answer["choices"][0]
    assert "".join(each["token"] for each in choice["logprobs"]["content"]).startswith("and then")
    assert unasked["choices"][0]["logprobs"] is None


def test_sampled_tokens_are_read_as_vllm_reads_them() -> None:
    """Other requests of a batch may ask for more: then there are columns that nobody reads."""
    read = []
    for kind in (LogprobsProcessor, SampledLogprobs):
        processor = kind(None, FlatLogprobs(), None, 0.0, 0, None)
        for tokens in (1, 3):
            ids = np.arange(3 * tokens).reshape(tokens, 3)
            lists = LogprobsLists(ids, -0.25 * ids, np.arange(1, tokens + 1))
            processor.update_from_output(
                EngineCoreOutput(request_id="r", new_token_ids=[0] * tokens, new_logprobs=lists)
            )
        read.append((processor.logprobs, processor.cumulative_logprob))
    assert read[0] == read[1]
    assert len(read[1][0]) == 4
