"""Choosing one of several free texts, which no count can: by likeness, or by asking the model."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import replace

from adaptation.engine import Engine
from adaptation.errors import EngineError
from adaptation.types import Query, Sample
from adaptation.voting.draws import Drawer
from adaptation.voting.medoid import Embed, medoid
from adaptation.voting.pool import SamplePool
from adaptation.voting.weights import mean_logprob
from adaptation.waits import memory_wait_s
from memory.types import Message

TASK = (
    "I asked a question and got several responses. Evaluate them, and select the most consistent "
    "one, by majority consensus. End with: The most consistent response is Response X."
)
_CHOSEN = re.compile(r"\bresponse\s+#?(\d{1,2})\b", re.IGNORECASE)


class Representative:
    """Chooses the text that stands for all the others."""

    def __init__(
        self,
        query: Query,
        engine: Engine,
        embed: Embed,
        *,
        ask: bool,
    ) -> None:
        """`ask` the model (universal self-consistency), or take the medoid of the embeddings."""
        self._query = query
        self._engine = engine
        self._embed = embed
        self._ask = ask and query.can_be_reworded

    async def of(self, samples: Sequence[Sample], pool: SamplePool, *, may_ask: bool) -> Sample:
        """Return one of `samples`; what asking costs is counted by `pool`."""
        chosen = await self._asked(samples, pool) if self._ask and may_ask else None
        if chosen is not None:
            return chosen
        return await self._medoid(samples)

    async def _medoid(self, samples: Sequence[Sample]) -> Sample:
        """Return the medoid; the surest sample, or the first, where it takes too long."""
        try:
            async with asyncio.timeout(memory_wait_s(self._query)):
                return await medoid(samples, self._embed)
        except TimeoutError:
            return max(samples, key=mean_logprob)

    async def _asked(self, samples: Sequence[Sample], pool: SamplePool) -> Sample | None:
        """Universal self-consistency (Chen et al. 2023, arXiv 2311.17311); None without a word."""
        try:
            prompt = self._engine.prompt(self._query, (usc_message(self._query, samples),))
        except EngineError:
            return None
        draw = Drawer(self._query, self._engine).draw(pool.launched, self._query.base)
        pool.launch(replace(draw, prompt=prompt, is_aside=True))
        reply = await pool.next()
        if not isinstance(reply, Sample) or reply.finish_reason != "stop":
            return None
        named = [int(number) for number in _CHOSEN.findall(reply.said.text)]
        place = named[-1] - 1 if named else -1
        return samples[place] if 0 <= place < len(samples) else None


def usc_message(query: Query, samples: Sequence[Sample]) -> Message:
    """Return what the model is asked."""
    said = ((sample.said.text or sample.text).strip() for sample in samples)
    responses = (f"Response {n}: {text}" for n, text in enumerate(said, 1))
    text = "\n\n".join([TASK, f"The question: {query.question}", *responses])
    return Message(role="user", content=text)
