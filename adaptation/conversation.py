"""A conversation with all that makes its prompt: what is trained on, decoded and compared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from memory.identity.prompt import RAW
from memory.types import Frozen, Message


class Conversation(Frozen):
    """Turns, and what else the server was given to make the prompt of."""

    messages: tuple[Message, ...]
    request: Mapping[str, Any] = Field(default_factory=dict)
    """Such as `tools`: see `memory.identity.prompt`."""
    last_only: bool = False
    """Whether earlier turns of the assistant's are context alone, and not learned."""

    @property
    def is_raw(self) -> bool:
        """Whether the text of the prompt is the prompt, without a chat template."""
        return bool(self.request.get(RAW))

    def until(self, turns: int) -> Conversation:
        """Return the first `turns` turns; a negative number counts from the end."""
        return self.of(self.messages[:turns])

    def of(self, messages: tuple[Message, ...]) -> Conversation:
        """Return other turns under the same request."""
        return self.model_copy(update={"messages": messages})


def spoken(*messages: Message) -> Conversation:
    """Return a conversation of which the turns are all there is."""
    return Conversation(messages=messages)
