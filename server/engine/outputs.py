"""From what vLLM generates to samples, and from samples to what its handlers expect."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from vllm import SamplingParams
from vllm.logprobs import FlatLogprobs
from vllm.outputs import CompletionOutput, RequestOutput
from vllm.sampling_params import RequestOutputKind

from adaptation.report import Report
from adaptation.types import Draw, Outcome, Sample
from server.engine.trail import Trail, are_bare

BLANK_TOKENS = 64
"""So much white space without end is no layout: a model held to a grammar can go on with it for
ever."""
LOOP_TOKENS, LONGEST_LOOP = 192, 32
"""A vote that says the same few tokens over and over for so long will say nothing else."""
LOOK_EVERY = 32
"""Tokens between two looks for that."""
_PIECES = re.compile(r"\s*[^\W\d_]+|\s*\S|\s+")
"""Words, other signs one by one."""


class Given(NamedTuple):
    """One output for vLLM's handler, and what is known of the answer by then."""

    output: RequestOutput
    report: Report | None = None
    """What came of the prompt: with its last output at the latest."""
    recited: int = 0
    """How many tokens of the answer come from memory, and were not generated."""
    adapter: str | None = None
    """The id that reports show of what answered beside the base, once that is known."""


@dataclass
class PartialSample:
    """One sample while it is generated."""

    draw: Draw
    trail: Trail = field(default_factory=Trail)
    text: str = ""
    n_tokens: int = 0
    logprobs: list[float] = field(default_factory=list)
    chars: dict[int, int] = field(default_factory=dict)
    """See `Sample.chars`; `server.engine.easing` adds what lies between two steps."""
    blank_tokens: int = 0
    """Tokens since the last that brought anything but white space."""
    blank_chars: int = 0
    """What they brought; none, where vLLM holds text back that may be a stop."""
    _looked_at: int = 0
    """At how many tokens it was last looked at for loops."""

    @property
    def is_blank(self) -> bool:
        """Whether its end is white space and nothing else."""
        return min(self.blank_tokens, self.blank_chars) >= BLANK_TOKENS

    @property
    def is_repeating(self) -> bool:
        """Whether its end is the same few tokens over and over."""
        if self.n_tokens < LOOP_TOKENS or self.n_tokens - self._looked_at < LOOK_EVERY:
            return False
        self._looked_at = self.n_tokens
        tail = list(self.trail.token_ids[-LOOP_TOKENS:])
        return any(tail[loop:] == tail[:-loop] for loop in range(1, LONGEST_LOOP + 1))

    def add(self, step: RequestOutput) -> int:
        """Take a step's text and tokens; return how many tokens it brought."""
        self.trail.add(step)
        (completion,) = step.outputs
        self.text += completion.text
        self.n_tokens += len(completion.token_ids)
        self.chars[self.n_tokens] = len(self.text)
        self.logprobs += _sampled_logprobs(completion)
        if completion.text.strip():
            self.blank_tokens = self.blank_chars = 0
        else:
            self.blank_tokens += len(completion.token_ids)
            self.blank_chars += len(completion.text)
        return len(completion.token_ids)

    def sample(self) -> Sample:
        """Return what there is of it."""
        return Sample(
            index=self.draw.index,
            text=self.text,
            n_tokens=self.n_tokens,
            finish_reason=self.trail.last.finish_reason,
            logprobs=self.logprobs,
            chars=self.chars,
            adapter=self.draw.adapter.version if self.draw.adapter else None,
            instruction=self.draw.instruction,
            engine_output=self.trail,
        )


