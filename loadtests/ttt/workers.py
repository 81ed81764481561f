"""Those who are measured, each in a process of its own that waits while another works."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from adaptation.learning.training.trainer import TrainingJob
from loadtests.sound.builds import Build
from loadtests.sound.of_build import environment

HERE = Path(__file__).parent
TRAINER, ORDINARY = "of_trainer.py", "ordinary.py"


class WorkerFailedError(Exception):
    """One of them ended early; the message is the last that it said."""


class Worker:
    """One model under one build."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.parameters = int(self._reply()["parameters"])

    def train(self, jobs: Sequence[TrainingJob]) -> dict[str, Any]:
        """Have `jobs` trained, into folders that go at once; return what that took."""
        with ExitStack() as stack:
            folders = [stack.enter_context(tempfile.TemporaryDirectory("whet")) for _ in jobs]
            # An older build refuses keys that came later: what is not set is left out.
            placed = [
                job.model_copy(update={"output_dir": folder}).model_dump(
                    mode="json", exclude_unset=True
                )
                for job, folder in zip(jobs, folders, strict=True)
            ]
            return self._ask(placed)

    def peak(self) -> float:
        """FLOP of a plain matmul per second; of the ordinary one only."""
        return float(self._ask("peak")["peak"])

    def _ask(self, request: object) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return self._reply()

    def _reply(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            assert self._process.stderr is not None
            self._process.wait()
            self._process.stderr.seek(0)
            raise WorkerFailedError(self._process.stderr.read()[-2000:])
        found: dict[str, Any] = json.loads(line)
        return found


@contextmanager
def at_work(script: str, build: Build, model: Path, threads: int) -> Iterator[Worker]:
    """A process of `build` for the length of the block."""
    import os

    env = environment(os.environ, str(build.folder)) | {"OMP_WAIT_POLICY": "PASSIVE"}
    command = [sys.executable, str(HERE / script), str(model), str(threads)]
    with (
        tempfile.TemporaryFile("w+") as stderr,
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            env=env | {"OMP_NUM_THREADS": str(threads)},
            cwd=build.folder,
        ) as process,
    ):
        process.stderr = stderr
        try:
            yield Worker(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait()
