"""What vLLM need not do for the samples of a vote, beside its engine.

Most of what a token costs there is handing it on, and reading its word and its log-probability
alone. So several are handed on at once, and read when they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vllm.v1.engine import EngineCoreOutput
from vllm.v1.engine.detokenizer import FastIncrementalDetokenizer
from vllm.v1.engine.logprobs import LogprobsProcessor

from adaptation.types import Draw
from server.engine.outputs import PartialSample
from server.engine.under_way import states_of

CLOSE_TOKENS, PIECE_TOKENS = 16, 16
"""Each of its first tokens is looked at, of a sample that may be foretold by then or that may be
streamed; so many are handed on at once."""


class SampledLogprobs(LogprobsProcessor):  # type: ignore[misc]
    """Keeps the log-probability of each sampled token as a number, and nothing else of it.

    Of vLLM's work on a token a third was reading all that a client may be shown.
    """

    def __init__(self, whole: LogprobsProcessor) -> None:
        """Take the place of vLLM's own, of which all has been handed on."""
        super().__init__(**{**vars(whole), "logprobs": [], "cumulative_logprob": None})

    def update_from_output(self, output: EngineCoreOutput) -> None:
        """Take what a step brought."""
        if output.new_logprobs is None:
            return
        found = output.new_logprobs.logprobs  # (T, 1 + others)
        self.logprobs += [found.item(0)] if len(found) == 1 else found[:, 0].tolist()


class LateWords(FastIncrementalDetokenizer):  # type: ignore[misc]
    """Reads the words of tokens once they are asked for: no stop string is looked for in them."""

    def __init__(self, eager: FastIncrementalDetokenizer, chars: dict[int, int]) -> None:
        """Take the place of vLLM's own, with what that has read.

        `chars`, see `Sample`, is told what the first tokens come to: others may be cut off there.
        """
        self.__dict__.update(vars(eager))
        self._unread: list[int] = []
        self._chars, self._words = chars, len(self.token_ids)

    def update(self, new_token_ids: list[int], stop_terminated: bool) -> None:
        """Keep what a step brought; the token that ends a turn has no word."""
        self.token_ids += new_token_ids
        is_wordless = stop_terminated and not self.include_stop_str_in_output
        self._unread += new_token_ids[:-1] if is_wordless else new_token_ids

    def get_next_output_text(self, finished: bool, delta: bool) -> str:
        """Return the text, as vLLM's own does."""
        unread, self._unread = self._unread, []
        for token in unread:
            self.output_text += self.decode_next(token)
            self._words += 1
            if self._words <= CLOSE_TOKENS:
                self._chars[self._words] = len(self.output_text)
        text: str = super().get_next_output_text(finished, delta)
        return text


@dataclass(frozen=True)
class Easing:
    """Eases one running sample."""

    client: Any
    draw: Draw
    shows_logprobs: bool
    """Whether a client is shown log-probabilities, with the words of tokens."""
    is_streamed: bool
    """Whether a client may be given it as a stream, which begins token by token."""
    is_close: bool
    """Whether every token is looked at as it comes."""

    def after(self, partial: PartialSample) -> None:
        """Ease what follows of a sample; call it after each step."""
        place = self.draw.foretold_after
        begins_close = self.is_streamed or (place is not None and place < CLOSE_TOKENS)
        is_close = self.is_close or (begins_close and partial.n_tokens < CLOSE_TOKENS)
        for state in states_of(self.client, self.draw.request_id):
            if not self.shows_logprobs:
                _read_sampled_alone(state)
            if not is_close:
                _hand_on_pieces(state, partial)


def _read_sampled_alone(state: Any) -> None:
    """Begin with it where nothing waits, neither to be handed on nor to be taken.

    vLLM may join an output to one that waits, and both have to be of one kind.
    """
    counted = state.stream_interval > 1  # how many tokens were handed on: else it is all of them
    is_behind = counted and state.sent_tokens_offset < state.detokenizer.num_output_tokens()
    is_new = type(state.logprobs_processor) is LogprobsProcessor
    if is_new and not is_behind and state.queue.output is None:
        state.logprobs_processor = SampledLogprobs(state.logprobs_processor)


def _hand_on_pieces(state: Any, partial: PartialSample) -> None:
    """Have vLLM hand on at once what follows up to the next multiple of `PIECE_TOKENS`.

    So samples are seen at the same lengths, which `voting.foregone` compares them at. vLLM's own
    `stream_interval` does that from a request's first token on, and from any token here. An end is
    told at once, with all that was held back until then.
    """
    if state.stream_interval == 1:
        eager = state.detokenizer
        # A string to stop at has to be looked for at each token, and words are there then.
        if type(eager) is FastIncrementalDetokenizer and not eager.stop:
            state.detokenizer = LateWords(eager, partial.chars)
        elif partial.n_tokens < CLOSE_TOKENS:
            return  # nobody else would note what the first tokens come to
        # vLLM handed on all there is, and kept no count of it.
        state.sent_tokens_offset = state.detokenizer.num_output_tokens()
    # Never 1 again: vLLM would stop counting what it hands on.
    state.stream_interval = 2 + (-2 - state.sent_tokens_offset) % PIECE_TOKENS
