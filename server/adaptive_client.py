"""The seam: an engine client that answers through the pipeline.

It stands in for vLLM's client and delegates everything else, so every endpoint keeps vLLM's own
parsing, tool calls, formats and errors. What came of a prompt goes back with its outputs. It knows
neither HTTP nor what a response looks like.
"""

from __future__ import annotations

import asyncio
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
)
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import replace
from typing import Any, TypeVar

from adaptation.errors import DeadlineError, EngineError
from adaptation.learning.examiner import EXAMINING
from adaptation.options import Strategy
from adaptation.report import Report, StopReason
from adaptation.types import Abandoned, Outcome, Query
from server.adapters.scope import Scope
from server.engine.launch import register_client
from server.engine.outputs import (
    Given,
    as_outputs,
    is_streamed,
    opening,
    shown_tokens,
)
from server.engine.parsers import Parsers, ReplyReader
from server.engine.refusals import (
    bad_request,
    blamed,
    http_error,
    refuse_deadly,
    refuse_unfit,
    stopping,
)
from server.engine.under_way import tell_all
from server.engine.vllm_engine import EngineRequest
from server.plain import Finish, PlainSampling, Watching
from server.requests.request_context import COMPLETIONS, Asked, RequestContext
from server.telemetry.notes import request_note
from server.tenancy.principal import caller

T = TypeVar("T")
Answer = Callable[[Query], Awaitable[Outcome]]
Telling = Callable[[Query], AbstractAsyncContextManager[None]]
TIDYING_S = 1.0
"""Seconds for work that was told to end to count its samples."""


