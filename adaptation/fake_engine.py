"""A deterministic engine for unit tests of policy: scripted samples, and vLLM's deadly traps.

It dies, as vLLM does, of two adapters under one name and of sampling through an adapter that was
never loaded: code that passes here does not rely on the engine's mercy.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from adaptation.conversation import Conversation
from adaptation.engine import Progress
from adaptation.errors import EngineError
from adaptation.said import Said
from adaptation.types import Adapter, Draw, Query, Sample
from memory.types import Message


@dataclass(frozen=True)
class Reply:
    """One scripted sample."""

    text: str
    tokens: int = 4
    """Generated one at a time, the event loop running in between."""
    gate: asyncio.Event | None = None
    """Held before the last token until this is set."""
    error: str | None = None
    logprob: float | None = None
    """Log-probability of each token; None: the engine gives none."""

    said: str | None = None
    """What parsers take it to say, where that is not all of its text."""
    calls: tuple[Mapping[str, Any], ...] = ()
    """What it calls, where it is whole."""
    finish_reason: str = "stop"
    bundle: int = 1
    """Tokens that are given out together; what is left of them comes when the sample ends."""


Script = Callable[[Query, Draw], Reply]


@dataclass
class FakeEngine:
    """Plays `script`; records what was drawn, loaded and cancelled."""

    script: Script
    drawn: list[Draw] = field(default_factory=list)
    running: set[int] = field(default_factory=set)
    ended: set[str] = field(default_factory=set)
    cancelled: set[int] = field(default_factory=set)
    tokens: int = 0
    """Everything generated: the engine's own counter, to hold bills against."""
    loaded: dict[str, Adapter] = field(default_factory=dict)
    history: list[str] = field(default_factory=list)
    dead: bool = False
    _in_use: Counter[int] = field(default_factory=Counter)
    """Adapter id → samples running through it."""
    failing: set[str] = field(default_factory=set)
    """Which of `load`, `probe`, `drop` and `prompt` raise `EngineError`."""
    ids: tuple[int, ...] | None = (1, 2, 3)
    """What every prompt is rendered as."""
    probe_effect: float = 0.1
    """How far an adapter moves log-probabilities; 0 plays an adapter that is never applied."""

    async def sample(self, query: Query, draw: Draw) -> AsyncGenerator[Progress, None]:
        """See `Engine.sample`."""
        self._check_alive(draw.adapter)
        reply = self.script(query, draw)
        self.drawn.append(draw)
        self.ended.discard(draw.request_id)
        self.running.add(draw.index)
        adapter_id = draw.adapter.id if draw.adapter else 0
        self._in_use[adapter_id] += 1
        pending = 0
        try:
            for position in range(1, reply.tokens + 1):
                await asyncio.sleep(0)
                if position == reply.tokens:
                    await self._at_gate(reply, draw)
                if draw.request_id in self.ended:
                    self.cancelled.add(draw.index)
                    if pending:
                        yield Progress(_sample(reply, draw, position - 1), pending, done=False)
                    return
                if reply.error is not None:
                    raise EngineError(reply.error)
                self.tokens += 1
                pending += 1
                done = position == reply.tokens
                if done or pending == reply.bundle:
                    yield Progress(_sample(reply, draw, position), pending, done=done)
                    pending = 0
        except (GeneratorExit, asyncio.CancelledError):
            self.cancelled.add(draw.index)
            raise
        finally:
            self.running.discard(draw.index)
            self._in_use[adapter_id] -= 1

    async def end(self, request_ids: Sequence[str]) -> None:
        """See `Engine.end`."""
        self.ended.update(request_ids)

    async def _at_gate(self, reply: Reply, draw: Draw) -> None:
        gate = reply.gate
        while gate and not gate.is_set() and draw.request_id not in self.ended:  # noqa: ASYNC110
            await asyncio.sleep(0.001)

    def _check_alive(self, adapter: Adapter | None) -> None:
        if adapter is not None and self.loaded.get(adapter.name) != adapter:
            self.dead = True
        if self.dead:
            raise EngineError("the engine is dead")

    def _check_fault(self, call: str) -> None:
        if call in self.failing:
            raise EngineError(f"{call} was scripted to fail")

    def prompt(self, query: Query, messages: Sequence[Message]) -> object:
        """See `Engine.prompt`: the messages themselves."""
        self._check_fault("prompt")
        return tuple(messages)

    def prompt_ids(self, query: Query) -> tuple[int, ...] | None:
        """See `Engine.prompt_ids`."""
        return self.ids

    async def rendered(self, conversation: Conversation) -> tuple[int, ...] | None:
        """See `Engine.rendered`: it knows no template."""
        return None

    def written(self, query: Query, turn: Message) -> str | None:
        """See `Engine.written`: it knows no template."""
        return None

    def recite(self, query: Query, text: str) -> Sample | None:
        """See `Engine.recite`."""
        return Sample(index=0, text=text, n_tokens=0, finish_reason="stop")

    async def load(self, adapter: Adapter) -> None:
        """See `Engine.load`."""
        self._check_fault("load")
        if not (Path(adapter.path) / "adapter_model.safetensors").is_file():
            raise EngineError(f"no adapter at {adapter.path}")
        if adapter.name in self.loaded:
            self.dead = True
        self.loaded[adapter.name] = adapter
        self.history.append(f"load {adapter.version}")

    async def drop(self, adapter: Adapter) -> None:
        """See `Engine.drop`."""
        if self._in_use[adapter.id]:
            self.dead = True  # a running sample would reload it from a path that is gone
        self.loaded.pop(adapter.name, None)
        self.history.append(f"drop {adapter.version}")
        self._check_fault("drop")

    async def probe(self, token_ids: tuple[int, ...], adapter: Adapter | None) -> float:
        """See `Engine.probe`."""
        self._check_fault("probe")
        return -len(token_ids) / 10 - (self.probe_effect * adapter.id if adapter else 0.0)


def _sample(reply: Reply, draw: Draw, position: int) -> Sample:
    done, chars = position == reply.tokens, len(reply.text)
    return Sample(
        index=draw.index,
        text=reply.text if done else reply.text[: position * chars // reply.tokens],
        n_tokens=position,
        finish_reason=reply.finish_reason if done else None,
        adapter=draw.adapter.version if draw.adapter else None,
        instruction=draw.instruction,
        parsed=_parsed(reply) if done else None,
        logprobs=() if reply.logprob is None else (reply.logprob,) * position,
        chars={tokens: tokens * chars // reply.tokens for tokens in range(1, position + 1)},
    )


def _parsed(reply: Reply) -> Said | None:
    is_plain = reply.said is None and not reply.calls
    return None if is_plain else Said(reply.said or "", reply.calls)
