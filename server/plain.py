"""Strategy `plain`: one request to the engine, its outputs passed on as they come, and counted.

It knows no votes, and of memory nothing but that an outcome is noted.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    AsyncExitStack,
    aclosing,
    asynccontextmanager,
)
from functools import partial
from typing import Any

from adaptation.cancelling import end_all
from adaptation.errors import EngineError
from adaptation.report import Report, SampleCounts, TokenCounts
from adaptation.tracing import traced_alone
from adaptation.types import Abandoned, Outcome, Query, Sample
from server.adapters.scope import Scope
from server.adapters.serving import Serving
from server.engine.outputs import Given, first_text, tokens_of
from server.engine.refusals import http_error, told
from server.engine.under_way import counters, end_requests
from server.engine.vllm_engine import EngineRequest, lora_request
from server.requests.request_context import Asked
from server.telemetry.telemetry import Watched

Finish = Callable[[Query, Outcome, Report | None], Report]
Watching = Callable[[Query], AbstractContextManager[Watched]]


class PlainSampling:
    """Samples through what answers the question, once."""

    def __init__(
        self, inner: Any, scope: Scope, finish: Finish, abandon: Abandoned, watch: Watching
    ) -> None:
        """`finish` makes the report of an outcome; `abandon` is told what was spent without one;
        `watch` sees every prompt answered."""
        self._watch = watch
        self._inner = inner
        self._scope = scope
        self._finish = finish
        self._abandon = abandon

    def as_asked(self, request: EngineRequest, request_id: str) -> AsyncGenerator[Any, None]:
        """Return vLLM's outputs for a request that names its adapter, or none."""
        return self._outputs(request, request_id, request.keywords.get("lora_request"))

    async def unread(self, request: EngineRequest, request_id: str) -> AsyncGenerator[Given, None]:
        """Yield the same, of which nothing is reported."""
        async with aclosing(self.as_asked(request, request_id)) as outputs:
            async for output in outputs:
                yield Given(output)

    async def unreported(
        self, request: EngineRequest, request_id: str, tenant: str
    ) -> AsyncGenerator[Any, None]:
        """Yield vLLM's outputs, through what the tenant is served with."""
        async with _held(self._scope.unknown(tenant)) as serving:
            adapter = lora_request(serving.base)
            async with aclosing(self._outputs(request, request_id, adapter)) as outputs:
                async for output in outputs:
                    yield output

    async def streamed(self, asked: Asked, request: EngineRequest) -> AsyncGenerator[Given, None]:
        """Stream one request as vLLM does, keeping count."""
        tokens, text, finished = 0, "", False
        counted: list[Any] | None = None
        began = time.monotonic()
        async with _held(self._scope.of(asked)) as serving:
            query = asked.query(request, serving, request.choices, request.seed)
            drawn = self._outputs(request, asked.request_id, lora_request(serving.base))
            try:
                with self._watch(query) as watched:
                    async with aclosing(drawn) as outputs:
                        async for output in outputs:
                            if counted is None:
                                counted = counters(self._inner, asked.request_id)
                            tokens += tokens_of(output)
                            text = first_text(output, request.params, text)
                            report = None
                            if finished := output.finished:
                                outcome = _outcome(query, output, text, tokens, began)
                                watched.ended(outcome)
                                report = self._finish(query, outcome, asked.earlier)
                            yield Given(output, report)
            finally:
                if not finished:
                    # What the engine had given out and nobody has taken was generated, too.
                    own = sum(choice.num_generation_tokens for choice in counted or ())
                    self._give_up(request, own or tokens)

    async def whole(self, asked: Asked, request: EngineRequest) -> Given:
        """Return the one output; of one that nobody waits for any more, the cost is counted."""
        began = time.monotonic()
        async with _held(self._scope.of(asked)) as serving:
            query = asked.query(request, serving, request.choices, request.seed)
            drawn = self._outputs(request, asked.request_id, lora_request(serving.base))
            drawing = asyncio.create_task(_last(drawn))
            try:
                with self._watch(query) as watched:
                    await asyncio.wait([drawing])
                    output = drawing.result()
                    text, tokens = first_text(output, request.params, ""), tokens_of(output)
                    outcome = _outcome(query, output, text, tokens, began)
                    watched.ended(outcome)
            except BaseException:
                await end_all([drawing], partial(end_requests, self._inner, [asked.request_id]))
                self._give_up(request, _drawn_tokens(drawing))
                raise
        report, adapter = self._finish(query, outcome, asked.earlier), serving.base
        return Given(output, report, adapter=adapter.version if adapter else None)

    def _outputs(
        self, request: EngineRequest, request_id: str, adapter: Any
    ) -> AsyncGenerator[Any, None]:
        keywords = {**request.keywords, "lora_request": adapter}
        outputs: AsyncGenerator[Any, None] = self._inner.generate(
            request.prompt, request.params, request_id, **keywords
        )
        return told(outputs, request.params, request.form)

    def _give_up(self, request: EngineRequest, tokens: int) -> None:
        started = SampleCounts(started=request.choices, cancelled=request.choices)
        self._abandon(started, TokenCounts(cancelled=tokens))


def _outcome(query: Query, output: Any, text: str, tokens: int, began: float) -> Outcome:
    sample = Sample(0, text, tokens, output.outputs[0].finish_reason)
    return Outcome.plain(query, sample, traced_alone(sample, time.monotonic() - began))


@asynccontextmanager
async def _held(served: AbstractAsyncContextManager[Serving]) -> AsyncIterator[Serving]:
    """Hold what answers; raises what vLLM's handlers turn into HTTP 503."""
    async with AsyncExitStack() as stack:
        try:
            serving = await stack.enter_async_context(served)
        except EngineError as error:
            raise http_error(error) from error
        yield serving


async def _last(outputs: AsyncGenerator[Any, None]) -> Any:
    """Return the last output: of a request that is not streamed, the only one."""
    last = None
    async with aclosing(outputs):
        async for last in outputs:  # noqa: B007
            pass
    return last


def _drawn_tokens(drawing: asyncio.Task[Any]) -> int:
    """Return what was generated, as far as the engine gave it out."""
    if drawing.cancelled() or drawing.exception() is not None:
        return 0
    return tokens_of(drawing.result())
