"""vLLM's engine client, with every request in its tenant's turn, and its tokens told.

Whatever asks the engine comes through here: samples of a vote, asides, gates, and the handlers of
vLLM that know no adaptation.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any

from vllm.sampling_params import RequestOutputKind

from adaptation.fair_queue import FairQueue, Holding
from server.engine.launch import register_client
from server.engine.outputs import tokens_of
from server.engine.under_way import counters
from server.tenancy.principal import Principal

IN_BATCH = " (batch)"
"""Behind a tenant's name: a flow of its own, of what nobody waits for. No name has a space."""
LOOK_S = 0.5
"""Between two looks for what the engine is done with and nobody reads."""
Spent = Callable[[str, int], None]


def weight_of_flow(flow: str, weight_of: Callable[[str], float]) -> float:
    """Return the share of a tenant, or of its batches: half of that."""
    tenant = flow.removesuffix(IN_BATCH)
    return weight_of(tenant) / (1 if tenant == flow else 2)


class MeteredClient:
    """Stands in front of vLLM's client, and delegates everything else."""

    def __init__(
        self, inner: Any, queue: FairQueue, caller: Callable[[], Principal], spent: Spent
    ) -> None:
        """`queue` is the one before the engine; `caller` says in whose name it is asked.

        `spent` is told its tokens, read and generated.
        """
        self._inner, self._queue = inner, queue
        self._watched: dict[str, Holding] = {}
        """By request, from its first output on."""
        self._looking: asyncio.TimerHandle | None = None
        self._caller, self._spent = caller, spent

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def generate(
        self, prompt: Any, sampling_params: Any, request_id: str, **keywords: Any
    ) -> AsyncGenerator[Any, None]:
        """Yield vLLM's outputs, in turn; a priority that the client named is dropped."""
        caller, samples = self._caller(), int(getattr(sampling_params, "n", 1) or 1)
        flow = caller.tenant + (IN_BATCH if caller.in_batch else "")
        is_partial = getattr(sampling_params, "output_kind", None) is RequestOutputKind.DELTA
        read = generated = 0
        async with self._queue.place(flow, samples) as holding:
            keywords["priority"] = holding.turn.priority
            made = self._inner.generate(prompt, sampling_params, request_id, **keywords)
            async with aclosing(made) as outputs:
                try:
                    async for output in outputs:
                        read = len(output.prompt_token_ids or ())
                        new = tokens_of(output)
                        generated = generated + new if is_partial else new
                        self._watch(request_id, holding)
                        yield output
                finally:  # before vLLM forgets a request that nobody waits for any more
                    self._watched.pop(request_id, None)
                    own = sum(each.num_generation_tokens for each in counters(self, request_id))
                    holding.cost = read + max(generated, own)
                    self._spent(caller.tenant, holding.cost)

    def refuse(self, error: Callable[[], Exception]) -> None:
        """Have an `error` raised for everybody who waits for a turn, or comes."""
        self._queue.close(error)

    def _watch(self, request_id: str, holding: Holding) -> None:
        """See to it that a place is left when the engine is done, whether or not a client reads."""
        self._watched[request_id] = holding
        if self._looking is None:
            self._looking = asyncio.get_running_loop().call_later(LOOK_S, self._look)

    def _look(self) -> None:
        at_work = self._inner.output_processor.external_req_ids
        for request_id in [each for each in self._watched if each not in at_work]:
            self._watched.pop(request_id).leave()
        loop = asyncio.get_running_loop()
        self._looking = loop.call_later(LOOK_S, self._look) if self._watched else None


register_client(MeteredClient)
