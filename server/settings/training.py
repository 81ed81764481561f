"""How adapters are trained for requests, on which neighbours, and how many are kept."""

from __future__ import annotations

from pydantic import Field

from server.settings.group import Device, Group


class Training(Group):
    """Test-time training; `trainer_device` is that of jobs too."""

    train_steps: int | None = Field(default=None, ge=0, le=256)
    """optimiser steps of test-time training; 0 forbids it, `none` chooses from the model's size"""
    train_rank: int | None = Field(default=None, ge=1, le=32)
    """rank of the adapters trained per request; `none` chooses it from the model's size"""
    learning_rate: float | None = Field(default=None, gt=0, le=1)
    """learning rate of test-time training; `none` chooses it from the model's size"""
    train_timeout_s: float | None = Field(default=None, gt=0, le=3600)
    """seconds until a training job counts as hung; `none` chooses by a step timed at the start"""
    train_wait_s: float | None = Field(default=None, ge=0, le=3600)
    """a request that would wait longer than this for its training to begin votes at once; `none`
    waits as long as one training takes here, at least 20 seconds"""
    trainer_device: Device = "auto"
    """where adapters are trained, of requests and of jobs: `cpu`, `cuda`, `cuda:1` for the second
    accelerator; `auto` takes the first where there is one"""
    neighbours: int = Field(default=48, ge=1, le=64)
    """records trained on per request"""
    candidates: int = Field(default=128, ge=1, le=1000)
    """records recalled, from which the neighbours are chosen"""
    min_similarity: float = Field(default=0.5, ge=-1.0, le=1.0)
    """cosine below which a record is no neighbour"""
    max_adapters: int = Field(default=4, ge=1, le=64)
    """per-request adapters alive at the same time"""
    adapter_cache_mb: int = Field(default=1024, ge=0)
    """megabytes of accepted adapters kept for requests with the same neighbours; 0 keeps none"""
    idle_training: bool = False
    """without a request for five seconds, train for those that had no time to"""
