"""Whet as an application of Ray Serve: `serve run server.ray_serve:application model=smollm2`.

Each replica is a whole `whet serve`, a process of its own on the replica's host, and passes on what
Ray Serve sends it: bodies and streams as they come, and that a client is gone. So a replica keeps
every promise of a server, its engine's restarts included, and ends as one does: requests under way
are answered first. `ray.serve.llm` would run vLLM's engine alone, without what Whet does around it.

Nothing else imports this module, and nothing here is imported without Ray.
"""

from __future__ import annotations

import io
import os
import shlex
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from ray import serve
from rich.console import Console

from server.passing_on import Way
from server.server_process import WHET, Launch, running

DRAIN_S = 30.0
"""How long a replica may take to end: `server_process` kills a server after that."""
SECRETS = ("WHET_DATABASE_URL",)
"""What a replica's environment tells its server, and no flag should: others read these."""


class Asked(BaseModel):
    """What is given to `serve run` as KEY=VALUE, and to `serve deploy` under `args`."""

    model_config = ConfigDict(extra="forbid")

    model: str = "whet-pebble"
    flags: str = ""
    """Flags of `whet serve`, as a shell takes them."""
    data_dirs: Path | None = None
    """A folder on each host, in which every replica there has a data folder of its own."""
    replicas: int = Field(default=1, ge=1)
    cpus: float = Field(default=1.0, ge=0)
    """Of each replica, as its accelerators."""
    gpus: float = Field(default=0.0, ge=0)
    at_once: int = Field(default=256, ge=1)
    """Requests that a replica is given at a time; its own bounds refuse what is too much for it."""


class Replica:
    """One server, and the way to it."""

    def __init__(self, asked: Asked, launch: Launch = WHET) -> None:
        """Start it, and wait until it is ready; raises `ServerFailedError`, which has its log."""
        self._stack = ExitStack()
        quiet = Console(file=io.StringIO())
        words = [asked.model, *_own_folder(asked.data_dirs), *shlex.split(asked.flags)]
        known = {name: os.environ[name] for name in SECRETS if name in os.environ}
        started = running(launch, quiet, *words, environment=known)
        self._server = self._stack.enter_context(started)

    def __serve_build_asgi_app__(self) -> Way:
        """Return what Ray Serve hands requests to."""
        return Way(self._server.url)

    def check_health(self) -> None:
        """Raise where the server has ended: Ray Serve puts another replica in its place."""
        if self._server.has_ended:
            raise RuntimeError("the server of this replica has ended")

    def __del__(self) -> None:
        """End the server in order, when Ray Serve ends the replica."""
        self._stack.close()


def _own_folder(data_dirs: Path | None) -> list[str]:
    """Return the flag of a replica's own data folder, by its number among those of its host."""
    if data_dirs is None:
        return []
    number = serve.get_replica_context().rank.local_rank
    return ["--data-dir", str(data_dirs / f"replica-{number}")]


def application(args: Mapping[str, Any]) -> Any:
    """Return the application, for `serve run` and `import_path` of `serve deploy`."""
    return deployed(args)


def deployed(args: Mapping[str, Any], launch: Launch = WHET) -> Any:
    """Return the application whose replicas start `launch`; `args` are those of an `Asked`."""
    asked = Asked.model_validate(args)
    deployment = serve.deployment(
        serve.ingress()(Replica),
        name="Whet",
        num_replicas=asked.replicas,
        max_ongoing_requests=asked.at_once,
        graceful_shutdown_timeout_s=DRAIN_S,
        ray_actor_options={"num_cpus": asked.cpus, "num_gpus": asked.gpus},
    )
    return deployment.bind(asked, launch)
