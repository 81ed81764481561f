"""Where trainers go: a cluster, how many actors, what each of them takes. Ray-free data.

`Placement` travels from the server's settings to the driver's command line.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from adaptation.learning.training.link import ALLOCATOR, SAME_BITS, environment
from memory.types import Frozen

LOCAL = "local"
"""The address that has a cluster made on this machine, for this server alone."""
RESTARTS = 8
"""Times that Ray starts a lost actor again before a new one is asked for."""


class Placement(Frozen):
    """A cluster, and what is asked of it."""

    address: str = LOCAL
    """`local`, `auto` (the cluster that this machine is part of), `HOST:PORT`, `ray://HOST:PORT`"""
    fewest: int = Field(default=1, ge=1)
    """Actors that are always there."""
    most: int = Field(default=1, ge=1)
    """Actors while much is asked."""
    cpus: int = Field(default=1, ge=1)
    """Cores of an actor, and its threads."""
    gpus: float | None = Field(default=None, ge=0)
    """Accelerators of an actor; None takes one where the cluster has any."""
    device: str = "auto"
    start_s: float = Field(default=120.0, gt=0)
    """In which the first actor has to be there."""


def options(placement: Placement, gpus: float) -> Mapping[str, Any]:
    """Return what `TrainerActor` is made with: places, restarts, and the trainer's environment."""
    return {
        "num_cpus": placement.cpus,
        "num_gpus": gpus,
        "max_restarts": RESTARTS,
        "max_task_retries": 0,  # who asked has fallen back by then
        "runtime_env": {"env_vars": variables(placement.cpus)},
    }


def variables(threads: int) -> dict[str, str]:
    """Return what the environment of an actor's process has to say: it is another host's."""
    found = environment(threads)
    own = (*ALLOCATOR, *SAME_BITS, "TOKENIZERS_PARALLELISM", "OMP_WAIT_POLICY", "OMP_NUM_THREADS")
    return {name: found[name] for name in own}
