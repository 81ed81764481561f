"""What of a request decides its greedy answers, so that others' requests are told apart by it."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # vLLM's imports
    from vllm import SamplingParams
    from vllm.sampling_params import StructuredOutputsParams

    from server.engine.vllm_engine import EngineRequest


def terms(**params: Any) -> str:
    return EngineRequest("prompt", SamplingParams(**params), {}).terms


@pytest.mark.parametrize(
    "params",
    [
        {"seed": 7},
        {"temperature": 0.2, "top_p": 0.5, "top_k": 3},
        {"n": 3},
        {"max_tokens": 5},
        {"logprobs": 2},
    ],
)
def test_chance_and_length_are_no_terms(params: dict[str, Any]) -> None:
    assert terms(**params) == terms()


@pytest.mark.parametrize(
    "params",
    [
        {"stop": ["\n"]},
        {"logit_bias": {3: -100.0}},
        {"repetition_penalty": 1.2},
        {"bad_words": ["no"]},
        {"structured_outputs": StructuredOutputsParams(regex="[0-9]+")},
    ],
)
def test_what_bends_an_answer_is(params: dict[str, Any]) -> None:
    assert terms(**params) != terms()
    assert terms(**params) == terms(**params, seed=3)


def test_the_requests_own_parameters_stay_as_they_are() -> None:
    params = SamplingParams(n=2, seed=7, temperature=0.5, max_tokens=9)
    assert EngineRequest("prompt", params, {}).terms
    assert (params.n, params.seed, params.temperature, params.max_tokens) == (2, 7, 0.5, 9)
