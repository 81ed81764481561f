"""The engine as adaptation sees it: draw one sample, load or drop one adapter, say how it is."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Protocol

from adaptation.conversation import Conversation
from adaptation.types import Adapter, Draw, Query, Sample
from memory.types import Message


@dataclass(frozen=True)
class Progress:
    """A step of one sample's generation."""

    sample: Sample
    """What has been generated so far."""
    new_tokens: int
    """Tokens generated since the previous step."""
    done: bool
    """Whether the sample has come to its own end."""


class Engine(Protocol):
    """What the pipeline needs of an inference engine."""

    def sample(self, query: Query, draw: Draw) -> AsyncGenerator[Progress, None]:
        """Generate one sample; closing the generator cancels it in the engine at once.

        Raises `EngineError` where the engine cannot serve it.
        """
        ...

    async def end(self, request_ids: Sequence[str]) -> None:
        """End samples where they are: each yields what it still has to give, and no `done`.

        What the engine was not yet given is left alone.
        """
        ...

    def prompt(self, query: Query, messages: Sequence[Message]) -> object:
        """Return another conversation as a prompt for `Draw`, rendered as chats are here.

        Raises `EngineError` where it cannot be rendered or is too long.
        """
        ...

    def prompt_ids(self, query: Query) -> tuple[int, ...] | None:
        """Return the tokens that `query` was rendered as; None where it is not made of tokens."""
        ...

    async def rendered(self, conversation: Conversation) -> tuple[int, ...] | None:
        """Return the tokens that the server makes of a conversation; None where nobody knows.

        Raises `EngineError` where it would refuse it.
        """
        ...

    def written(self, query: Query, turn: Message) -> str | None:
        """Return an assistant's turn as the model would write it in answer to the request.

        None where the chat template does not write it.
        """
        ...

    def recite(self, query: Query, text: str) -> Sample | None:
        """Return a text as if it had been drawn, at no cost.

        None where the request asks of its output what only a generation has, or bounds it more.
        """
        ...

    async def load(self, adapter: Adapter) -> None:
        """Make `adapter` usable by `sample`; raises `EngineError` and leaves the engine alive."""
        ...

    async def drop(self, adapter: Adapter) -> None:
        """Unload `adapter`; its files may be deleted afterwards."""
        ...

    async def probe(self, token_ids: tuple[int, ...], adapter: Adapter | None) -> float:
        """Log-probability of the likeliest next token after `token_ids`, under `adapter`."""
        ...
