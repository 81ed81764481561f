"""Conversations as token sequences: what the model will see when it serves, and what it learns.

A conversation is rendered as the server would (`chat`). Loss lies on the assistant turns, each with
its end-of-turn token; everything else is input. Knows nothing of LoRA or optimisers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

import torch

from adaptation.conversation import Conversation
from adaptation.learning.training.chat import Chat, is_framed
from memory.types import Message

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Span = tuple[int, int]
"""Start and end of a target, in characters of the rendered conversation."""
STAND_IN = "0whet0"
"""A turn that no template has a reason to change: what follows it is what ends a turn."""


@dataclass(frozen=True)
class TrainingExample:
    """One tokenised conversation and which of its tokens carry loss."""

    token_ids: tuple[int, ...]
    loss_mask: tuple[bool, ...] = field(repr=False)
    """True where the token is a target; same length as `token_ids`."""

    def __post_init__(self) -> None:
        if len(self.token_ids) != len(self.loss_mask):
            raise ValueError("token_ids and loss_mask differ in length")


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
    conversation is judged by. Raises `ValueError` for what cannot be rendered or learned.
    """
    turns = conversation.messages
    if len(turns) < 2 or turns[-1].role != "assistant":
        raise ValueError("a training conversation holds a prompt and ends with an assistant turn")
    last_only = last_only or conversation.last_only
    tokenised = _tokenise(chat, conversation, last_only)
    while len(tokenised.token_ids) > max_tokens:
        shorter = _without_oldest_turn(conversation)
        if shorter == conversation:
            break
        conversation = shorter
        tokenised = _tokenise(chat, conversation, last_only)
    return TrainingExample(tokenised.token_ids[-max_tokens:], tokenised.loss_mask[-max_tokens:])


def obstacle(chat: Chat, conversation: Conversation) -> str | None:
    """Why a conversation cannot be learned, None where it can."""
    try:
        _final_turn(chat, conversation)
    except ValueError as error:
        return str(error)
    return None


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
    turns = conversation.messages
    keep = 1 if turns[0].role == "system" else 0
    users = [i for i, turn in enumerate(turns) if turn.role == "user" and i > keep]
    return conversation.of(turns[:keep] + turns[users[0] :]) if users else conversation


def _tokenise(chat: Chat, conversation: Conversation, last_only: bool) -> TrainingExample:
    text, last = _final_turn(chat, conversation)
    earlier = () if last_only else _earlier_turns(chat, conversation, text)
    return _encode(
        chat.tokenizer, text, [*earlier, last], add_special_tokens=is_framed(conversation)
    )


def _final_turn(chat: Chat, conversation: Conversation) -> tuple[str, Span]:
    """The whole text, and where in it the final assistant turn lies."""
    prompt = chat.render(conversation.until(-1), prompt=True)
    turn = conversation.messages[-1]
    if turn.tool_calls:
        text = _with_calls(chat, conversation, prompt)
    elif not turn.content.strip():
        raise ValueError("the turn to learn is empty")
    elif conversation.is_raw:
        text = prompt + turn.content + (chat.tokenizer.eos_token or "")
    else:
        text = _with_answer(chat, conversation, prompt)
    text = text[: len(prompt)] + text[len(prompt) :].rstrip()  # nothing follows the end of turn
    return text, (len(prompt), len(text))


def _with_answer(chat: Chat, conversation: Conversation, prompt: str) -> str:
    """The prompt and its answer.

    Some templates open the turn differently from how they render it afterwards (an opened think
    block): then the text is what the server would have produced, its prompt and the content.
    """
    text = chat.render(conversation, prompt=False)
    if text.startswith(prompt):
        return text
    stand_in = Message(role="assistant", content=STAND_IN)
    other = chat.render(conversation.of((*conversation.messages[:-1], stand_in)), prompt=False)
    return prompt + conversation.messages[-1].content.strip() + other.rpartition(STAND_IN)[2]


