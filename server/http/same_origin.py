"""Writes to memory and adapters are refused to other people's web pages.

A browser sends a "simple" POST to the loopback address for any page that asks, and without keys
nothing else tells such a page from the machine's owner.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from fastapi import Request

from server.refusals.errors import ApiError

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def refuse_cross_site(request: Request) -> None:
    """Raise `ApiError` (403) for a write that a page of another origin sends."""
    if request.method in SAFE_METHODS:
        return
    origin = request.headers.get("origin")
    is_foreign = origin is not None and urlsplit(origin).netloc != request.headers.get("host")
    if is_foreign or request.headers.get("sec-fetch-site") == "cross-site":
        raise ApiError(403, "a web page of another origin may not write here")
