"""Stored responses and conversations for the event loop, within their tenant's limits.

What cannot be stored is said to be so, and answered all the same.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from memory.errors import (
    ConflictError,
    NotFoundError,
    StorageUnavailableError,
    WhetMemoryError,
)
from memory.history.stored_response import StoredResponse, Written
from memory.memory import LongTermMemory
from server.refusals.errors import ApiError
from server.requests.kept_items import SAID

logger = logging.getLogger(__name__)

LOST = "The server that made this response stopped before it was done: ask again"
TRIES = 4
PAUSE_S = 1.0
"""Before the end of a response that was made in the background is stored again; doubled each time.
"""
MostBytes = Callable[[str], Awaitable[int | None]]


class StoredResponses:
    """What the handler of responses, its routes and the front door do with stored ones."""

    def __init__(
        self, memory: LongTermMemory, most_of: MostBytes, most_items: int, most_bytes: int
    ) -> None:
        """`most_of` tells how many bytes a tenant may keep.

        `most_items` and `most_bytes` bound what a request goes on from.
        """
        self._memory, self._most_of = memory, most_of
        self._most_items, self._most_bytes = most_items, most_bytes
        self._read, self._write = memory.aside.reading.run, memory.aside.writing.run

    async def recall(
        self, tenant: str, previous: str | None, conversation: str | None
    ) -> tuple[Mapping[str, Any], ...]:
        """Return what was said in a response and before it, or in a conversation.

        Raises `ApiError`, and `StorageUnavailableError`.
        """
        if previous is not None:
            said = await self._told(tenant, previous)
        else:
            said = await self._spoken(tenant, str(conversation))
        if len(said) > self._most_items:
            words = f"what this goes on from has {len(said)} items, and {self._most_items} are the "
            raise ApiError(400, f"{words}most (max_body_items): begin anew", param="input")
        return said

    async def get(self, tenant: str, response_id: str) -> StoredResponse:
        """Return a response; one that nobody makes any more has failed. Raises `NotFoundError`."""
        responses = self._memory.responses
        found: StoredResponse = await self._read(responses.get, tenant, response_id)
        if not found.is_lost(time.time()):
            return found
        await self._write(responses.finish, Written(_failed(found, LOST)))
        return await self._read(responses.get, tenant, response_id)

    async def keep(self, new: Written) -> bool:
        """Store a response that has ended; False where that is not possible."""
        tenant = new.response.tenant
        try:
            most = await self._most_of(tenant)
            await self._write(self._memory.responses.keep, new, most)
        except WhetMemoryError as error:
            logger.error("response %s is not stored: %s", new.response.id, error)
            return False
        return True

    async def begin(self, new: Written) -> None:
        """Store a response that is going to be made; raises what the memory does."""
        most = await self._most_of(new.response.tenant)
        await self._write(self._memory.responses.begin, new, most)

    async def hold(self, tenant: str, response_id: str) -> bool:
        """Say that a response is still being made; False where it is not to be any more."""
        try:
            return await self._write(self._memory.responses.hold, tenant, response_id)
        except StorageUnavailableError as error:
            logger.warning("response %s goes on, but cannot be stored: %s", response_id, error)
            return True

    async def finish(self, new: Written) -> bool:
        """Store what a response came to that was made in the background; False where it was not.

        A database that is gone for a moment is waited for.
        """
        for attempt in range(TRIES):
            try:
                most = await self._most_of(new.response.tenant)
                return await self._write(self._memory.responses.finish, new, most)
            except StorageUnavailableError as error:
                logger.error("the end of response %s is not stored: %s", new.response.id, error)
                await asyncio.sleep(PAUSE_S * 2**attempt)
            except ConflictError as error:
                return await self._fail(new.response, str(error))
        return False

    async def cancel(self, tenant: str, response_id: str) -> StoredResponse:
        """Return a response, which has ended then; raises `NotFoundError`."""
        return await self._write(self._memory.responses.cancel, tenant, response_id)

    async def delete(self, tenant: str, response_id: str) -> None:
        """Erase a response; raises `NotFoundError`."""
        await self._write(self._memory.responses.delete, tenant, response_id)

    async def _fail(self, made: StoredResponse, why: str) -> bool:
        failed = _failed(made, f"The answer could not be stored: {why}", output=[])
        return await self._write(self._memory.responses.finish, Written(failed))

    async def _told(self, tenant: str, response_id: str) -> tuple[Mapping[str, Any], ...]:
        name = "previous_response_id"
        try:
            found = await self.get(tenant, response_id)
            _refuse_unready(found)
            chain = self._memory.responses.chain
            told = await self._read(chain, tenant, response_id, self._most_bytes)
        except NotFoundError as error:
            code = "previous_response_not_found"
            raise ApiError(404, f"`{name}`: {error}", param=name, code=code) from error
        except ConflictError as error:
            raise ApiError(400, f"`{name}`: {error}", param=name) from error
        said: list[Mapping[str, Any]] = []
        for asked, body in told:
            said += asked
            said += [item for item in body.get("output", ()) if item.get("type") in SAID]
        return tuple(said)

    async def _spoken(self, tenant: str, conversation_id: str) -> tuple[Mapping[str, Any], ...]:
        read = self._memory.conversations.said
        try:
            said = await self._read(read, tenant, conversation_id, self._most_bytes)
        except NotFoundError as error:
            raise ApiError(404, str(error), param="conversation") from error
        except ConflictError as error:
            raise ApiError(400, f"`conversation`: {error}", param="conversation") from error
        return tuple(item for item in said if item.get("type") != "reasoning")


def _failed(made: StoredResponse, why: str, **more: Any) -> StoredResponse:
    """Return a response as one that came to nothing."""
    error = {"code": "server_error", "message": why}
    body = {**made.body, "status": "failed", "error": error, **more}
    return made.model_copy(update={"status": "failed", "body": body})


def _refuse_unready(found: StoredResponse) -> None:
    """Refuse to go on from what is not done, or stands within more than itself."""
    name = "previous_response_id"
    if found.is_at_work:
        raise ApiError(
            400, f"`{name}`: response {found.id} is still {found.status}: wait for it", param=name
        )
    if found.conversation_id is not None:
        words = f"response {found.id} was made in a conversation: use `conversation`, its id is "
        raise ApiError(400, f"`{name}`: {words}{found.conversation_id}", param=name)
