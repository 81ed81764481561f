"""The trainer whose work is done by Ray actors, as the server has it. Ray is not imported here."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from adaptation.learning.leases import remove_orphans
from adaptation.learning.ray import files
from adaptation.learning.ray.placement import Placement
from adaptation.learning.training.chat import Template
from adaptation.learning.training.process import ResidentTrainer
from adaptation.learning.training.resident import Resident

DRIVER = "adaptation.learning.ray.driver"
PREFIX = "whet-cluster-"
START_MARGIN_S = 60.0
"""For the driver's imports and a cluster of its own, beside the time that the first actor has."""


class RayTrainer(ResidentTrainer):
    """Implements `GeneratingTrainer` by actors of a cluster, through a driver process.

    While there is no cluster, work is refused at once, and the driver is started again and again.
    """

    def __init__(
        self,
        model: str | Path,
        placement: Placement,
        *,
        template: Template | None = None,
        replier: str | None = None,
    ) -> None:
        """`replier` is a module whose process replies beside each actor's base; None: that does."""
        parent = Path(tempfile.gettempdir())
        remove_orphans(parent, PREFIX)
        self._folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=parent))
        """Of a cluster of its own. Short: names of sockets have 107 bytes."""
        arguments = ["--model", str(model), "--placement", placement.model_dump_json()]
        arguments += ["--folder", str(self._folder)]
        if template is not None:
            arguments += ["--template", template.model_dump_json()]
        if replier is not None:
            arguments += ["--replier", replier]
        most_s = placement.start_s + START_MARGIN_S
        super().__init__(Resident(arguments, None, most_s, worker=DRIVER, persists=True))

    async def close(self) -> None:
        """End the driver, and with it its actors, and a cluster of its own."""
        await super().close()
        shutil.rmtree(self._folder, ignore_errors=True)
        remove_orphans(files.scratch(), files.PREFIX)  # of actors killed at work
