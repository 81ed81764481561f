"""Conversations as token sequences: what the model will see when it serves, and what it learns.

A conversation is rendered by the *serving* chat template. Loss lies on the assistant turns,
each with its end-of-turn token; everything else is input. Knows nothing of LoRA or optimisers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import torch

from adaptation.types import TrainingExample
from memory.types import Message

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Conversation = tuple[Message, ...]
Span = tuple[int, int]
"""Start and end of a target, in characters of the rendered conversation."""


@dataclass(frozen=True)
class Chat:
    """A tokenizer and the template that the server renders conversations with."""

    tokenizer: PreTrainedTokenizerBase
    template: str | None = None
    """Overrides the tokenizer's own template."""

    def render(self, conversation: Conversation, *, prompt: bool) -> str:
        """The conversation as text; `prompt` opens the next assistant turn."""
        turns = [turn.turn() for turn in conversation]
        text = self.tokenizer.apply_chat_template(
            turns, chat_template=self.template, tokenize=False, add_generation_prompt=prompt
        )
        return str(text)


@dataclass(frozen=True)
class Batch:
    """Padded on the right; B sequences of at most T tokens."""

    token_ids: torch.Tensor
    """(B, T) int64"""
    attention: torch.Tensor
    """(B, T) int64, 1 where there is a token"""
    targets: torch.Tensor
    """(B, T) bool, true where the token carries loss"""

    @property
    def n_tokens(self) -> int:
        """Tokens without the padding."""
        return int(self.attention.sum())


def to_example(
    chat: Chat, conversation: Conversation, max_tokens: int, *, last_only: bool = False
) -> TrainingExample:
    """Tokenise `conversation`; an over-long one loses its oldest turns.

    `last_only` leaves loss on the final assistant turn alone, which is what a held-out
    conversation is judged by.
    """
    if len(conversation) < 2 or conversation[-1].role != "assistant":
        raise ValueError("a training conversation holds a prompt and ends with an assistant turn")
    tokenised = _tokenise(chat, conversation, last_only)
    while len(tokenised.token_ids) > max_tokens:
        shorter = _without_oldest_turn(conversation)
        if shorter == conversation:
            break
        conversation = shorter
        tokenised = _tokenise(chat, conversation, last_only)
    return TrainingExample(tokenised.token_ids[-max_tokens:], tokenised.loss_mask[-max_tokens:])


def collate(examples: Sequence[TrainingExample], pad_id: int, device: torch.device) -> Batch:
    """Stack `examples`, padded on the right to the longest."""
    longest = max(len(example.token_ids) for example in examples)
    ids = [[*e.token_ids, *[pad_id] * (longest - len(e.token_ids))] for e in examples]
    seen = [[1] * len(e.token_ids) + [0] * (longest - len(e.token_ids)) for e in examples]
    loss = [[*e.loss_mask, *[False] * (longest - len(e.token_ids))] for e in examples]
    return Batch(
        torch.tensor(ids, device=device),
        torch.tensor(seen, device=device),
        torch.tensor(loss, dtype=torch.bool, device=device),
    )


def _without_oldest_turn(conversation: Conversation) -> Conversation:
    """Drop up to the next user turn, keeping the system turn and the final exchange."""
    keep = 1 if conversation[0].role == "system" else 0
    users = [i for i, turn in enumerate(conversation) if turn.role == "user" and i > keep]
    return conversation[:keep] + conversation[users[0] :] if users else conversation


def _tokenise(chat: Chat, conversation: Conversation, last_only: bool) -> TrainingExample:
    text, last = _final_turn(chat, conversation)
    earlier = () if last_only else _earlier_turns(chat, conversation, text)
    return _encode(chat.tokenizer, text, [*earlier, last])


def _final_turn(chat: Chat, conversation: Conversation) -> tuple[str, Span]:
    """The whole text, and where in it the final assistant turn lies.

    Some templates open the turn differently from how they render it afterwards (an opened think
    block): then the text is what the server would have produced, its prompt and the content.
    """
    prompt = chat.render(conversation[:-1], prompt=True)
    text = chat.render(conversation, prompt=False)
    if not text.startswith(prompt):
        content = conversation[-1].content.strip()
        text = prompt + content + text.rpartition(content)[2]
    text = text[: len(prompt)] + text[len(prompt) :].rstrip()  # nothing follows the end of turn
    return text, (len(prompt), len(text))


def _earlier_turns(chat: Chat, conversation: Conversation, text: str) -> list[Span]:
    turns = range(1, len(conversation) - 1)
    spans = [_span(chat, conversation, i, text) for i in turns if _is_answer(conversation[i])]
    return [span for span in spans if span is not None]


def _is_answer(turn: Message) -> bool:
    return turn.role == "assistant"


def _span(chat: Chat, conversation: Conversation, i: int, text: str) -> Span | None:
    """Where turn `i` lies in `text`; None where the template rewrote it beyond recognition."""
    prompt = chat.render(conversation[:i], prompt=True)
    if not text.startswith(prompt):
        return None
    through = chat.render(conversation[: i + 1], prompt=False).rstrip()
    if text.startswith(through) and len(through) >= len(prompt):
        return len(prompt), len(through)
    content = conversation[i].content.strip()
    if not text.startswith(content, len(prompt)):
        return None
    end, closing = len(prompt) + len(content), through.rpartition(content)[2]
    return len(prompt), end + (len(closing) if text.startswith(closing, end) else 0)


def _encode(tokenizer: PreTrainedTokenizerBase, text: str, spans: list[Span]) -> TrainingExample:
    """Tokens of `text`, those within `spans` being targets.

    A server tokenises its prompt alone, so no token may reach across a border of a target. Where
    one would, the pieces are tokenised each for itself; elsewhere the whole text is, since some
    tokenizers put a space before whatever they are given.
    """
    borders = sorted({0, len(text), *(border for span in spans for border in span)})
    if tokenizer.is_fast:
        encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        offsets: list[Span] = encoded["offset_mapping"]
        if not _any_across(offsets, borders):
            mask = tuple(any(a <= start < b for a, b in spans) for start, _ in offsets)
            return TrainingExample(tuple(encoded["input_ids"]), mask)
    return _encode_pieces(tokenizer, text, spans, borders)


def _any_across(offsets: list[Span], borders: list[int]) -> bool:
    return any(start < border < end for start, end in offsets for border in borders)


def _encode_pieces(
    tokenizer: PreTrainedTokenizerBase, text: str, spans: list[Span], borders: list[int]
) -> TrainingExample:
    token_ids: list[int] = []
    mask: list[bool] = []
    for start, end in pairwise(borders):
        piece = tokenizer(text[start:end], add_special_tokens=False)["input_ids"]
        token_ids += piece
        mask += [(start, end) in spans] * len(piece)
    return TrainingExample(tuple(token_ids), tuple(mask))
