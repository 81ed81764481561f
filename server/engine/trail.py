"""What vLLM gave out of one sample, step by step, kept without an object for each token.

Python's garbage collector looks at every container that is alive and holds the event loop the
while: a vote over long texts would keep a million of them, and stop the server for a second.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import Any, TypeGuard

from vllm.logprobs import FlatLogprobs
from vllm.outputs import CompletionOutput, RequestOutput, SamplingMask


class Trail:
    """Grows by one step after the other, and gives them out again, singly or as one."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._ends: list[int] = []
        """For each step the number of tokens up to its end."""
        self._token_ids: list[int] = []
        self._cumulative: list[float | None] = []
        self._logprobs = FlatLogprobs()
        """One position for each token, where anybody may be shown them."""
        self._masks: dict[int, Any] = {}
        """By step, where the request asked which tokens could be sampled."""
        self._first: RequestOutput | None = None
        self._last: RequestOutput | None = None

    def __len__(self) -> int:
        """How many steps there were."""
        return len(self._texts)

    @property
    def n_tokens(self) -> int:
        """How many tokens they brought together."""
        return len(self._token_ids)

    @property
    def token_ids(self) -> Sequence[int]:
        """Return the ids of all tokens."""
        return self._token_ids

    @property
    def last(self) -> CompletionOutput:
        """The latest step's only choice."""
        assert self._last is not None
        choice: CompletionOutput = self._last.outputs[0]
        return choice

    def add(self, step: RequestOutput) -> None:
        """Take a step of a request for a single choice."""
        self._first, self._last = self._first or step, step
        choice = self.last
        if choice.sampling_mask is not None:
            self._masks[len(self._texts)] = choice.sampling_mask
        self._texts.append(choice.text)
        self._token_ids += choice.token_ids
        self._ends.append(len(self._token_ids))
        self._cumulative.append(choice.cumulative_logprob)
        if not are_bare(choice.logprobs):
            _extend(self._logprobs, choice.logprobs)

    def part(self, words: Sequence[str]) -> None:
        """Make a step of several tokens one for each, where their `words` are its text."""
        if self._masks:  # which go by the step
            return
        texts: list[str] = []
        ends: list[int] = []
        cumulative: list[float | None] = []
        begin = 0
        for text, end, total in zip(self._texts, self._ends, self._cumulative, strict=True):
            own = words[begin:end]
            is_told = len(own) > 1 and "".join(own) == text
            texts += own if is_told else [text]
            ends += range(begin + 1, end + 1) if is_told else [end]
            cumulative += [total] * (len(own) if is_told else 1)
            begin = end
        self._texts, self._ends, self._cumulative = texts, ends, cumulative

    def steps(self, *, logprobs: bool) -> Iterator[RequestOutput]:
        """Yield the steps as they came; `logprobs` says whether the client asked for them."""
        final = len(self._texts) - 1
        begin = 0
        for place, (text, end) in enumerate(zip(self._texts, self._ends, strict=True)):
            model = self._first if place == 0 else self._last
            choice = CompletionOutput(
                index=0,
                text=text,
                token_ids=self._token_ids[begin:end],
                cumulative_logprob=self._cumulative[place],
                logprobs=list(self._logprobs[begin:end]) if logprobs else None,
                sampling_mask=self._masks.get(place),
            )
            yield _with(model, self._ended(choice) if place == final else choice)
            begin = end

    def whole(self, *, logprobs: bool) -> RequestOutput:
        """Return all steps as one."""
        choice = CompletionOutput(
            index=0,
            text="".join(self._texts),
            token_ids=list(self._token_ids),
            cumulative_logprob=self._cumulative[-1],
            logprobs=list(self._logprobs) if logprobs else None,
        )
        if self._masks:
            masks = self._masks.values()
            choice.sampling_mask = SamplingMask([ids for mask in masks for ids in mask.token_ids])
        return _with(self._first, self._ended(choice))

    def _ended(self, choice: CompletionOutput) -> CompletionOutput:
        """Return `choice` with what vLLM tells at the end alone."""
        ended = copy.copy(self.last)
        ended.index, ended.text, ended.token_ids = 0, choice.text, choice.token_ids
        ended.logprobs, ended.sampling_mask = choice.logprobs, choice.sampling_mask
        return ended


def are_bare(logprobs: Any) -> TypeGuard[list[float]]:
    """Whether they are numbers, as nobody may be shown more: see `easing.SampledLogprobs`."""
    return isinstance(logprobs, list) and bool(logprobs) and isinstance(logprobs[0], float)


def _extend(flat: FlatLogprobs, more: Any) -> None:
    """Add the positions of `more`, which counts its own from 0."""
    if not isinstance(more, FlatLogprobs):
        flat.extend(more or ())
        return
    offset = len(flat.logprobs)
    flat.start_indices += [offset + start for start in more.start_indices]
    flat.end_indices += [offset + end for end in more.end_indices]
    flat.token_ids += more.token_ids
    flat.logprobs += more.logprobs
    flat.ranks += more.ranks
    flat.decoded_tokens += more.decoded_tokens


def _with(model: RequestOutput | None, choice: CompletionOutput) -> RequestOutput:
    output = copy.copy(model)
    assert output is not None
    output.outputs = [choice]
    return output