def _with_calls(chat: Chat, conversation: Conversation, prompt: str) -> str:
    """The prompt and the calls that answer it, which the template alone can write."""
    text = chat.render(conversation, prompt=False)
    if not _writes_calls(chat, conversation, text):
        raise ValueError("the chat template does not write the calls of the turn to learn")
    if not text.startswith(prompt):
        raise ValueError(
            "the chat template writes the calls of the turn to learn in another place than the "
            "prompt leaves for an answer"
        )
    return text


def _writes_calls(chat: Chat, conversation: Conversation, text: str) -> bool:
    """Whether the calls of the last turn are in its `text`: many templates know of none."""
    *asked, turn = conversation.messages
    silent = conversation.of((*asked, turn.model_copy(update={"tool_calls": ()})))
    return not conversation.is_raw and text != chat.render(silent, prompt=False)


def _earlier_turns(chat: Chat, conversation: Conversation, text: str) -> list[Span]:
    turns = conversation.messages[:-1]
    spans = [_span(chat, conversation, i, text) for i in range(1, len(turns)) if _says(turns[i])]
    return [span for span in spans if span is not None]


def _says(turn: Message) -> bool:
    return turn.role == "assistant" and bool(turn.content.strip() or turn.tool_calls)


def _span(chat: Chat, conversation: Conversation, i: int, text: str) -> Span | None:
    """Where turn `i` lies in `text`; None where the template rewrote it beyond recognition."""
    turn, so_far = conversation.messages[i], conversation.until(i + 1)
    try:
        prompt = chat.render(conversation.until(i), prompt=True)
        whole = chat.render(so_far, prompt=False)
        is_written = not turn.tool_calls or _writes_calls(chat, so_far, whole)
    except ValueError:  # some templates refuse a beginning that they take as part of the whole
        return None
    through = whole.rstrip()
    if not (is_written and text.startswith(prompt)):
        return None
    if text.startswith(through) and len(through) >= len(prompt):
        return len(prompt), len(through)
    content = turn.content.strip()
    if not content or not text.startswith(content, len(prompt)):
        return None
    end, closing = len(prompt) + len(content), through.rpartition(content)[2]
    return len(prompt), end + (len(closing) if text.startswith(closing, end) else 0)


def _encode(
    tokenizer: PreTrainedTokenizerBase, text: str, spans: list[Span], *, add_special_tokens: bool
) -> TrainingExample:
    """Tokens of `text`, those within `spans` being targets.

    A server tokenises its prompt alone, so no token may reach across a border of a target. Where
    one would, the pieces are tokenised each for itself; elsewhere the whole text is, since some
    tokenizers put a space before whatever they are given.
    """
    borders = sorted({0, len(text), *(border for span in spans for border in span)})
    if tokenizer.is_fast:
        encoded = tokenizer(
            text, add_special_tokens=add_special_tokens, return_offsets_mapping=True
        )
        offsets: list[Span] = encoded["offset_mapping"]
        if not _any_across(offsets, borders):
            mask = tuple(any(a <= start < b for a, b in spans) for start, _ in offsets)
            return TrainingExample(tuple(encoded["input_ids"]), mask)
    return _encode_pieces(tokenizer, text, spans, borders, add_special_tokens)


def _any_across(offsets: list[Span], borders: list[int]) -> bool:
    return any(start < border < end for start, end in offsets for border in borders)


def _encode_pieces(
    tokenizer: PreTrainedTokenizerBase,
    text: str,
    spans: list[Span],
    borders: list[int],
    add_special_tokens: bool,
) -> TrainingExample:
    token_ids: list[int] = []
    mask: list[bool] = []
    for start, end in pairwise(borders):
        special = add_special_tokens and start == 0
        piece = tokenizer(text[start:end], add_special_tokens=special)["input_ids"]
        token_ids += piece
        mask += [(start, end) in spans] * len(piece)
    return TrainingExample(tuple(token_ids), tuple(mask))
