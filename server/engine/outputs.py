"""From what vLLM generates to samples, and from samples to what its handlers expect."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from vllm import SamplingParams
from vllm.outputs import CompletionOutput, RequestOutput
from vllm.sampling_params import RequestOutputKind

from adaptation.types import Draw, Outcome, Sample

BLANK_TOKENS = 64
"""So much white space without end is no layout: a model held to a grammar can go on with it for
ever."""


@dataclass
class Growing:
    """One sample while it is generated, step by step as vLLM gave it out."""

    draw: Draw
    steps: list[RequestOutput] = field(default_factory=list)
    text: str = ""
    n_tokens: int = 0
    logprobs: list[float] = field(default_factory=list)
    blank_tokens: int = 0
    """Tokens since the last that brought anything but white space."""
    blank_chars: int = 0
    """What they brought; none, where vLLM holds text back that may be a stop."""

    @property
    def is_blank(self) -> bool:
        """Whether its end is white space and nothing else."""
        return min(self.blank_tokens, self.blank_chars) >= BLANK_TOKENS

    def add(self, step: RequestOutput) -> int:
        """Take a step's text and tokens; return how many tokens it brought."""
        self.steps.append(step)
        (completion,) = step.outputs
        self.text += completion.text
        self.n_tokens += len(completion.token_ids)
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
            finish_reason=self.steps[-1].outputs[0].finish_reason,
            logprobs=self.logprobs,
            adapter=self.draw.adapter.version if self.draw.adapter else None,
            instruction=self.draw.instruction,
            native=self.steps,
        )


def _sampled_logprobs(completion: CompletionOutput) -> list[float]:
    """The log-probability of each sampled token, where they were asked for."""
    sampled = zip(completion.token_ids, completion.logprobs or (), strict=False)
    return [found[token].logprob for token, found in sampled if token in found]


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
        prompt_token_ids=prompt.get("prompt_token_ids") if isinstance(prompt, Mapping) else None,
        prompt_logprobs=None,
        outputs=[nothing],
        finished=False,
    )


def as_outputs(
    request_id: str, outcome: Outcome, params: SamplingParams
) -> Iterator[RequestOutput]:
    """Yield the chosen samples as the handler expects them: whole, or step by step for a stream."""
    if is_streamed(params):
        yield from _as_steps(request_id, outcome)
    else:
        yield _as_whole(request_id, outcome)


def _as_steps(request_id: str, outcome: Outcome) -> Iterator[RequestOutput]:
    last = len(outcome.samples) - 1
    for index, sample in enumerate(outcome.samples):
        steps = _steps(sample)
        for place, step in enumerate(steps):
            ends = place == len(steps) - 1
            choice = copy.copy(step.outputs[0])
            choice.index, choice.finish_reason = index, sample.finish_reason if ends else None
            yield _output_of(request_id, step, [choice], finished=ends and index == last)


def _as_whole(request_id: str, outcome: Outcome) -> RequestOutput:
    choices = []
    for index, sample in enumerate(outcome.samples):
        first, *others = _steps(sample)
        whole = copy.deepcopy(first)
        for step in others:
            whole.add(step, aggregate=True)
        choice = whole.outputs[0]
        choice.index, choice.finish_reason = index, sample.finish_reason
        choices.append(choice)
    return _output_of(request_id, _steps(outcome.samples[0])[0], choices, finished=True)


def _steps(sample: Sample) -> list[RequestOutput]:
    assert isinstance(sample.native, list)
    return sample.native


def _output_of(
    request_id: str, model: RequestOutput, choices: list[CompletionOutput], *, finished: bool
) -> RequestOutput:
    output = copy.copy(model)
    output.request_id, output.outputs, output.finished = request_id, choices, finished
    output.lora_request = None
    return output


def tokens_of(output: RequestOutput) -> int:
    """Return how many tokens an output brings, all choices together."""
    return sum(len(choice.token_ids) for choice in output.outputs)


def first_text(output: RequestOutput, params: SamplingParams, before: str) -> str:
    """Return the text of the first choice so far, `before` of it seen earlier."""
    text = "".join(choice.text for choice in output.outputs if choice.index == 0)
    return before + text if params.output_kind is RequestOutputKind.DELTA else text
