"""Two builds of Whet: this checkout, and another commit's in a work tree of its own for a while."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from server.server_process import ROOT, Launch, Server, running

STARTER = "loadtests.sound.of_build"


class NoBuildError(Exception):
    """The other build cannot be had; the message is git's."""


@dataclass(frozen=True)
class Build:
    """One version of the code."""

    name: str
    folder: Path

    @contextmanager
    def serving(self, console: Console, *flags: str) -> Iterator[Server]:
        """`whet serve` of this build on a memory of its own, without a model for embeddings."""
        launch = Launch(
            self.name, (STARTER, str(self.folder), "server.cli", "serve"), ready="/ready"
        )
        with (
            tempfile.TemporaryDirectory(prefix="whet-sound-") as data,
            running(launch, console, "--data-dir", data, "--embedder", "hashing", *flags) as server,
        ):
            yield server


THIS = Build("this build", ROOT)


@contextmanager
def checked_out(commit: str) -> Iterator[Build]:
    """Another commit of this repository, in a folder that goes with the block."""
    with tempfile.TemporaryDirectory(prefix="whet-build-") as parent:
        folder = str(Path(parent) / "whet")
        _git("worktree", "add", "--detach", "--quiet", folder, commit)
        try:
            yield Build(commit, Path(folder))
        finally:
            _git("worktree", "remove", "--force", folder)


def _git(*words: str) -> None:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NoBuildError(done.stderr.strip())
