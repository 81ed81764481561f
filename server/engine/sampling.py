"""The sampling parameters of one draw, made of those of its request."""

from __future__ import annotations

import copy

from vllm import SamplingParams
from vllm.sampling_params import RequestOutputKind

from adaptation.types import Draw

ASIDE_TOKENS = 512
"""Most tokens of a reply that only the strategy reads."""
FORMS = (
    "structured_outputs",
    "stop",
    "stop_token_ids",
    "bad_words",
    "logit_bias",
    "allowed_token_ids",
    "min_tokens",
    "ignore_eos",
    "logprobs",
)
"""Parameters by which a request shapes what it is given, or asks more of it than words."""


def params_for(params: SamplingParams, draw: Draw) -> SamplingParams:
    """Return the request's own parameters with the draw's temperature and seed, for one sample."""
    own = copy.copy(params)  # what it holds is vLLM's to copy, once it has been looked at
    own.n = 1
    own.output_kind = RequestOutputKind.DELTA
    own.stream_interval = None  # every token is counted when it comes: budgets hold
    if own.logprobs is None and not own.logprob_token_ids:
        own.logprobs = 0  # the sampled token's own, to break ties by
    own.flat_logprobs = True  # see `Trail`
    own.seed = draw.seed
    if draw.temperature is not None:
        own.temperature = draw.temperature
    return _freed(own) if draw.is_aside else own


def _freed(params: SamplingParams) -> SamplingParams:
    """Return parameters that hold a reply to no form, and neither stop nor prolong it."""
    free = SamplingParams()
    for name in FORMS:
        setattr(params, name, getattr(free, name))
    params.max_tokens = ASIDE_TOKENS
    return params
