"""Who may ask, and what a tenant may use that has no limits of its own."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from server.settings.group import Group, Listed


class Tenants(Group):
    """Limits, shares and trust."""

    requests_per_minute: int | None = Field(default=None, ge=1)
    """requests a minute of a tenant without limits of its own; `none`: no limit, likewise below"""
    tokens_per_minute: int | None = Field(default=None, ge=1)
    """tokens a minute that its requests read and generate, losing votes included"""
    concurrent_requests: int | None = Field(default=None, ge=1)
    """its requests at work at a time"""
    training_steps_per_day: int | None = Field(default=None, ge=0)
    """its steps of per-request training in a day (UTC)"""
    records_per_day: int | None = Field(default=None, ge=0)
    """its records made in a day (UTC): of answers, feedback, imports and practice"""
    files_mb: int | None = Field(default=1024, ge=0)
    """megabytes of its files, those that batches write included; beyond it none is taken"""
    responses_mb: int | None = Field(default=1024, ge=0)
    """megabytes of its stored responses and conversations; its oldest responses make room"""
    batch_requests: int = Field(default=8, ge=1, le=256)
    """requests of a batch at work at a time"""
    shared_samples: int | None = Field(default=None, ge=1)
    """samples in the engine at a time while several tenants ask: fewer slow each other less, and
    cost throughput; `none` is 16 on a CPU, and all that fit on an accelerator"""
    trusted_header: str | None = None
    """header in which a gateway that authenticates by itself names the tenant; it is believed with
    a key of role `gateway` or the operator's, and from everybody where there is no key at all"""
    allowed_hosts: Annotated[tuple[str, ...], Listed] = ()
    """names besides localhost that this server may be asked by while it has no key"""
    tenant_metrics: bool = False
    """count requests and tokens by tenant in `/metrics`, which then holds the tenants' names"""