class AdaptiveClient:
    """vLLM's engine client, sharpened."""

    def __init__(
        self,
        inner: Any,
        answer: Answer,
        scope: Scope,
        finish: Finish,
        abandon: Abandoned,
        telling: Telling,
        parsers: Parsers,
        watch: Watching,
    ) -> None:
        """`finish` makes the report of every outcome before its last output is handed on,
        `abandon` is told what was spent where there is none; `telling` logs how far a vote is,
        `parsers` read replies as the handler will, `watch` sees every prompt answered."""
        self._inner = inner
        self._answer = answer
        self._scope = scope
        self._finish = finish
        self._abandon = abandon
        self._watch = watch
        self._plain = PlainSampling(inner, scope, finish, abandon, watch)
        self._telling = telling
        self._parsers = parsers
        self._loop = asyncio.get_running_loop()
        self._working: set[asyncio.Task[Any]] = set()
        self.is_stopping = False
        self.answered: Callable[[Query, Outcome], None] = lambda query, outcome: None
        """Called with every voted answer."""
        self.drain: Callable[[], object] = lambda: None
        """Blocks until what is under way has had its time to end."""

    def shutdown(self, timeout: float | None = None) -> Any:
        """Stop the engine; an engine that ends without this has died.

        vLLM calls it in a thread. Requests end first: by themselves while it drains, then within
        `timeout` seconds or with a 503.
        """
        self.drain()
        self.is_stopping = True
        asyncio.run_coroutine_threadsafe(self.end_requests(timeout or 0.0), self._loop).result()
        return self._inner.shutdown(timeout=timeout)

    async def end_requests(self, timeout_s: float = 0.0) -> None:
        """End all requests under way: by themselves, else with an error, else cancelled."""
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
        """Serve a handler of vLLM's that knows no adaptation: one sample, without a report."""
        request = self._checked(prompt, sampling_params, keywords)
        if keywords.get("lora_request") is not None:
            return self._plain.as_asked(request, request_id)
        return self._plain.unreported(request, request_id, caller().tenant)

    def answer(
        self, asked: Asked, prompt: Any, sampling_params: Any, **keywords: Any
    ) -> AsyncGenerator[Given, None]:
        """Return the outputs for one prompt of a request that may be adapted."""
        context = asked.context
        request = self._checked(prompt, sampling_params, keywords, context)
        if keywords.get("lora_request") is not None:  # the client named an adapter of its own
            if context.asked:
                raise bad_request("an adapter named as the model is served plain", "adaptation")
            return self._plain.unread(request, asked.request_id)
        if context.options.strategy is not Strategy.PLAIN:
            _check_choices(context, request)
            return self._adapted(asked, request)
        if is_streamed(request.params):
            return self._in_turn(context, self._plain.streamed(asked, request))
        return self._whole(asked, request)

    def _checked(
        self,
        prompt: Any,
        params: Any,
        keywords: dict[str, Any],
        context: RequestContext | None = None,
    ) -> EngineRequest:
        """Return the request as the engine gets it; raises what vLLM's handlers turn into HTTP."""
        if self.is_stopping:
            raise stopping()
        form = (
            blamed(params, context.form, has_tools=context.has_tools)
            if context
            else blamed(params, None)
        )
        refuse_deadly(params)
        refuse_unfit(self._inner, params, form)
        return EngineRequest(prompt, params, keywords, form, self._reply_reader(context))

    def _reply_reader(self, context: RequestContext | None) -> ReplyReader | None:
        if context is None or context.route == COMPLETIONS:  # a bare text is given out as it is
            return None
        calls = context.has_tools or context.options.answer.kind == "tool"
        return self._parsers.reader(context.request, calls=calls)

    @asynccontextmanager
    async def _turn(self, context: RequestContext) -> AsyncIterator[None]:
        """Wait until the request has a place for one more prompt at work."""
        async with context.turns:
            if self.is_stopping:
                raise stopping()
            yield

    async def _in_turn(
        self, context: RequestContext, outputs: AsyncGenerator[Given, None]
    ) -> AsyncGenerator[Given, None]:
        async with aclosing(outputs), self._turn(context):
            async for output in outputs:
                yield output

    async def _whole(self, asked: Asked, request: EngineRequest) -> AsyncGenerator[Given, None]:
        async with self._turn(asked.context):
            given = await self._settled(self._plain.whole(asked, request))
        yield given

    async def _adapted(self, asked: Asked, request: EngineRequest) -> AsyncGenerator[Given, None]:
        context = asked.context
        if is_streamed(request.params) and context.opens_late:
            yield Given(opening(asked.request_id, request.prompt))
        try:
            async with self._turn(context):
                outcome, report, adapter = await self._settled(self._voted(asked, request))
        except (DeadlineError, EngineError) as error:
            raise http_error(error) from error
        recited = _recited_tokens(outcome)
        for output in as_outputs(asked.request_id, outcome, request.params):
            yield Given(output, report, recited, adapter)

    async def _settled(self, work: Coroutine[Any, Any, T]) -> T:
        """Await `work` in a task of its own.

        When a client leaves, the server cancels this coroutine again and again. In its own task
        `work` is cancelled once, and can end its samples and count them.
        """
        task = asyncio.create_task(work)
        self._working.add(task)
        task.add_done_callback(self._working.discard)
        if (note := request_note()) is not None:
            note.hold(task)
        try:
            await asyncio.wait([task])
        finally:
            task.cancel()
        if task.cancelled() and self.is_stopping:
            raise stopping()
        return task.result()

    async def _voted(
        self, asked: Asked, request: EngineRequest
    ) -> tuple[Outcome, Report, str | None]:
        """Return what was found, its report, and what it was drawn through beside the base."""
        async with self._scope.of(asked) as serving:
            examines = asked.context.options.strategy in EXAMINING
            terms = request.terms if examines else ""
            query = asked.query(
                request,
                serving,
                request.choices,
                request.seed,
                self._abandon,
                terms,
                is_bent=request.is_bent,
            )
            with self._watch(query) as watched:
                async with self._telling(query):
                    outcome = await self._answer(replace(query, watch=watched.step))
                watched.ended(outcome)
        self.answered(query, outcome)
        adapter = query.adapter_of(outcome.samples[0])
        return outcome, self._finish(query, outcome, asked.earlier), adapter


def _recited_tokens(outcome: Outcome) -> int:
    """Return how many tokens of an answer come from memory."""
    if outcome.report.stop_reason is not StopReason.REMEMBERED:
        return 0
    return sum(shown_tokens(sample) for sample in outcome.samples)


def _check_choices(context: RequestContext, request: EngineRequest) -> None:
    most = context.options.max_samples
    if request.choices > most:
        raise bad_request(f"`n` is more than the {most} samples of the vote", "n")


register_client(AdaptiveClient)
