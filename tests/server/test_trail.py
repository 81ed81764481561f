"""The steps of a sample go in and come out, and cost the garbage collector nothing meanwhile."""

from __future__ import annotations

import copy
import gc
import warnings
from collections.abc import Iterator
from dataclasses import asdict
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer

from adaptation.pebble import model_path
from adaptation.types import Draw

with warnings.catch_warnings():  # of importing vLLM: others' deprecations
    warnings.simplefilter("ignore")
    from vllm.logprobs import FlatLogprobs
    from vllm.outputs import CompletionOutput, RequestOutput, SamplingMask
    from vllm.reasoning import ReasoningParserManager
    from vllm.sampling_params import SamplingParams

    from server.engine.outputs import PartialSample
    from server.engine.singly import part
    from server.engine.trail import Trail

STEPS = st.lists(st.lists(st.integers(0, 9), max_size=3), min_size=1, max_size=6)
"""The tokens of each step: vLLM holds some back, and gives several where it guesses ahead."""


def made(
    ids_by_step: list[list[int]], *, alternatives: int = 0, masked: bool = True
) -> list[RequestOutput]:
    """Return steps as vLLM gives them out, the last of them with what comes at the end."""
    steps, total = [], 0.0
    for place, ids in enumerate(ids_by_step):
        flat = FlatLogprobs()
        for token in ids:
            others = range(token, token + 1 + alternatives)
            flat.append_fast(list(others), [-0.5 - i for i in range(len(others))],
                             iter(range(len(others))), [f"t{i}" for i in others])  # fmt: skip
            total -= 0.5
        is_last = place == len(ids_by_step) - 1
        choice = CompletionOutput(
            0, "".join(map(str, ids)), list(ids), total, flat,
            finish_reason="stop" if is_last else None, stop_reason="##" if is_last else None,
            sampling_mask=SamplingMask([[token] for token in ids]) if masked else None,
        )  # fmt: skip
        step = RequestOutput("r", None, [1], None, [choice], is_last, num_cached_tokens=3)
        step.prompt_logprobs = [None] if place == 0 else None
        steps.append(step)
    return steps


def shown(output: RequestOutput) -> dict[str, Any]:
    """Everything of an output, with logprobs as handlers read them."""
    (choice,) = output.outputs
    told = {**asdict(choice), "logprobs": list(choice.logprobs), "token_ids": [*choice.token_ids]}
    return {**vars(output), "outputs": told}


@given(STEPS)
def test_steps_come_out_as_they_went_in(ids_by_step: list[list[int]]) -> None:
    steps, trail = made(ids_by_step, alternatives=2), Trail()
    for step in steps:
        trail.add(step)
    out = list(trail.steps(logprobs=True))
    assert len(out) == len(trail) == len(steps)
    for place, (step, again) in enumerate(zip(steps, out, strict=True)):
        again.finished = step.finished  # of which the caller decides
        assert shown(again) == shown(step), place


@given(STEPS)
def test_the_whole_is_what_vllm_makes_of_the_steps(ids_by_step: list[list[int]]) -> None:
    steps, trail = made(ids_by_step), Trail()
    for step in steps:
        trail.add(step)
    first, *others = copy.deepcopy(steps)
    for step in others:
        first.add(step, aggregate=True)
    whole = trail.whole(logprobs=True)
    whole.finished = first.finished
    assert shown(whole) == shown(first)
    assert trail.whole(logprobs=False).outputs[0].logprobs is None


def test_a_long_sample_keeps_no_object_for_each_token() -> None:
    partial = PartialSample(Draw(0, "r", None, None, None))
    gc.collect()
    before = len(gc.get_objects())
    for step in made([[token % 10] for token in range(1000)], masked=False):
        partial.add(step)
    del step
    gc.collect()
    assert len(gc.get_objects()) - before < 100
    assert len(partial.logprobs) == partial.n_tokens == 1000


@given(STEPS, st.integers(0, 6))
def test_steps_of_several_tokens_come_out_one_by_one_where_their_words_are_told(
    ids_by_step: list[list[int]], untold: int
) -> None:
    trail = Trail()
    for step in made(ids_by_step, masked=False):
        trail.add(step)
    whole = shown(trail.whole(logprobs=True))
    words = [str(token) for ids in ids_by_step for token in ids]
    held = untold < len(ids_by_step) and len(ids_by_step[untold]) > 1
    if held:  # as where a stop string may have begun
        words[sum(map(len, ids_by_step[:untold]))] += "?"
    trail.part(words)
    out = [step.outputs[0] for step in trail.steps(logprobs=True)]
    longest = max(len(choice.token_ids) for choice in out)
    assert longest <= 1 or (held and longest == len(ids_by_step[untold]))
    assert [len(choice.token_ids) for choice in out] == [len(choice.logprobs) for choice in out]
    assert shown(trail.whole(logprobs=True)) == whole


SAID = "Here is my thought process: 12+7=19. 19-5=14 naïve. Here is my response: #### 14"


def test_a_streams_parser_is_given_what_it_would_be_on_an_idle_server() -> None:
    tokenizer = AutoTokenizer.from_pretrained(model_path())
    ids = tokenizer.encode(SAID, add_special_tokens=False)
    ends = [0, 16, 40, len(ids)]
    joined = [ids[begin:end] for begin, end in pairwise(ends)]
    trail = Trail()
    for step, text in zip(made(joined, masked=False), map(tokenizer.decode, joined), strict=True):
        step.outputs[0].text = text
        trail.add(step)
    part(trail, tokenizer, {"prompt_token_ids": [ids[0]]}, SamplingParams())
    parser = ReasoningParserManager.get_reasoning_parser("granite")(tokenizer)
    assert "".join(streamed(parser, trail)).strip() == "12+7=19. 19-5=14 naïve."
    assert len(trail) == len(ids)


def streamed(parser: Any, trail: Trail) -> Iterator[str]:
    """Yield the reasoning that a parser reads out of a stream."""
    before, ids_before = "", []
    for step in trail.steps(logprobs=False):
        (choice,) = step.outputs
        so_far, ids = before + choice.text, [*ids_before, *choice.token_ids]
        given = (before, so_far, choice.text, ids_before, ids, choice.token_ids)
        delta = parser.extract_reasoning_streaming(*given)
        yield (delta and delta.reasoning) or ""
        before, ids_before = so_far, ids
