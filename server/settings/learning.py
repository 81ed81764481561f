"""What is learned offline, and how a version that was learned is released."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from server.settings.group import Group
from server.settings.ray import ADDRESS


class Learning(Group):
    """Jobs, generations and champions."""

    jobs: bool = True
    """do the offline jobs of this data folder: distillation and the like, one at a time, in a
    process of its own"""
    refusals: Path | None = None
    """file of JSON lines with `request`, `refusal` and `compliance`: an adapter that shifts the
    model towards complying is refused"""
    min_real_share: float = Field(default=0.2, ge=0, le=1)
    """of what a generation trains on, what people asked or brought; practice beyond it is left
    out"""
    max_written_share: float = Field(default=0.25, ge=0, le=1)
    """of what a generation trains on, questions that the model itself wrote"""
    max_champions: int = Field(default=2, ge=2, le=64)
    """distilled adapters in the engine at a time, of all tenants; one is the successor's of another
    that requests still use"""
    champion_poll_s: float = Field(default=5.0, gt=0)
    """seconds between two looks for a newly promoted adapter"""
    champion_scope: Literal["near", "all"] = "near"
    """what a distilled adapter answers: questions near those it learned from, the rest being the
    base's, or all"""
    champion_similarity: float = Field(default=0.7, ge=-1.0, le=1.0)
    """cosine to a question it learned from, from which on one is near"""
    champion_share: float = Field(default=0.0, ge=0.0, lt=1.0)
    """share of the requests near it that a candidate answers, until how its answers fared decides;
    0 tries none"""
    champion_shadow: float = Field(default=0.0, ge=0.0, le=1.0)
    """share of the requests near it that a candidate answers unseen, before it answers any"""
    champion_holdback: float = Field(default=0.0, ge=0.0, lt=1.0)
    """share of the requests near it that a new champion leaves to what was served before, until how
    its answers fared decides whether it stays"""
    champion_autonomy: Literal["suggest", "approve", "auto"] = "auto"
    """what is done with a version that passed the gate: `suggest` reports it, `approve` waits for
    `whet adapters approve`, `auto` begins its release"""
    distill_ray: str | None = None
    """address of the Ray cluster whose workers do distillations, like `HOST:6379`; `auto` takes the
    one that this machine is part of, `local` makes one here; `none` asks no cluster. `whet distill
    --ray` says so for one generation"""
    distill_workers: int = Field(default=4, ge=1, le=64)
    """workers that a distillation asks of its Ray cluster; those without a place yet are waited for
    by nobody"""
    distill_replies: Literal["trainer", "vllm"] = "trainer"
    """what a distillation's replies are drawn by: the trainer's own decoder, or vLLM's offline
    batches in a process beside it, which keeps a second copy of the model. `whet distill --replies`
    says so for one generation"""
    champion_archive: bool = False
    """a generation is trained on from a version drawn among all that were judged, not from the
    base"""

    @field_validator("distill_ray")
    @classmethod
    def _cluster(cls, address: str | None) -> str | None:
        if address is not None and not ADDRESS.fullmatch(address):
            raise ValueError("it is none of local, auto and HOST:PORT")
        return address

    @property
    def champion_least(self) -> float | None:
        """From which cosine on a distilled adapter answers; None: it answers everything."""
        return self.champion_similarity if self.champion_scope == "near" else None
