"""Pairs and prompts as tokens: rendered as the server renders them, each answer to its end of turn.

TRL would render and tokenise by itself: with the tokenizer's own template, a second token that
begins the text where a template writes one, and the end-of-text token behind the end of a turn. It
would also cut what is longer than 1,024 tokens; here that is refused.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from adaptation.conversation import Conversation
from adaptation.learning.preference.examples import GradedPrompt, Pair
from adaptation.learning.training.chat import Chat
from adaptation.learning.training.sequences import to_example

MOST_TOLD = 5
"""Most examples that are told of among those that cannot be learned."""


def pair_rows(chat: Chat, pairs: Sequence[Pair], most_tokens: int) -> list[dict[str, list[int]]]:
    """Return for each pair `prompt_ids`, `chosen_ids` and `rejected_ids`; raises `ValueError`."""
    return _each(pairs, lambda pair: _pair_row(chat, pair, most_tokens))


def prompt_rows(
    chat: Chat, prompts: Sequence[GradedPrompt], most_tokens: int
) -> list[dict[str, Any]]:
    """Return for each prompt its text, `prompt`, and its `number`; raises `ValueError`.

    A text, because that is what TRL carries; the trainer makes tokens of it.
    """

    def row(given: GradedPrompt) -> dict[str, Any]:
        _check_length(len(chat.encode(given.prompt)), most_tokens)
        return {"prompt": chat.render(given.prompt, prompt=True)}

    return [found | {"number": number} for number, found in enumerate(_each(prompts, row))]


def _pair_row(chat: Chat, pair: Pair, most_tokens: int) -> dict[str, list[int]]:
    prompt, preferred = _split(chat, pair.preferred, most_tokens)
    same, other = _split(chat, pair.other, most_tokens)
    if prompt != same:
        raise ValueError("the chat template renders the prompt differently before each answer")
    return {"prompt_ids": prompt, "chosen_ids": preferred, "rejected_ids": other}


def _split(chat: Chat, conversation: Conversation, most_tokens: int) -> tuple[list[int], list[int]]:
    """Return the tokens of the prompt and those of the answer."""
    example = to_example(chat, conversation, sys.maxsize, last_only=True)
    _check_length(len(example.token_ids), most_tokens)
    border = example.loss_mask.index(True)
    return list(example.token_ids[:border]), list(example.token_ids[border:])


def _check_length(tokens: int, most_tokens: int) -> None:
    if tokens > most_tokens:
        raise ValueError(f"it has {tokens} tokens, more than {most_tokens}: make it shorter")


def _each(given: Sequence[Any], row: Any) -> list[Any]:
    """Return the row of each, or raise what is wrong with the first few that have none."""
    rows, faults = [], []
    for number, each in enumerate(given, 1):
        try:
            rows.append(row(each))
        except ValueError as error:
            faults.append(f"example {number}: {error}")
    if faults:
        more = f" (and {len(faults) - MOST_TOLD} more)" if len(faults) > MOST_TOLD else ""
        raise ValueError("; ".join(faults[:MOST_TOLD]) + more)
    return rows
