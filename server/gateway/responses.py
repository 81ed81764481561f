"""vLLM's handler of /v1/responses, mended where a response would be lost, wrong or without an end.

vLLM keeps responses without a bound. It leaves one that fails in the background queued for ever,
and whoever follows it waits as long; an error in a stream cuts the connection; a stream that was
cut short says that it is complete. A response that is gone on with loses the calls it made, and a
tool that the model is never shown is dropped without a word.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Iterable
from contextlib import aclosing
from typing import Any

from cachetools import FIFOCache
from vllm.entrypoints.openai.responses.protocol import ResponsesResponse
from vllm.entrypoints.openai.responses.serving import OpenAIServingResponses
from vllm.entrypoints.openai.responses.utils import construct_chat_messages_with_tool_call
from vllm.exceptions import VLLMClientError, VLLMError

from server.engine.refusals import bad_request
from server.gateway.handler import Reporting, exchange_of, tell_headers
from server.gateway.input_items import input_items
from server.gateway.response_form import Ending, ends_with, shown, with_ends
from server.key_names import told
from server.request_context import RESPONSES
from server.tenancy.principal import tenant_of

logger = logging.getLogger(__name__)

MAX_RESPONSES = 10_000
"""Stored responses that can be retrieved and continued."""
AT_WORK = frozenset({"queued", "in_progress"})
SAID = frozenset({"message", "function_call", "custom_tool_call"})
"""Items of a response that belong to the conversation; vLLM leaves its reasoning out."""
SHOWN_TOOLS = frozenset({"function", "custom", "namespace"})
SERVED_TOOLS = frozenset({"web_search_preview", "code_interpreter", "container", "mcp"})
"""Types of tools that a tool server (`--tool-server`) may run."""


class Responses(Reporting, OpenAIServingResponses):  # type: ignore[misc]
    """Bounded, reported on, and brought to an end."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.response_store: FIFOCache[str, Any] = FIFOCache(MAX_RESPONSES)
        self.msg_store: FIFOCache[str, Any] = FIFOCache(MAX_RESPONSES)
        self.event_store: FIFOCache[str, Any] = FIFOCache(MAX_RESPONSES)
        self.items: FIFOCache[str, list[dict[str, Any]]] = FIFOCache(MAX_RESPONSES)
        """What each was asked."""
        self.owners: FIFOCache[str, str] = FIFOCache(2 * MAX_RESPONSES)
        """The tenant of each; more than are stored, as those that fail take a place too."""

    async def create_responses(self, request: Any, raw_request: Any = None) -> Any:
        """Return a response, its events, or an error."""
        self._refuse_dropped_tools(request)
        if raw_request is not None:
            tenant = tenant_of(raw_request.scope)
            earlier = request.previous_response_id
            if earlier is not None and not self.is_of(tenant, earlier):
                return self._make_not_found_error(earlier)
            if request.store:
                self.owners[request.request_id] = tenant
        if request.store:
            self.items[request.request_id] = input_items(request.input)
        exchange = exchange_of(raw_request)
        if exchange is None:
            request.asked_for_no_tools = request.tool_choice == "none"
            return await self._created(request, raw_request)
        request.asked_for_no_tools = exchange.context.refuses_tools
        made = await self.serving(exchange)._created(request, raw_request)
        tell_headers(exchange, raw_request, made)
        return made

    def is_of(self, tenant: str, response_id: str) -> bool:
        """Whether a tenant may know of a response."""
        return self.owners.get(response_id) == tenant

    def in_background(self) -> list[str]:
        """Return the tenant of each response that is being made in the background."""
        return [self.owners.get(response_id, "") for response_id in self.background_tasks]

    def items_of(self, response_id: str) -> list[dict[str, Any]] | None:
        """Return what a stored response was asked; None where there is no such response."""
        return self.items.get(response_id) if response_id in self.response_store else None

    async def delete(self, response_id: str) -> bool:
        """Forget a response, and end it where it is being made; False where there is none."""
        if response_id not in self.response_store:
            return False
        if (task := self.background_tasks.get(response_id)) is not None:
            task.cancel()
            await asyncio.wait([task])
        for kept in (self.response_store, self.msg_store, self.event_store, self.items):
            kept.pop(response_id, None)
        self.owners.pop(response_id, None)
        return True

    async def _created(self, request: Any, raw_request: Any) -> Any:
        made = await super().create_responses(request, raw_request)
        queued = self.response_store.get(request.request_id)
        if queued is None or queued.status != "queued":
            return made
        kept = self._keep(self._completed(shown(queued, request)))
        return kept if made is queued else made

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
        """Render the prompt; vLLM's own history has the words of a response, not its calls."""
        if isinstance(request.input, list):
            request.input = _told_again(request.input)
        if prev_response is None or self.use_harmony:
            return await super()._render_resolved_response_inputs(request, prev_response, **more)
        said = _told_again(item for item in prev_response.output if item.type in SAID)
        return await self.online_renderer.render_responses(
            request,
            previous_messages=[
                *self.msg_store.get(prev_response.id, ()),
                *construct_chat_messages_with_tool_call(said),
            ],
            tool_server=self.tool_server,
            **more,
        )

    async def responses_full_generator(self, request: Any, *rest: Any, **more: Any) -> Any:
        """Return the whole response, also for the end of a stream and in the background."""
        made = await super().responses_full_generator(request, *rest, **more)
        if not isinstance(made, ResponsesResponse):
            return made
        completed = self._completed(shown(made, request))
        return self._keep(completed) if self.response_store.get(made.id) is made else completed

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
            failed = self._failed(opened, error)
            yield ends_with(self._keep(failed) if request.store else failed, number)

    async def _run_background_request(self, request: Any, *rest: Any, **more: Any) -> None:
        await self._told(super()._run_background_request(request, *rest, **more), request)

    async def _run_background_request_stream(self, request: Any, *rest: Any, **more: Any) -> None:
        await self._told(super()._run_background_request_stream(request, *rest, **more), request)

    async def _told(self, work: Awaitable[None], request: Any) -> None:
        try:
            await work
        except Exception as error:  # noqa: BLE001 - told to whoever asks for the response
            queued = self.response_store.get(request.request_id)
            if queued is not None:
                self._keep(self._failed(queued, error))

    async def responses_background_stream_generator(
        self, response_id: str, starting_after: int | None = None
    ) -> AsyncGenerator[Any, None]:
        """Yield what happens to a response in the background until nothing more will."""
        events, news = self.event_store[response_id]
        task = self.background_tasks.get(response_id)
        if task is not None:
            task.add_done_callback(lambda _: news.set())
        place = 0 if starting_after is None else starting_after + 1
        while True:
            news.clear()
            while place < len(events):
                yield events[place]
                if isinstance(events[place], Ending):
                    return
                place += 1
            if task is None or task.done():  # cancelled
                yield ends_with(self.response_store[response_id], len(events))
                return
            await news.wait()

    async def retrieve_responses(
        self, response_id: str, starting_after: int | None, stream: bool | None
    ) -> Any:
        """Return a stored response, its events, or an error."""
        if stream and response_id in self.response_store and response_id not in self.event_store:
            return self.create_error_response(
                message="only a response made in the background, as a stream, can be followed",
                param="stream",
            )
        return await super().retrieve_responses(response_id, starting_after, stream)

    async def cancel_responses(self, response_id: str) -> Any:
        """Return the response, which has ended then; one that had ended already stays as it is."""
        response = self.response_store.get(response_id)
        if response is not None and response.background and response.status not in AT_WORK:
            return response
        return await super().cancel_responses(response_id)

    def _failed(self, response: Any, error: Exception) -> Any:
        logger.error("response %s failed", response.id, exc_info=error)
        is_meant = isinstance(error, VLLMError)  # for the client to read
        apology = "The server failed on this response; its log says why"
        words = told(RESPONSES, str(error)) if is_meant else apology
        code = "invalid_prompt" if isinstance(error, VLLMClientError) else "server_error"
        fault = {"code": code, "message": words}
        return self._completed(response.model_copy(update={"status": "failed", "error": fault}))

    def _keep(self, response: Any) -> Any:
        """Store a response, unless it was cancelled meanwhile; return what is stored."""
        kept = self.response_store.get(response.id)
        if kept is None or kept.status != "cancelled":
            self.response_store[response.id] = kept = response
        return kept


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
