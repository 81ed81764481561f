"""The id of a request: the client's own where it is a plain word, else a new one."""

from __future__ import annotations

import re
import secrets

from starlette.types import Scope

HEADER = "x-request-id"
SANE_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_NAME = HEADER.encode()
_STATE, _KEY = "state", "request_id"


def request_id_of(scope: Scope) -> str:
    """Return the id of a connection's request, the same one whenever it is asked for."""
    state = scope.setdefault(_STATE, {})
    if _KEY not in state:
        named = (value for name, value in scope["headers"] if name == _NAME)
        given = next(named, b"").decode("latin-1")
        sane = SANE_REQUEST_ID.fullmatch(given)
        state[_KEY] = given if sane else f"req_{secrets.token_hex(16)}"
    found: str = state[_KEY]
    return found
