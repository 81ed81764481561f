"""vLLM's handler of /v1/responses, mended where a response would be lost, wrong or without an end.

vLLM keeps responses in dictionaries of its process, leaves one that fails in the background queued
for ever, and whoever follows it waits as long; an error in a stream cuts the connection; a stream
that was cut short says that it is complete. Here it is told to store nothing: what is kept, and
what a request goes on from, is `server.stored_responses`'.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Coroutine, Iterable, Mapping
from contextlib import aclosing
from typing import Any

from cachetools import FIFOCache
from pydantic import ValidationError
from vllm.entrypoints.openai.responses.protocol import ResponsesRequest, ResponsesResponse
from vllm.entrypoints.openai.responses.serving import OpenAIServingResponses
from vllm.exceptions import VLLMClientError, VLLMError

from memory.errors import NotFoundError
from memory.history.stored_response import StoredResponse
from server.engine.refusals import bad_request
from server.gateway.asking import Asking
from server.gateway.handler import Reporting, exchange_of, tell_headers
from server.gateway.response_form import LastEvent, ends_with, shown, with_ends
from server.refusals.key_names import told
from server.requests.request_context import RESPONSES
from server.stored_responses import StoredResponses

logger = logging.getLogger(__name__)

MAX_FOLLOWED = 1_000
"""Streams in the background whose events are there for those who come late."""
HOLD_EVERY_S = 15.0
"""Between two words that a response is still being made, and looks whether it is to be."""
LOOK_EVERY_S = 1.0
"""Between looks for the end of a response that another server makes."""
SHOWN_TOOLS = frozenset({"function", "custom", "namespace"})
SERVED_TOOLS = frozenset({"web_search_preview", "code_interpreter", "container", "mcp"})
"""Types of tools that a tool server (`--tool-server`) may run."""


class Responses(Reporting, OpenAIServingResponses):  # type: ignore[misc]
    """Stored, reported on, and brought to an end."""

    def __init__(self, *arguments: Any, stored: StoredResponses, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.stored = stored
        self.event_store: FIFOCache[str, Any] = FIFOCache(MAX_FOLLOWED)
        self.tenants: dict[str, str] = {}
        """The tenant of each response that is being made in the background, by its id."""

    async def create_responses(self, request: Any, raw_request: Any = None) -> Any:
        """Return a response, its events, or an error."""
        self._refuse_dropped_tools(request)
        request.asking = Asking.of(request, raw_request)
        request.store = False  # in vLLM's dictionaries
        exchange = exchange_of(raw_request)
        if exchange is None:
            request.asked_for_no_tools = request.tool_choice == "none"
            return await self._created(request, raw_request)
        request.asked_for_no_tools = exchange.context.refuses_tools
        made = await self.serving(exchange)._created(request, raw_request)
        tell_headers(exchange, raw_request, made)
        return made

    def in_background(self) -> list[str]:
        """Return the tenant of each response that is being made in the background."""
        return list(self.tenants.values())

    async def end(self, response_id: str) -> None:
        """Make no more of a response, where it is this server that makes it."""
        if (task := self.background_tasks.get(response_id)) is not None:
            task.cancel()
            await asyncio.wait([task])

    async def _created(self, request: Any, raw_request: Any) -> Any:
        try:
            made = await super().create_responses(request, raw_request)
            queued = self.response_store.pop(request.request_id, None)
            return made if queued is None else await self._begun(queued, request)
        finally:
            request.asking.begin(False)  # unless it has begun

    async def _begun(self, queued: Any, request: Any) -> Any:
        """Store a response that is going to be made, and begin; return it or its events."""
        asking, begun = request.asking, self._completed(shown(queued, request))
        new = await asyncio.to_thread(asking.written, begun)
        await self.stored.begin(new)
        asking.queued, self.tenants[begun.id] = begun, asking.tenant
        if request.stream:
            self.event_store[begun.id] = ([], asyncio.Event())
        asking.begin(True)
        return self.followed(new.response, None) if request.stream else begun

    def _completed(self, response: Any) -> Any:
        """Return a response with its report and its true usage."""
        return response if self.exchange is None else self.exchange.completed(response)

    def _refuse_dropped_tools(self, request: Any) -> None:
        known = SHOWN_TOOLS if self.tool_server is None else SHOWN_TOOLS | SERVED_TOOLS
        for tool in request.tools:
            if tool.type not in known:
                raise bad_request(
                    f"tools of type `{tool.type}` are not available here: "
                    f"use one of {', '.join(sorted(known))}",
                    "tools",
                )

    async def _render_resolved_response_inputs(
        self, request: Any, prev_response: Any, **more: Any
    ) -> Any:
        """Render the prompt: what was said before comes before the request's own input."""
        if earlier := request.asking.earlier.items:
            own = request.input
            own = [{"role": "user", "content": own}] if isinstance(own, str) else own
            request.input = [*_parsed(earlier), *own]
        if isinstance(request.input, list):
            request.input = _told_again(request.input)
        return await super()._render_resolved_response_inputs(request, prev_response, **more)

    async def responses_full_generator(self, request: Any, *rest: Any, **more: Any) -> Any:
        """Return the whole response, stored; also for the end of a stream and in the background."""
        made = await super().responses_full_generator(request, *rest, **more)
        if not isinstance(made, ResponsesResponse):
            return made
        return await self._kept(self._completed(shown(made, request)), request)

    async def responses_stream_generator(
        self, request: Any, *rest: Any, **more: Any
    ) -> AsyncGenerator[Any, None]:
        """Yield the events; an error becomes the last of them."""
        opened, number = None, 0
        try:
            made = super().responses_stream_generator(request, *rest, **more)
            async with aclosing(made), aclosing(with_ends(made, request)) as events:
                async for event in events:
                    opened, number = opened or event.response, number + 1
                    yield event
        except Exception as error:
            if opened is None:  # nothing is sent yet
                raise
            yield ends_with(await self._kept(self._failed(opened, error), request), number)

    async def _run_background_request(self, request: Any, *rest: Any, **more: Any) -> None:
        await self._in_background(self.responses_full_generator(request, *rest, **more), request)

    async def _run_background_request_stream(self, request: Any, *rest: Any, **more: Any) -> None:
        await self._in_background(self._noted(request, *rest, **more), request)

    async def _noted(self, request: Any, *rest: Any, **more: Any) -> None:
        events, news = self.event_store[request.request_id]
        async for event in self.responses_stream_generator(request, *rest, **more):
            events.append(event)
            news.set()

    async def _in_background(self, work: Coroutine[Any, Any, Any], request: Any) -> None:
        """Do the work once the response is stored as queued, and hold it for as long."""
        asking = request.asking
        if not await asking.begun:
            work.close()
            return
        task = asyncio.current_task()
        assert task is not None
        holding = asyncio.create_task(self._hold(asking.tenant, request.request_id, task))
        try:
            await work
        except Exception as error:  # noqa: BLE001 - told to whoever asks for the response
            await self._kept(self._failed(asking.queued, error), request)
        finally:
            holding.cancel()
            self.tenants.pop(request.request_id, None)

    async def _hold(self, tenant: str, response_id: str, task: asyncio.Task[None]) -> None:
        while await self.stored.hold(tenant, response_id):  # noqa: ASYNC110 - the database says
            await asyncio.sleep(HOLD_EVERY_S)
        task.cancel()  # cancelled or deleted through another server

    async def followed(
        self, found: StoredResponse, starting_after: int | None
    ) -> AsyncGenerator[Any, None]:
        """Yield what happens to a response in the background until nothing more will.

        Of one that another server makes, or that ended long ago, that is its end.
        """
        if found.id in self.event_store:
            async for event in self.responses_background_stream_generator(found.id, starting_after):
                yield event
                if isinstance(event, LastEvent):
                    return
        number = 0 if starting_after is None else starting_after + 1
        at_hand = len(self.event_store.get(found.id, ((), None))[0])
        yield ends_with(await self._ended(found), max(number, at_hand))

    async def _ended(self, found: StoredResponse) -> Mapping[str, Any]:
        """Return the body of a response once it has ended."""
        try:
            found = await self.stored.get(found.tenant, found.id)
            while found.is_at_work:
                await asyncio.sleep(LOOK_EVERY_S)
                found = await self.stored.get(found.tenant, found.id)
        except NotFoundError:  # deleted meanwhile
            return {**found.body, "status": "cancelled"}
        return found.body

    async def responses_background_stream_generator(
        self, response_id: str, starting_after: int | None = None
    ) -> AsyncGenerator[Any, None]:
        """Yield the events of a response that this server makes, until there are no more."""
        events, news = self.event_store[response_id]
        task = self.background_tasks.get(response_id)
        if task is not None:
            task.add_done_callback(lambda _: news.set())
        place = 0 if starting_after is None else starting_after + 1
        while True:
            news.clear()
            while place < len(events):
                yield events[place]
                place += 1
            if task is None or task.done():
                return
            await news.wait()

    def _failed(self, response: Any, error: Exception) -> Any:
        logger.error("response %s failed", response.id, exc_info=error)
        is_meant = isinstance(error, VLLMError)  # for the client to read
        apology = "The server failed on this response; its log says why"
        words = told(RESPONSES, str(error)) if is_meant else apology
        code = "invalid_prompt" if isinstance(error, VLLMClientError) else "server_error"
        fault = {"code": code, "message": words}
        return self._completed(response.model_copy(update={"status": "failed", "error": fault}))

    async def _kept(self, response: Any, request: Any) -> Any:
        """Store a response that has ended; return it as it is then."""
        asking = request.asking
        if not asking.is_kept and asking.earlier.conversation_id is None:
            return response
        new = await asyncio.to_thread(asking.written, response)
        store = self.stored.keep if asking.queued is None else self.stored.finish
        if await store(new):
            return response
        return response.model_copy(update={"store": False, "conversation": None})


def _parsed(items: Iterable[Any]) -> list[Any]:
    """Return items as vLLM reads those of a request."""
    try:
        return list(ResponsesRequest.model_validate({"input": list(items)}).input)
    except ValidationError as error:
        words = "what this goes on from was stored by another version, and cannot be read: begin "
        raise bad_request(f"{words}anew", "previous_response_id") from error


def _told_again(items: Iterable[Any]) -> list[Any]:
    """Return a conversation whose answers are one text each, as vLLM reads the first part only.

    An answer without any part says nothing, and is left out.
    """
    told = []
    for item in items:
        role, parts = (_value(item, key) for key in ("role", "content"))
        if role != "assistant" or not isinstance(parts, list):
            told.append(item)
        elif parts:
            words = (_value(part, "text") or _value(part, "refusal") or "" for part in parts)
            answer = {"role": "assistant", "content": "".join(words)}
            told.append(
                answer | {"status": _value(item, "status")}
            )  # one that is to be gone on with
    return told


def _value(item: Any, key: str) -> Any:
    return item.get(key) if isinstance(item, dict) else getattr(item, key, None)
