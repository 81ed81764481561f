"""A generation's work, recorded once and done again by waiting, by workers of a real cluster.

`Recording` is the trainer's process; what each piece takes of its one thread is noted beside what
came of it. `python -m loadtests.scale.replayed --model FOLDER …` is Ray's driver with workers that
wait that long, and answer what was noted: pieces, scheduling, adapters on their way and decisions
are the real ones, and no cores are needed but for those.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from adaptation.learning.ray import driver
from adaptation.learning.ray.actor import Seat, TrainerActor, given_to
from adaptation.learning.ray.placement import Placement
from adaptation.learning.training.adapter_files import CONFIG, WEIGHTS
from adaptation.learning.training.messages import Done, Ready, Step, Train, Work
from adaptation.learning.training.process import ResidentTrainer
from adaptation.learning.training.resident import Resident
from memory.text import digest
from memory.types import Frozen

READY, NOTED = "ready.json", "noted.json"
START_S = 600.0
CPUS = 0.01
"""Of a worker that waits."""


class Noted(Frozen):
    """One piece."""

    op: str
    seconds: float
    """Of processor time."""
    done: Done


class Recording(Resident):
    """The trainer's process with one thread, one piece at a time."""

    def __init__(self, folder: Path, model: str) -> None:
        """Raises `RuntimeError` where the folder's pieces are of another model."""
        known = folder / READY
        of = json.loads(known.read_text()).get("model") if known.exists() else None
        if of not in (None, model):
            raise RuntimeError(f"the pieces in {folder} are of {of}, not {model}")
        arguments = ["--model", model, "--device", "cpu", "--threads", "1"]
        super().__init__(arguments, 1, START_S)
        self.folder, self._model, self._alone = folder, model, asyncio.Lock()
        self._used: dict[str, Noted] = {}

    @property
    def used(self) -> list[Noted]:
        """Return the pieces that were asked for, each once."""
        return list(self._used.values())

    async def ask(
        self, work: Work, timeout_s: float, on_step: Callable[[Step], None] = lambda step: None
    ) -> Done:
        """Have a piece done, and note it; one that was noted before is taken from there."""
        async with self._alone:
            await self.start()
            if not (self.folder / name_of(work) / NOTED).exists():
                before = self._cpu_s()
                done = await super().ask(work, timeout_s, on_step)
                self._note(work, done, self._cpu_s() - before)
            found = self._used[name_of(work)] = noted(self.folder, work)
        return found.done

    async def start(self) -> None:
        """Start the process; what that took is noted too."""
        if self.pid is not None:
            return
        await super().start()
        about = {"model": self._model, "parameters": self.parameters}
        ready = about | {"seconds": self._cpu_s()}
        await asyncio.to_thread((self.folder / READY).write_text, json.dumps(ready))

    def _cpu_s(self) -> float:
        used = psutil.Process(self.pid).cpu_times()
        return float(used.user + used.system)

    def _note(self, work: Work, done: Done, seconds: float) -> None:
        path = self.folder / name_of(work)
        path.mkdir(exist_ok=True)
        if isinstance(work, Train):
            for file in (CONFIG, WEIGHTS):
                shutil.copy(Path(work.job.output_dir, file), path)
        (path / NOTED).write_text(Noted(op=work.op, seconds=seconds, done=done).model_dump_json())


class WaitingActor(TrainerActor):
    """A worker that waits."""

    def _work(self, seat: Seat) -> None:
        folder = Path(seat.model)
        ready = json.loads((folder / READY).read_text())
        time.sleep(ready["seconds"])
        self._said(Ready(parameters=ready["parameters"], device="cpu"))
        while True:
            for work, _ in self._inbox.take(wait=True):
                known = noted(folder, work)
                time.sleep(known.seconds)
                self._inbox.forget(work.id)
                self._said(known.done)


def noted(folder: Path, work: Work) -> Noted:
    """Return what was noted of the piece, with its adapter where it was asked for."""
    path = folder / name_of(work)
    known = Noted.model_validate_json((path / NOTED).read_text())
    done = known.done.model_copy(update={"id": work.id})
    if isinstance(work, Train) and done.result is not None:
        for file in (CONFIG, WEIGHTS):
            shutil.copy(path / file, work.job.output_dir)
        trained = done.result.model_copy(update={"path": work.job.output_dir})
        done = done.model_copy(update={"result": trained})
    return known.model_copy(update={"done": done})


def waiting(folder: Path, workers: int, scratch: Path) -> ResidentTrainer:
    """Return workers of a cluster of their own that do again what is in the folder."""
    placement = Placement(fewest=workers, most=workers, device="cpu", start_s=START_S)
    arguments = ["--model", str(folder), "--placement", placement.model_dump_json()]
    arguments += ["--folder", str(scratch)]
    return ResidentTrainer(Resident(arguments, None, START_S, worker=__name__))


def name_of(work: Work) -> str:
    """Return the digest of what a piece's outcome depends on."""
    said: dict[str, Any] = work.model_dump(mode="json", exclude={"id", "adapter", "soft_s"})
    if isinstance(work, Train):
        said["job"] = work.job.model_dump(mode="json", exclude={"output_dir", "parent"})
    adapter = given_to(work)
    weights = Path(adapter, WEIGHTS).read_bytes().hex() if adapter else None
    return digest([said, weights])


def waiters(model: str, template: str, placement: Placement, replier: str | None) -> driver.Make:
    """Return what makes an actor that waits; it has no replier."""
    import ray

    seat = Seat(model=model, template=driver.read_template(template), threads=1, device="cpu")
    actor = ray.remote(WaitingActor).options(num_cpus=CPUS)
    return lambda: actor.remote(seat)


if __name__ == "__main__":
    driver.main(waiters)
