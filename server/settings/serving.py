"""How the server takes requests, ends, and starts its engine again."""

from __future__ import annotations

from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator

from server.settings.group import AbsolutePath, Group


class Serving(Group):
    """Bounds of requests, and the life of server and engine."""

    replica: str | None = Field(default=None, pattern=r"^[A-Za-z0-9._-]{1,64}$")
    """name of this server among those behind one load balancer: every response carries it, as
    `x-whet-replica`"""
    engine_routes: bool = False
    """open the engine's own administrative routes to the operator"""
    notice_s: float = Field(default=0.0, ge=0, le=600)
    """seconds after SIGTERM for which requests are still taken while `/ready` says no: what a load
    balancer needs to notice"""
    drain_s: float = Field(default=5.0, ge=0, le=3600)
    """seconds after that within which requests under way may end by themselves, before they are
    answered with 503"""
    engine_restarts: int = Field(default=5, ge=0, le=100)
    """times that an engine which dies again and again is started anew; then the server ends"""
    engine_stall_s: float | None = Field(default=30.0, gt=0, le=3600)
    """seconds without a token until an engine that does nothing counts as hung, and is killed and
    started again; forty times as long for one that is at work; `none`: never"""
    engine_url: str | None = None
    """a `vllm serve --enable-scale-out` that draws the samples, as `http://HOST:PORT`, in place of
    an engine that is started here"""
    engine_key: SecretStr | None = None
    """what that engine asks its clients for (its `--api-key`)"""
    engine_folder: AbsolutePath | None = None
    """folder in which that engine finds adapters under the same path; by default the one in memory,
    for an engine on this machine"""
    max_concurrent_requests: int = Field(default=1024, ge=1)
    """requests answered at a time; further ones are refused with 503"""
    max_body_bytes: int = Field(default=32 * 2**20, ge=1024)
    """larger request bodies are refused with 413"""
    max_bodies_bytes: int = Field(default=512 * 2**20, ge=1024)
    """bytes of all requests' bodies that are in memory at a time, half of them for one tenant; more
    are refused with 503, a tenant's with 429"""
    max_body_text: int = Field(default=2 * 2**20, ge=1024)
    """bytes of one request's body, for a model that takes text only; more are refused with 400"""
    body_timeout_s: float = Field(default=60.0, gt=0, le=3600)
    """seconds within which a request's head has to arrive, and then its body; else it is refused
    with 408"""
    max_body_items: int = Field(default=1024, ge=1)
    """messages, tools and the like in one request; more are refused with 400"""
    max_body_parts: int = Field(default=20_000, ge=1)
    """objects, arrays and strings in one request's body; more are refused with 400"""
    max_body_values: int = Field(default=200_000, ge=1)
    """values in one request's body, numbers included; more are refused with 400"""
    max_body_depth: int = Field(default=100, ge=1)
    """levels of nesting in a request's body; more are refused with 400"""

    @field_validator("engine_url")
    @classmethod
    def _asked_over_http(cls, url: str | None) -> str | None:
        if url is not None and (urlsplit(url).scheme not in ("http", "https") or not _host(url)):
            raise ValueError("it is no `http://HOST:PORT`")
        return url


def _host(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        return parts.hostname if parts.port is None or parts.port else None
    except ValueError:  # of a port that is no number
        return None
