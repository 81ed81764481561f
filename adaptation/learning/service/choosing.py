"""Which token follows: the likeliest, or one that is drawn, each reply by draws of its own.

What was said before is less likely where the model's own settings say so (`repetition_penalty`;
CTRL, arXiv 1909.05858), as it is where the model is served.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import torch
from transformers import RepetitionPenaltyLogitsProcessor

from adaptation.learning.service.reply import Asked, Reply
from adaptation.learning.training.draws import seeds_of
from adaptation.learning.training.trainer import Draw


class Choice:
    """The next tokens of each reply: the likeliest, or those that are drawn."""

    def __init__(self, asked: Asked) -> None:
        self._temperature = asked.draw.temperature if asked.draw else None
        self._drawing = _drawing(asked.draw, asked.prompts) if asked.draw else []
        self._drawn: list[list[float]] = [[] for _ in self._drawing]
        is_penalised = asked.penalty != 1.0
        self._penalised = RepetitionPenaltyLogitsProcessor(asked.penalty) if is_penalised else None

    def of(
        self, logits: torch.Tensor, replies: Sequence[Reply], read: Sequence[Sequence[int]]
    ) -> list[list[int]]:
        """Return Q tokens for each row of logits (B, Q, V), as they would follow each other.

        `read` are the Q tokens that were read of each row: one that is sure, and guesses.
        """
        if self._penalised is not None:
            said = _said_before(replies, read).to(logits.device)
            logits = self._penalised(said, logits.flatten(0, 1).float()).view_as(logits)
        if self._temperature is None:
            likeliest: list[list[int]] = logits.argmax(-1).tolist()
            return likeliest
        n = logits.shape[1]
        drawn = [self._of(each.place, len(each.said), n) for each in replies]
        up_to = (logits.float() / self._temperature).softmax(-1).cumsum(-1)  # (B, Q, V)
        total = up_to[..., -1]
        sought = total * torch.tensor(drawn, device=logits.device)
        # Rounded to the total, it would be beyond every token that can be drawn.
        sought = sought.minimum(total.nextafter(torch.zeros_like(total)))
        places = torch.searchsorted(up_to, sought[..., None], right=True).squeeze(-1)
        found: list[list[int]] = places.tolist()
        return found

    def _of(self, place: int, first: int, n: int) -> list[float]:
        """Return the numbers by which the tokens of a reply are drawn, from the `first` on."""
        drawn = self._drawn[place]
        drawn += [self._drawing[place].random() for _ in range(first + n - len(drawn))]
        return drawn[first : first + n]


def _said_before(replies: Sequence[Reply], read: Sequence[Sequence[int]]) -> torch.Tensor:
    """Return (B · Q, T) tokens: of each one to come, all before it, guesses among them."""
    said = [
        [*reply.prompt, *reply.said, *tokens[1 : 1 + n]]
        for reply, tokens in zip(replies, read, strict=True)
        for n in range(len(tokens))
    ]
    longest = max(map(len, said))
    return torch.tensor([each + each[:1] * (longest - len(each)) for each in said])


def _drawing(draw: Draw, prompts: Sequence[Sequence[int]]) -> list[Random]:
    return [Random(seed) for seed in seeds_of(draw, prompts)]
