"""From a conversation and a reply to the tokens that a reward model reads.

Through the model's own chat template where it has one, as such models were trained; else, or where
the template takes no such conversation, as a text pair, as the older ones were. What is too long
loses the beginning of the conversation: it is the reply that is judged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Turn = Mapping[str, Any]
CHARACTERS_PER_TOKEN = 16
"""More than nearly every token has: a tokenizer should not read a megabyte to drop it."""


@dataclass(frozen=True)
class Read:
    """One text as the model takes it."""

    ids: tuple[int, ...]
    kinds: tuple[int, ...]
    """To which text of the pair each token belongs; all 0 for one text."""


class Reader:
    """Reads for one model."""

    def __init__(self, tokenizer: Any, longest: int) -> None:
        """`longest` is the model's context, in tokens."""
        self._tokenizer = tokenizer
        self._tokenizer.truncation_side = "left"
        self._longest = longest
        self._most_characters = CHARACTERS_PER_TOKEN * longest

    def read(self, turns: Sequence[Turn], reply: str) -> Read:
        """Return what the model is to be shown of a reply to a conversation."""
        text = self._rendered(turns, reply)
        return self._pair(turns, reply) if text is None else self._whole(text)

    def _rendered(self, turns: Sequence[Turn], reply: str) -> str | None:
        if not self._tokenizer.chat_template:
            return None
        said = [*turns, {"role": "assistant", "content": reply}]
        try:
            text: str = self._tokenizer.apply_chat_template(said, tokenize=False)
        except Exception:  # noqa: BLE001  a template is a program: of roles it does not know, say
            return None
        return text

    def _whole(self, text: str) -> Read:
        """Return the end of a rendered chat, behind its first mark."""
        mark = self._tokenizer.bos_token or ""
        head = [self._tokenizer.bos_token_id] if mark and text.startswith(mark) else []
        body = text.removeprefix(mark)[-self._most_characters :]
        ids = self._ids(body)[-(self._longest - len(head)) :]
        return Read((*head, *ids), (0,) * (len(head) + len(ids)))

    def _pair(self, turns: Sequence[Turn], reply: str) -> Read:
        asked = "\n\n".join(str(turn["content"]) for turn in turns if turn.get("content"))
        asked, reply = asked[-self._most_characters :], reply[-self._most_characters :]
        room = self._longest - self._tokenizer.num_special_tokens_to_add(pair=True)
        fits = len(self._ids(reply)) < room
        found = self._tokenizer(
            asked if fits else "",
            reply,
            truncation="only_first" if fits else "only_second",
            max_length=self._longest,
            return_token_type_ids=True,
        )
        return Read(tuple(found["input_ids"]), tuple(found["token_type_ids"]))

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
        return ids
