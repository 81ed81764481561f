"""What a request of `/v1/responses` goes on from: a stored response, or a conversation.

Taken off the body before anything else sees it. What was said there comes before the request's own
input wherever that is read: to find it in memory, and to render the prompt.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from server.refusals.errors import ApiError

PREVIOUS, CONVERSATION = "previous_response_id", "conversation"


@dataclass(frozen=True)
class Earlier:
    """What was said before; nothing where a request begins anew."""

    items: tuple[Mapping[str, Any], ...] = ()
    previous_id: str | None = None
    conversation_id: str | None = None

    def before(self, asked: Any) -> Any:
        """Return an input with what was said before it."""
        if not self.items or not isinstance(asked, str | list):
            return asked
        own = [{"role": "user", "content": asked}] if isinstance(asked, str) else asked
        return [*self.items, *own]


Recall = Callable[[str, str | None, str | None], Awaitable[tuple[Mapping[str, Any], ...]]]
"""From a tenant and the ids of a response and of a conversation to what was said."""


async def take_earlier(body: dict[str, Any], tenant: str, recall: Recall) -> Earlier:
    """Take what a request goes on from off its body, and look it up; raises `ApiError`."""
    previous, conversation = body.pop(PREVIOUS, None), _id_of(body.pop(CONVERSATION, None))
    if previous is not None and not isinstance(previous, str):
        raise ApiError(400, f"`{PREVIOUS}` must be a string", param=PREVIOUS)
    if previous is None and conversation is None:
        return Earlier()
    if previous is not None and conversation is not None:
        raise ApiError(
            400,
            f"`{PREVIOUS}` and `{CONVERSATION}` exclude each other: send one of them",
            param=PREVIOUS,
            code="mutually_exclusive_parameters",
        )
    if body.get("previous_input_messages"):
        words = f"`previous_input_messages` and `{PREVIOUS}` or `{CONVERSATION}` exclude each other"
        raise ApiError(400, words, param="previous_input_messages")
    items = await recall(tenant, previous, conversation)
    return Earlier(items, previous, conversation)


def _id_of(given: object) -> str | None:
    found = given.get("id") if isinstance(given, dict) else given
    if isinstance(found, str) or (found is None and given is None):
        return found
    words = f'`{CONVERSATION}` must be the id of one, or {{"id": …}}'
    raise ApiError(400, words, param=CONVERSATION)
