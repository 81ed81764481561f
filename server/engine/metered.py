"""vLLM's engine client, with every request in its tenant's turn, and its tokens told.

Whatever asks the engine comes through here: samples of a vote, asides, gates, and the handlers of
vLLM that know no adaptation.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any

from vllm.sampling_params import RequestOutputKind

from adaptation.fair_queue import FairQueue
from server.engine.launch import register_client
from server.engine.outputs import tokens_of
from server.engine.under_way import counters
from server.tenancy.principal import Principal

BATCH_PRICE = 2
"""A token for which nobody waits counts as so many in a tenant's turns: half the priority."""
Spent = Callable[[str, int], None]


class MeteredClient:
    """Stands in front of vLLM's client, and delegates everything else."""

    def __init__(
        self, inner: Any, queue: FairQueue, caller: Callable[[], Principal], spent: Spent
    ) -> None:
        """`queue` is the one before the engine; `caller` says in whose name it is asked.

        `spent` is told its tokens, read and generated.
        """
        self._inner, self._queue = inner, queue
        self._caller, self._spent = caller, spent

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def generate(
        self, prompt: Any, sampling_params: Any, request_id: str, **keywords: Any
    ) -> AsyncGenerator[Any, None]:
        """Yield vLLM's outputs, in turn; a priority that the client named is dropped."""
        caller, samples = self._caller(), int(getattr(sampling_params, "n", 1) or 1)
        tenant, price = caller.tenant, BATCH_PRICE if caller.in_batch else 1
        is_partial = getattr(sampling_params, "output_kind", None) is RequestOutputKind.DELTA
        read = generated = 0
        async with self._queue.place(tenant, samples, price) as holding:
            keywords["priority"] = holding.turn.priority
            made = self._inner.generate(prompt, sampling_params, request_id, **keywords)
            async with aclosing(made) as outputs:
                try:
                    async for output in outputs:
                        read = len(output.prompt_token_ids or ())
                        new = tokens_of(output)
                        generated = generated + new if is_partial else new
                        yield output
                finally:  # before vLLM forgets a request that nobody waits for any more
                    own = sum(each.num_generation_tokens for each in counters(self, request_id))
                    holding.cost = read + max(generated, own)
                    self._spent(tenant, holding.cost)


register_client(MeteredClient)
