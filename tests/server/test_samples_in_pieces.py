"""Samples of a vote are looked at every few tokens, and token by token where that may end them."""

from __future__ import annotations

import warnings
from collections import Counter
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
    from server.engine.outputs import PartialSample

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
    assert CLOSE_TOKENS < len(given) <= CLOSE_TOKENS + tokens / PIECE_TOKENS + 1


async def test_what_is_not_streamed_is_given_on_in_pieces_from_its_second_token_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: Counter[str] = Counter()
    add = PartialSample.add

    def counted(self: PartialSample, step: Any) -> int:
        steps[self.draw.request_id] += 1
        return add(self, step)

    monkeypatch.setattr(PartialSample, "add", counted)
    async with composed(tmp_path, monkeypatch, saying(LONG)) as server:
        answer = await server.chat(adaptation=QUIET)
        tokens = len(server.core.encode(answer["choices"][0]["message"]["content"])) + 1
    assert max(steps.values()) <= 2 + tokens / PIECE_TOKENS


async def test_a_string_to_stop_at_is_found_within_a_piece(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with composed(tmp_path, monkeypatch, saying(LONG)) as server:
        given = await chunks(server, stop=["12 more"])
    assert "".join(given) == "and then 10 more and then 11 more and then "


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


async def test_what_is_foretold_early_is_cut_early(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody looked at the first tokens one by one of the samples that foretell others."""
    text, certain = "so he has six more and", 12
    async with composed(tmp_path, monkeypatch, saying(text, logprob=-0.01 / certain)) as server:
        answer = await server.chat(adaptation={**QUIET, "max_samples": 12})
        whole = len(server.core.encode(f"{text}\n#### 14")) + 1
    late = answer["adaptation"]["samples"]["started"] - 4  # that many begin together
    assert late > 0
    assert certain < whole <= CLOSE_TOKENS
    assert answer["usage"]["completion_tokens"] <= 4 * whole + late * whole / 3


async def test_words_of_tokens_are_there_for_whoever_asks_for_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with composed(tmp_path, monkeypatch, saying(LONG)) as server:
        answer = await server.chat(logprobs=True, adaptation=QUIET)
        unasked = await server.chat(adaptation=QUIET)
    choice = answer["choices"][0]
    assert "".join(each["token"] for each in choice["logprobs"]["content"]).startswith("and then")
    assert unasked["choices"][0]["logprobs"] is None


def test_sampled_tokens_have_the_log_probabilities_that_vllm_reads() -> None:
    """Other requests of a batch may ask for more: then there are columns that nobody reads."""
    whole = LogprobsProcessor(None, FlatLogprobs(), None, 0.0, 0, None)
    bare = SampledLogprobs(whole)
    for tokens in (1, 3):
        ids = np.arange(3 * tokens).reshape(tokens, 3)
        lists = LogprobsLists(ids, -0.25 * ids, np.arange(1, tokens + 1))
        step = EngineCoreOutput(request_id="r", new_token_ids=[0] * tokens, new_logprobs=lists)
        for processor in (whole, bare):
            processor.update_from_output(step)
    starts = whole.logprobs.start_indices
    assert bare.logprobs == [whole.logprobs.logprobs[start] for start in starts]
    assert len(bare.logprobs) == 4
