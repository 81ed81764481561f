"""What vLLM need not do for the samples of a vote, beside its engine.

Most of what a token costs there is handing it on, and finding the word for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vllm.v1.engine import EngineCoreOutput
from vllm.v1.engine.logprobs import LogprobsProcessor

from server.engine.outputs import PartialSample
from server.engine.under_way import states_of

CLOSE_TOKENS, PIECE_TOKENS = 16, 16
"""Each of its first tokens is handed on, of a sample, and then every so many."""


class SampledLogprobs(LogprobsProcessor):  # type: ignore[misc]
    """Reads the log-probability of each sampled token: no other is asked for, nor any word."""

    def update_from_output(self, output: EngineCoreOutput) -> None:
        """Do what vLLM's own does, at a fraction of its work, and leave words out."""
        if output.new_logprobs is None:
            return
        token_ids, logprobs, ranks, *_ = output.new_logprobs  # (T, 1 + others), twice, and (T,)
        flat, new = self.logprobs, logprobs[:, 0].tolist()
        first = len(flat.logprobs)
        flat.start_indices += range(first, first + len(new))
        flat.end_indices += range(first + 1, first + 1 + len(new))
        flat.token_ids += token_ids[:, 0].tolist()
        flat.logprobs += new
        flat.ranks += ranks.tolist()
        flat.decoded_tokens += [None] * len(new)
        self.cumulative_logprob += sum(new)


@dataclass(frozen=True)
class Easing:
    """Eases one running sample."""

    client: Any
    request_id: str
    shows_logprobs: bool
    """Whether a client is shown log-probabilities, with the words of tokens."""
    is_close: bool
    """Whether every token is looked at as it comes."""

    def after(self, partial: PartialSample) -> None:
        """Ease what follows of a sample; call it after each step."""
        if len(partial.trail) == 1 and not self.shows_logprobs:
            self._read_sampled_alone()
        if partial.n_tokens >= CLOSE_TOKENS and not self.is_close:
            self._hand_on_pieces()

    def _read_sampled_alone(self) -> None:
        for state in states_of(self.client, self.request_id):
            state.logprobs_processor = SampledLogprobs(**vars(state.logprobs_processor))

    def _hand_on_pieces(self) -> None:
        """Have vLLM hand on at once what follows up to the next multiple of `PIECE_TOKENS`.

        So samples are seen at the same lengths, which `voting.foregone` compares them at. vLLM's
        own `stream_interval` does that from a request's first token on, and from any token here.
        An end is told at once, with all that was held back until then.
        """
        for state in states_of(self.client, self.request_id):
            if state.stream_interval == 1:  # vLLM handed on all there is, and kept no count of it
                state.sent_tokens_offset = state.detokenizer.num_output_tokens()
            # Never 1 again: vLLM would stop counting what it hands on.
            state.stream_interval = 2 + (-2 - state.sent_tokens_offset) % PIECE_TOKENS
