"""Where trainers go that are Ray actors."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, field_validator

from server.settings.group import Group

ADDRESS = re.compile(r"local|auto|(ray://)?(\[[0-9A-Fa-f:]+\]|[^\s:/\[\]]+):\d{1,5}")


class Ray(Group):
    """Trainers on Ray; `whet[ray]` brings it."""

    trainer: Literal["process", "ray"] = "process"
    """what trains for requests: a `process` of this server, or `ray`: actors of a Ray cluster, on
    other devices or hosts"""
    ray_address: str = "local"
    """the cluster: `local` starts one for this server alone, on 127.0.0.1; `auto` joins the one
    that this machine is part of; `HOST:PORT`, or `ray://HOST:PORT` from a machine outside of it"""
    ray_actors: int = Field(default=1, ge=1, le=256)
    """trainers that are always there"""
    ray_max_actors: int = Field(default=4, ge=1, le=256)
    """trainers while there is much to train, as far as the cluster has room for them"""
    ray_cpus: int | None = Field(default=None, ge=1, le=1024)
    """cores that each takes, and its threads; `none` takes what suits the model's size"""
    ray_gpus: float | None = Field(default=None, ge=0, le=64)
    """accelerators that each takes; `none` takes one where the cluster has any"""

    @field_validator("ray_address")
    @classmethod
    def _readable_address(cls, address: str) -> str:
        if not ADDRESS.fullmatch(address):
            raise ValueError("it is none of local, auto, HOST:PORT and ray://HOST:PORT")
        return address
