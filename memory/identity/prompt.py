"""What is the same question: a prompt and its fingerprint.

Identity is exact and never a similarity: the embeddings of "sort ascending" and "sort descending"
have a cosine of .965.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from memory.text import clean, digest
from memory.types import Frozen, Message, question_of

RAW = "raw"
"""Says that the text is the whole prompt, as on `/v1/completions`: no chat template is applied."""
MEDIUM = re.compile(r"\[[a-z]+ sha256:[0-9a-f]{32}\]")
"""What stands in a text for an image, a sound or a file: see `server.media`."""
REQUEST_KEYS = frozenset(
    {"tools", "functions", "tool_choice", "parallel_tool_calls"}
    | {"response_format", "structured_outputs"}
    | {"chat_template", "chat_template_kwargs", "documents", "reasoning_effort"}
    | {"add_generation_prompt", "continue_final_message", "add_special_tokens", RAW}
)
"""What besides the messages makes a prompt, or the form its answer must have; OpenAI's and vLLM's
names, and `RAW`."""
DEFAULTS: Mapping[str, Any] = {
    "tool_choice": "auto",
    "parallel_tool_calls": True,
    "response_format": {"type": "text"},
    "add_generation_prompt": True,
    "continue_final_message": False,
}
"""Values that say what is so without them."""


class Prompt(Frozen):
    """A question with everything that makes it this question."""

    messages: tuple[Message, ...]
    """The conversation up to and including the question."""
    request: Mapping[str, Any] = {}
    """Those of `REQUEST_KEYS` that were given."""
    task: str | None = None

    @property
    def question(self) -> str:
        """The last user turn."""
        return question_of(self.messages)

    @property
    def fingerprint(self) -> str:
        """A SHA-256 in hex: equal for the same question, and for no other.

        Earlier turns and the system prompt count: "and in French?" is a new question in each
        conversation, and the same sum may have another answer under another system prompt.
        """
        turns = [turn.turn() | {"content": spelled(turn.content)} for turn in self.messages]
        return digest([self.task, turns, shaping(self.request)])


def shaping(request: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a request's body shapes its prompt; nothing for an ordinary one."""
    given = {key: request[key] for key in REQUEST_KEYS if request.get(key) not in (None, [], {})}
    return {key: value for key, value in given.items() if value != DEFAULTS.get(key)}


def spelled(text: str) -> str:
    """Return the one spelling of a text: NFC, `\\n` for every end of a line, nothing around it.

    Nothing else is folded: case, indentation, superscripts and inner spaces are meaning.
    """
    lines = clean(text).replace("\r\n", "\n").replace("\r", "\n")
    return unicodedata.normalize("NFC", lines).strip()
