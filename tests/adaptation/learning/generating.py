"""A small whole generation of whet-pebble, by whichever trainer, and a cluster to have one do it.

`python -m tests.adaptation.learning.generating ADDRESS FOLDER` is a process that runs it on the
cluster and says each phase as it begins, so that it can be killed in one.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

import psutil

from adaptation.learning.distillation.generation import Distiller
from adaptation.learning.distillation.pieces import Pieces
from adaptation.learning.distillation.report import GenerationReport
from adaptation.learning.distillation.select import Selection
from adaptation.learning.distillation.settings import Settings
from adaptation.learning.distillation.spread import Spread
from adaptation.learning.ray.placement import Placement
from adaptation.learning.ray.trainer import RayTrainer
from adaptation.learning.training.trainer import GeneratingTrainer, Recipe
from adaptation.pebble import model_path
from memory.store.database import open_database
from memory.types import Record
from memory.versions.adapters import AdapterRegistry
from tests.adaptation.distillation.conftest import RecordList, make_record
from tests.adaptation.training.on_ray import Nodes

SETTINGS = Settings(
    selection=Selection(min_train=8, min_holdout=2),
    recipe=Recipe(rank=4, steps=4, batch_size=8, learning_rate=1e-3),
    rehearse=False,
    doubts=False,
    max_new_tokens=12,
)
"""As little as goes through every stage but doubt's trainings, which are of 40 steps each."""
RECORDS = 16
ACTOR = "ray::TrainerActor"
START_S = 240.0
OnProgress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Learned:
    """What came of a generation."""

    report: GenerationReport
    adapter: bytes

    @property
    def told(self) -> dict[str, object]:
        """The report, but for what a clock says."""
        training = {"training": {"seconds", "flops"}}
        return self.report.model_dump(exclude={"seconds": True, "returns": True, **training})


def grade(text: str, record: Record) -> bool:
    """Whether a reply is right: by its length, so that small changes of it are seen."""
    return len(text) % 2 == 0


async def generation(
    trainer: GeneratingTrainer,
    data_dir: Path,
    on_progress: OnProgress = lambda phase, done, total: None,
) -> Learned:
    """Run one on a data folder that was made before, and end the trainer."""
    memory = RecordList([make_record(number) for number in range(RECORDS)])
    with closing(open_database(data_dir)) as database:
        registry = AdapterRegistry(database, data_dir / "adapters")
        distiller = Distiller(
            memory, registry, trainer, "whet-pebble", grade, SETTINGS, on_progress=on_progress
        )
        try:
            report = await distiller.run("default")
        finally:
            await trainer.close()
        assert report.adapter is not None
        made = Path(registry.show("default", report.adapter).path)
        return Learned(report, await asyncio.to_thread(_weights, made))


def spread(address: str, workers: int, pieces: Path | None = None) -> Spread:
    """Return what has a generation done by workers of a cluster."""
    placement = Placement(
        address=address, fewest=workers, most=workers, device="cpu", start_s=START_S
    )
    return Spread(RayTrainer(model_path(), placement), workers, Pieces(pieces))


@contextmanager
def cluster(nodes: int = 2) -> Iterator[str]:
    """Start a Ray cluster of so many nodes, and yield its address, where this process may join."""
    with TemporaryDirectory(prefix="whet-nodes-") as folder, mock.patch.dict(os.environ):
        os.environ |= {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_AUTH_MODE": "disabled"}
        started = Nodes(folder)
        for _ in range(nodes):
            started.add()
        yield started.address
        started.close()


def actors(address: str) -> list[psutil.Process]:
    """Return the processes of a cluster's workers on this machine."""
    found = []
    for each in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess, IndexError):
            parent = each.parent()
            is_of_it = parent is not None and f"--gcs-address={address}" in parent.cmdline()
            if is_of_it and each.cmdline()[0].startswith(ACTOR):
                found.append(each)
    return found


def _weights(folder: Path) -> bytes:
    return (folder / "adapter_model.safetensors").read_bytes()


def main() -> None:
    """Run a generation, and say how it goes."""
    address, folder = sys.argv[1], Path(sys.argv[2])
    trainer = spread(address, 2, folder / "pieces")
    asyncio.run(generation(trainer, folder, lambda *told: print(*told, flush=True)))


if __name__ == "__main__":
    main()
