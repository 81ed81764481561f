"""What crosses the line: a request of vLLM's client as JSON, and the tokens that come back.

vLLM's own protocol (`entrypoints.scale_out.token_in_token_out.protocol`). Text is made on this
side, so stop strings are looked for here, and the other end knows nothing of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from vllm import SamplingParams
from vllm.v1.engine import FINISH_REASON_STRINGS, EngineCoreOutput, EngineCoreRequest, FinishReason
from vllm.v1.metrics.stats import PrefillStats
from vllm.v1.outputs import LogprobsLists, SamplingMaskLists

OF_TEXT = frozenset(
    {"n", "stop", "detokenize", "include_stop_str_in_output", "output_text_buffer_length"}
    | {"skip_special_tokens", "spaces_between_special_tokens"}
    | {"flat_logprobs", "output_kind", "skip_clone"}
)
"""Parameters that vLLM's client keeps to itself."""
UNSENT = ("prompt_logprobs", "prompt_logprob_token_ids", "logprob_token_ids")
"""Parameters whose outputs the route does not stream: `serve_tokens_stream_generator` in 0.32."""


def unsendable(request: EngineCoreRequest) -> str | None:
    """Return what of a request a remote engine cannot be asked, None where it can."""
    if request.mm_features or request.prompt_embeds is not None:
        return "images, sound and embeddings"
    params = request.sampling_params
    if params is None:
        return "pooling"
    return next((f"`{name}`" for name in UNSENT if getattr(params, name) is not None), None)


def body_of(request: EngineCoreRequest, model: str) -> bytes:
    """Return the JSON of a request for `model`: the base, or an adapter by its name there."""
    told = {
        "request_id": request.request_id,
        "token_ids": request.prompt_token_ids,
        "sampling_params": _sampling(request.sampling_params),
        "model": model,
        "stream": True,
        "cache_salt": request.cache_salt,
        "priority": request.priority,
        "reasoning_ended": request.reasoning_ended,
        "reasoning_parser_kwargs": request.reasoning_parser_kwargs,
    }
    return msgspec.json.encode({key: value for key, value in told.items() if value is not None})


def _sampling(params: SamplingParams) -> dict[str, Any]:
    """Return what differs from vLLM's own values, of what the other end has to know."""
    usual = SamplingParams()
    given = {
        name: msgspec.to_builtins(getattr(params, name))
        for name in params.__struct_fields__
        if not name.startswith("_")
        and name not in OF_TEXT
        and getattr(params, name) != getattr(usual, name)
    }
    if (form := given.get("structured_outputs")) is not None:
        kept = {key: each for key, each in form.items() if not key.startswith("_")}
        given["structured_outputs"] = {key: each for key, each in kept.items() if each is not None}
    if params.logprobs is not None and params.logprobs > 0:
        given["logprobs"] = params.logprobs + 1  # 0.32 leaves the last one out beside the sampled
    return given | {"max_tokens": params.max_tokens, "detokenize": False}


def output_of(
    request: EngineCoreRequest, choice: Mapping[str, Any], *, is_first: bool
) -> EngineCoreOutput:
    """Return the only choice of an event as vLLM's core would give it."""
    reason, content = choice["finish_reason"], (choice.get("logprobs") or {}).get("content")
    return EngineCoreOutput(
        request_id=request.request_id,
        new_token_ids=choice["token_ids"],
        new_logprobs=_logprobs(content, request.sampling_params.logprobs) if content else None,
        finish_reason=FinishReason(FINISH_REASON_STRINGS.index(reason)) if reason else None,
        stop_reason=choice.get("stop_reason"),
        prefill_stats=PrefillStats() if is_first else None,
        new_sampling_mask=_mask(choice.get("sampling_mask")),
    )


def _logprobs(content: Sequence[Mapping[str, Any]], others: int) -> LogprobsLists:
    """Return each position's sampled token first, then the likeliest `others`; -1 for all."""
    rows = [_row(position, others) for position in content]
    widest = max(map(len, rows))
    table = [row + row[:1] * (widest - len(row)) for row in rows]  # as vLLM fills what is not there
    return LogprobsLists(
        np.array([[token for token, _ in row] for row in table]),
        np.array([[logprob for _, logprob in row] for row in table]),
        np.array([position.get("rank") or 0 for position in content]),
    )


def _row(position: Mapping[str, Any], others: int) -> list[tuple[int, float]]:
    ranked = [each for each in position["top_logprobs"] if each.get("rank")]
    ranked.sort(key=lambda each: int(each["rank"]))
    likely = [each for each in ranked if others < 0 or each["rank"] <= others]
    return [(each["token_id"], each["logprob"]) for each in (position, *likely)]


def _mask(token_ids: Sequence[Sequence[int]] | None) -> SamplingMaskLists | None:
    """Return which tokens could be sampled at each position, where the request asked for it."""
    if token_ids is None:
        return None
    ends = np.cumsum([0, *map(len, token_ids)])
    return SamplingMaskLists(np.array([each for ids in token_ids for each in ids]), ends)
