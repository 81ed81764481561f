"""One token a step, for samples whose steps came as one: what parsers of streams are used to.

Under load vLLM joins what a request's reader has not taken yet, and several of its parsers misread
what brings more than one token (0.32, vllm-project/vllm#55195): that of Granite gives the end of
the words that open the reasoning as part of it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from tokenizers import Tokenizer
from tokenizers.decoders import DecodeStream
from vllm.sampling_params import SamplingParams

from server.engine.trail import Trail

logger = logging.getLogger(__name__)


def part(trail: Trail, tokenizer: Any, prompt: Mapping[str, Any], params: SamplingParams) -> None:
    """Make each step of several tokens one for each, where their words are its text.

    They are not where text was held back for a stop string, or a tokenizer is none of the library
    `tokenizers`.
    """
    fast = getattr(tokenizer, "_tokenizer", None)
    if len(trail) == trail.n_tokens or not isinstance(fast, Tokenizer):
        return
    before = list(prompt.get("prompt_token_ids") or ())
    stream = DecodeStream(ids=before, skip_special_tokens=params.skip_special_tokens)
    try:
        words = [stream.step(fast, token) or "" for token in trail.token_ids]
    except Exception as error:  # noqa: BLE001  of what is no UTF-8, or no token
        logger.info("the words of tokens cannot be told: %s", error)
    else:
        trail.part(words)
