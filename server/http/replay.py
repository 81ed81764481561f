"""A body that was read, for whoever reads it next. Pure ASGI."""

from __future__ import annotations

import asyncio

from starlette.types import Message, Receive

PIECE_BYTES = 2**20
"""A body is read in pieces of this size, and other requests have their turn in between."""


def replayed(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives `body` once, then whatever the client does (disconnect)."""
    given, is_given = 0, False

    async def replay() -> Message:
        nonlocal given, is_given
        if is_given:
            return await receive()
        if given:
            await asyncio.sleep(0)
        piece = body[given : given + PIECE_BYTES]
        given += len(piece)
        is_given = given >= len(body)
        return {"type": "http.request", "body": piece, "more_body": not is_given}

    return replay
