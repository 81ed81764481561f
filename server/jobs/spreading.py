"""A generation by the workers of a Ray cluster. Nothing imports this where none is asked for.

What the workers found stays in the job's folder while the job lasts: whoever goes on with it, after
this process was killed or paused, has no worker do it again.
"""

from __future__ import annotations

from adaptation.learning.distillation.pieces import Pieces
from adaptation.learning.distillation.spread import Spread
from adaptation.learning.ray.trainer import RayTrainer
from server.jobs.folders import PIECES
from server.jobs.of_base import OfBase
from server.jobs.work import Work
from server.trainers import placement_of


def spread_over(work: Work, base: OfBase, address: str, replier: str | None = None) -> Spread:
    """Return what has the workers at `address` do a job's work on a base; they start when needed.

    `replier` is a module whose process replies beside each of them; None: they do so themselves.
    Raises `TrainerError` from its `start` where the cluster cannot be reached.
    """
    workers = work.settings.distill_workers
    where = {"address": address, "fewest": workers, "most": workers}
    placement = placement_of(work.settings, None).model_copy(update=where)
    work.tell(f"{workers} workers are asked of the Ray cluster at {address}")
    trainer = RayTrainer(base.model, placement, template=base.template, replier=replier)
    of_base = base.model, base.template.model_dump_json(), *([replier] if replier else [])
    return Spread(trainer, workers, Pieces(work.folder / PIECES, of_base))
