"""A request's JSON on its way: the text, and what it says, so that nobody parses it again.

Who sends a request to this server from inside has often read it already. What was parsed is given
out once, since whoever takes it changes it.
"""

from __future__ import annotations

from typing import Any

from server.refusals.soundness import sound_object

BODY = "whet.body"
"""The key of a connection's scope under which the `Body` of a request from inside stands."""


class Body:
    """The JSON of one request."""

    def __init__(self, text: bytes, parsed: dict[str, Any] | None = None) -> None:
        """`parsed` is what `sound_object` made of the text, or of a line that holds it."""
        self.text = text
        self._parsed = parsed

    def take(self) -> dict[str, Any] | None:
        """Return what it says, None where it is no object; raises `ApiError` (400)."""
        parsed, self._parsed = self._parsed, None
        return sound_object(self.text) if parsed is None else parsed