def recited(prompt: Any, text: str, ids: Sequence[int]) -> Sample:
    """Return a sample of a text and its tokens that nobody generated; it is streamed by pieces."""
    partial, pieces = PartialSample(Draw(0, "", None, None, None)), _PIECES.findall(text) or [""]
    # Which tokens make which piece is nobody's concern, but that the first has one.
    bounds = [-(-place * len(ids) // len(pieces)) for place in range(len(pieces) + 1)]
    for place, piece in enumerate(pieces):
        ends = place == len(pieces) - 1
        own, finish = list(ids[bounds[place] : bounds[place + 1]]), "stop" if ends else None
        choice = CompletionOutput(0, piece, own, None, None, finish_reason=finish)
        given = _prompt_ids(prompt)
        partial.add(RequestOutput("", None, given, None, [choice], ends, num_cached_tokens=0))
    return replace(partial.sample(), n_tokens=0, logprobs=())


def _prompt_ids(prompt: Any) -> list[int] | None:
    return prompt.get("prompt_token_ids") if isinstance(prompt, Mapping) else None


def _sampled_logprobs(completion: CompletionOutput) -> list[float]:
    """The log-probability of each sampled token, which comes first of its position."""
    flat = completion.logprobs
    if are_bare(flat):
        return flat
    if not isinstance(flat, FlatLogprobs):
        sampled = zip(completion.token_ids, flat or (), strict=False)
        return [found[token].logprob for token, found in sampled if token in found]
    places = zip(flat.start_indices, flat.end_indices, strict=True)
    return [flat.logprobs[start] for start, end in places if start < end]


def is_streamed(params: SamplingParams) -> bool:
    """Whether the handler passes on what it is given step by step."""
    return params.output_kind is RequestOutputKind.DELTA


def opening(request_id: str, prompt: Any) -> RequestOutput:
    """Return an output that holds nothing yet: upon the first, handlers open their streams."""
    nothing = CompletionOutput(
        index=0, text="", token_ids=[], cumulative_logprob=None, logprobs=[], finish_reason=None
    )
    return RequestOutput(
        request_id=request_id,
        prompt=None,
        prompt_token_ids=_prompt_ids(prompt),
        prompt_logprobs=None,
        outputs=[nothing],
        finished=False,
    )


def as_outputs(
    request_id: str, outcome: Outcome, params: SamplingParams
) -> Iterator[RequestOutput]:
    """Yield the chosen samples as the handler expects them: whole, or step by step for a stream."""
    logprobs = params.logprobs is not None or bool(params.logprob_token_ids)
    if is_streamed(params):
        yield from _as_steps(request_id, outcome, logprobs=logprobs)
    else:
        yield _as_whole(request_id, outcome, logprobs=logprobs)


def _as_steps(request_id: str, outcome: Outcome, *, logprobs: bool) -> Iterator[RequestOutput]:
    last = len(outcome.samples) - 1
    for index, sample in enumerate(outcome.samples):
        trail = _trail(sample)
        for place, step in enumerate(trail.steps(logprobs=logprobs), start=1):
            ends = place == len(trail)
            choice = step.outputs[0]
            choice.index, choice.finish_reason = index, sample.finish_reason if ends else None
            yield _given(step, request_id, finished=ends and index == last)


def _as_whole(request_id: str, outcome: Outcome, *, logprobs: bool) -> RequestOutput:
    wholes = [_trail(sample).whole(logprobs=logprobs) for sample in outcome.samples]
    output = wholes[0]
    output.outputs = [whole.outputs[0] for whole in wholes]
    for index, (choice, sample) in enumerate(zip(output.outputs, outcome.samples, strict=True)):
        choice.index, choice.finish_reason = index, sample.finish_reason
    return _given(output, request_id, finished=True)


def _trail(sample: Sample) -> Trail:
    assert isinstance(sample.engine_output, Trail)
    return sample.engine_output


def _given(output: RequestOutput, request_id: str, *, finished: bool) -> RequestOutput:
    output.request_id, output.finished = request_id, finished
    output.lora_request = None
    return output


def tokens_of(output: RequestOutput) -> int:
    """Return how many tokens an output brings, all choices together."""
    return sum(len(choice.token_ids) for choice in output.outputs)


def shown_tokens(sample: Sample) -> int:
    """Return how many tokens a sample shows, generated or not."""
    return _trail(sample).n_tokens


def first_text(output: RequestOutput, params: SamplingParams, before: str) -> str:
    """Return the text of the first choice so far, `before` of it seen earlier."""
    text = "".join(choice.text for choice in output.outputs if choice.index == 0)
    return before + text if params.output_kind is RequestOutputKind.DELTA else text
