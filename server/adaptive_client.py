"""The seam: an engine client whose `generate` answers through the pipeline.

All of vLLM's handlers call `engine_client.generate(...)`. This stands in for that client and
delegates everything else, so every endpoint keeps vLLM's own parsing, tool calls, formats and
errors.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from functools import partial
from typing import Any, TypeVar

from adaptation.cancelling import end_all
from adaptation.errors import DeadlineError, EngineError
from adaptation.options import Strategy
from adaptation.recall import TRAINING_STRATEGIES
from adaptation.report import SampleCounts, StopReason, TokenCounts
from adaptation.types import Abandoned, Outcome, Query, Sample
from server.champion import Champion
from server.engine.launch import register_client
from server.engine.outputs import (
    as_outputs,
    first_text,
    is_streamed,
    opening,
    shown_tokens,
    tokens_of,
)
from server.engine.parsers import Parsers, ReplyReader
from server.engine.refusals import (
    FORM,
    bad_request,
    http_error,
    refuse_deadly,
    refuse_unfit,
    stopping,
    told,
)
from server.engine.under_way import counters, end_requests, tell_all
from server.engine.vllm_engine import EngineRequest, lora_request
from server.request_context import COMPLETIONS, CURRENT, RequestContext

T = TypeVar("T")
Answer = Callable[[Query], Awaitable[Outcome]]
Telling = Callable[[Query], AbstractAsyncContextManager[None]]
TIDYING_S = 1.0
"""For what was told of its end to tidy up."""
Finish = Callable[[RequestContext, int, Query, Outcome], None]


class AdaptiveClient:
    """vLLM's engine client, sharpened."""

    def __init__(
        self,
        inner: Any,
        answer: Answer,
        champion: Champion,
        finish: Finish,
        abandon: Abandoned,
        telling: Telling,
        parsers: Parsers,
    ) -> None:
        """`finish` is told every outcome before its last output is handed to vLLM's handler,
        `abandon` what was spent where there is none; `telling` logs how far a vote is, `parsers`
        read replies as the handler will."""
        self._inner = inner
        self._answer = answer
        self._champion = champion
        self._finish = finish
        self._abandon = abandon
        self._telling = telling
        self._parsers = parsers
        self._loop = asyncio.get_running_loop()
        self._working: set[asyncio.Task[Any]] = set()
        self.is_stopping = False

    def shutdown(self, timeout: float | None = None) -> Any:
        """Stop the engine; an engine that ends without this has died.

        vLLM calls it in a thread. Requests end first, within `timeout` seconds or with a 503.
        """
        self.is_stopping = True
        asyncio.run_coroutine_threadsafe(self.end_requests(timeout or 0.0), self._loop).result()
        return self._inner.shutdown(timeout=timeout)

    async def end_requests(self, timeout_s: float = 0.0) -> None:
        """Have everything under way end: by itself, else with an error, else cancelled."""
        self.is_stopping = True
        await tell_all(self._inner, stopping, timeout_s)
        for _ in range(2):  # what waits for something else than the engine is cancelled
            if self._working:
                await asyncio.wait(self._working, timeout=TIDYING_S)
            for task in self._working:
                task.cancel()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def generate(
        self, prompt: Any, sampling_params: Any, request_id: str, **keywords: Any
    ) -> AsyncGenerator[Any, None]:
        """Read the request's context at the call: the generator may be iterated in another."""
        if self.is_stopping:
            raise stopping()
        context = CURRENT.get()
        form = (context.form if context else None) or FORM
        refuse_deadly(sampling_params)
        refuse_unfit(self._inner, sampling_params, form)
        if keywords.get("lora_request") is not None:  # the client named an adapter of its own
            if context is not None and context.asked:
                raise bad_request("an adapter named as the model is served plain", "adaptation")
            outputs: AsyncGenerator[Any, None] = self._inner.generate(
                prompt, sampling_params, request_id, **keywords
            )
            return told(outputs, sampling_params, form)
        reader = self._reply_reader(context)
        request = EngineRequest(prompt, sampling_params, keywords, form, reader)
        if context is None:
            return self._unreported(request, request_id)
        context.choices, context.seed = request.choices, request.seed
        context.id = context.completion_id(request_id)
        if context.options.strategy is not Strategy.PLAIN:
            _check_choices(context)
            return self._adapted(context, request, request_id)
        if is_streamed(request.params):
            return self._in_turn(context, self._plain(context, request, request_id))
        return self._plain_whole(context, request, request_id)

    def _reply_reader(self, context: RequestContext | None) -> ReplyReader | None:
        if context is None or context.route == COMPLETIONS:  # a bare text is given out as it is
            return None
        calls = context.has_tools or context.options.answer.kind == "tool"
        return self._parsers.reader(context.request, calls=calls)

    @asynccontextmanager
    async def _turn(self, context: RequestContext) -> AsyncIterator[None]:
        """Wait until few enough prompts of the same request are at work."""
        async with context.turns:
            if self.is_stopping:
                raise stopping()
            yield

    async def _in_turn(
        self, context: RequestContext, outputs: AsyncGenerator[Any, None]
    ) -> AsyncGenerator[Any, None]:
        async with aclosing(outputs), self._turn(context):
            async for output in outputs:
                yield output

    async def _unreported(
        self, request: EngineRequest, request_id: str
    ) -> AsyncGenerator[Any, None]:
        with self._champion.use() as base:
            async with aclosing(self._delegate(request, request_id, base)) as outputs:
                async for output in outputs:
                    yield output

    def _delegate(
        self, request: EngineRequest, request_id: str, base: Any
    ) -> AsyncGenerator[Any, None]:
        keywords = {**request.keywords, "lora_request": lora_request(base)}
        outputs: AsyncGenerator[Any, None] = self._inner.generate(
            request.prompt, request.params, request_id, **keywords
        )
        return told(outputs, request.params, request.form)

    async def _plain(
        self, context: RequestContext, request: EngineRequest, request_id: str
    ) -> AsyncGenerator[Any, None]:
        """Stream one request as vLLM does, keeping count."""
        index = context.index_of(request_id)
        tokens, text, finished = 0, "", False
        counted: list[Any] | None = None
        with self._champion.use() as base:
            query = context.query(request_id, index, request, base)
            try:
                async with aclosing(self._delegate(request, request_id, base)) as outputs:
                    async for output in outputs:
                        if counted is None:
                            counted = counters(self._inner, request_id)
                        tokens += tokens_of(output)
                        text = first_text(output, request.params, text)
                        if finished := output.finished:
                            sample = Sample(0, text, tokens, output.outputs[0].finish_reason)
                            self._finish(context, index, query, Outcome.plain(query, sample))
                        yield output
            finally:
                if not finished:
                    # What the engine had given out and nobody has taken was generated, too.
                    own = sum(choice.num_generation_tokens for choice in counted or ())
                    self._abandon_plain(request, own or tokens)

    async def _plain_whole(
        self, context: RequestContext, request: EngineRequest, request_id: str
    ) -> AsyncGenerator[Any, None]:
        async with self._turn(context):
            output = await self._settled(self._whole(context, request, request_id))
        yield output

    async def _whole(self, context: RequestContext, request: EngineRequest, request_id: str) -> Any:
        """Return the one output; of one that nobody waits for any more, the cost is counted."""
        index = context.index_of(request_id)
        with self._champion.use() as base:
            query = context.query(request_id, index, request, base)
            drawing = asyncio.create_task(_last(self._delegate(request, request_id, base)))
            try:
                await asyncio.wait([drawing])
                output = drawing.result()
            except BaseException:
                await end_all([drawing], partial(end_requests, self._inner, [request_id]))
                self._abandon_plain(request, _drawn_tokens(drawing))
                raise
        text = first_text(output, request.params, "")
        sample = Sample(0, text, _drawn_tokens(drawing), output.outputs[0].finish_reason)
        self._finish(context, index, query, Outcome.plain(query, sample))
        return output

    def _abandon_plain(self, request: EngineRequest, tokens: int) -> None:
        started = SampleCounts(started=request.choices, cancelled=request.choices)
        self._abandon(started, TokenCounts(cancelled=tokens))

    async def _adapted(
        self, context: RequestContext, request: EngineRequest, request_id: str
    ) -> AsyncGenerator[Any, None]:
        if is_streamed(request.params) and context.opens_late:
            yield opening(request_id, request.prompt)
        try:
            async with self._turn(context):
                outcome = await self._settled(self._voted(context, request, request_id))
        except (DeadlineError, EngineError) as error:
            raise http_error(error) from error
        for output in as_outputs(request_id, outcome, request.params):
            yield output

    async def _settled(self, work: Coroutine[Any, Any, T]) -> T:
        """Await `work` in a task of its own.

        Whoever ends this one for a client that left cancels it again and again, and would cut the
        tidying short.
        """
        task = asyncio.create_task(work)
        self._working.add(task)
        task.add_done_callback(self._working.discard)
        try:
            await asyncio.wait([task])
        finally:
            task.cancel()
        if task.cancelled() and self.is_stopping:
            raise stopping()
        return task.result()

    async def _voted(
        self, context: RequestContext, request: EngineRequest, request_id: str
    ) -> Outcome:
        index = context.index_of(request_id)
        with self._champion.use() as base:
            trains = context.options.strategy in TRAINING_STRATEGIES
            terms = request.terms if trains else ""
            query = context.query(request_id, index, request, base, self._abandon, terms)
            async with self._telling(query):
                outcome = await self._answer(query)
        if outcome.report.stop_reason is StopReason.REMEMBERED:
            context.recited += sum(shown_tokens(sample) for sample in outcome.samples)
        self._finish(context, index, query, outcome)
        return outcome


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


def _check_choices(context: RequestContext) -> None:
    most = context.options.max_samples
    if context.choices > most:
        raise bad_request(f"`n` is more than the {most} samples of the vote", "n")


register_client(AdaptiveClient)
