"""How each sample of a vote is drawn: its seed, its temperature, and the instruction before it.

Rationale-augmented voting (Wang et al. 2022, arXiv 2207.00747): samples that are told to go about
it in different ways err in different ways. Off unless instructions are configured.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Sequence
from dataclasses import replace

from adaptation.engine import Engine
from adaptation.errors import EngineError
from adaptation.types import Adapter, Draw, Query
from memory.types import Message

logger = logging.getLogger(__name__)

MAX_SEED = 2**63
"""Engines keep seeds in 64 bits, signed; one that overflows there ends the engine."""


class Drawer:
    """Draws the samples of one query; number 0 as it was asked."""

    def __init__(
        self,
        query: Query,
        engine: Engine,
        instructions: Sequence[str] = (),
        temperatures: Sequence[float] = (),
    ) -> None:
        """`instructions` and `temperatures` are given in turn to the samples.

        A request that names a temperature of its own has it for all of them.
        """
        self._query = query
        self._engine = engine
        self._instructions = instructions if query.can_be_reworded else ()
        own = () if "temperature" in query.options.model_fields_set else temperatures
        self._temperatures = own or (query.options.temperature,)
        self._messages = query.messages
        self._prompts: dict[int, object | None] = {}

    def asking(self, messages: Sequence[Message]) -> Drawer:
        """Return a drawer that puts another conversation in place of the request's.

        Raises `EngineError` where it cannot be rendered or is too long.
        """
        other = copy.copy(self)
        other._messages = tuple(messages)
        other._prompts = {0: self._engine.prompt(self._query, messages)}
        return other

    def draw(self, index: int, adapter: Adapter | None) -> Draw:
        """Return how sample number `index` is drawn."""
        query = self._query
        instruction = index % (len(self._instructions) + 1)
        prompt = self._prompt(instruction)
        return Draw(
            index=index,
            request_id=f"{query.id}-{index}",
            # The request's own temperature and seed would make all samples alike.
            temperature=self._temperatures[index % len(self._temperatures)],
            seed=None if query.seed is None else (query.seed + index) % MAX_SEED,
            adapter=adapter,
            instruction=instruction if prompt is not self._prompts.get(0) else 0,
            prompt=prompt,
        )

    def another(
        self, index: int, messages: Sequence[Message], adapter: Adapter | None, *, is_aside: bool
    ) -> Draw | None:
        """Return how a reply to another conversation is drawn; None where it cannot be rendered.

        One that `is_aside` is for nobody to see, and held to no form.
        """
        try:
            drawer = self.asking(messages)
        except EngineError as error:
            logger.info("request %s: a sample could not be drawn: %s", self._query.id, error)
            return None
        return replace(drawer.draw(index, adapter), is_aside=is_aside)

    def _prompt(self, instruction: int) -> object | None:
        """Return the prompt with an instruction; without it where the engine does not take it."""
        if instruction and instruction not in self._prompts:
            text = self._instructions[instruction - 1]
            messages = instructed(self._messages, text)
            try:
                self._prompts[instruction] = self._engine.prompt(self._query, messages)
            except EngineError as error:
                logger.warning("a sample is drawn without its instruction: %s", error)
                self._prompts[instruction] = self._prompts.get(0)
        return self._prompts.get(instruction)


def instructed(messages: Sequence[Message], instruction: str) -> tuple[Message, ...]:
    """Return the conversation with one more instruction at the end of its system message."""
    first = messages[0] if messages else None
    if first is None or first.role != "system":
        return (Message(role="system", content=instruction), *messages)
    system = Message(role="system", content=f"{first.content}\n\n{instruction}")
    return (system, *messages[1:])
