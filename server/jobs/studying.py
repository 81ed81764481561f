"""What a job does where another base is to learn: the two of them, and how large they are."""

from __future__ import annotations

import shlex

from adaptation.learning.distillation.comparison import Extent, StudentReport
from adaptation.learning.distillation.generation import Distiller
from adaptation.learning.distillation.student import Side, Teaching
from server.jobs.of_base import OfBase
from server.models.size import folder_of, parameters_of, weight_bytes_of


class Student(OfBase):
    """The base that learns."""

    named: str
    """As whoever asked calls it, and `whet serve` takes it."""


async def studied(
    tenant: str, teacher: tuple[OfBase, Distiller], student: tuple[Student, Distiller]
) -> StudentReport:
    """Have the student learn what the teacher gathers; each comes with what runs its generations.

    Raises `DistillationError`.
    """
    large, small = (Side(distiller, base.model) for base, distiller in (teacher, student))
    teaching = Teaching(large, small, extent_of)
    report = await teaching.run(tenant)
    return report.model_copy(update={"serve": f"whet serve {shlex.quote(student[0].named)}"})


def extent_of(model: str) -> Extent:
    """Return how large a model is, or the adapter in a folder, as far as its files tell."""
    folder = folder_of(model)
    if folder is None:
        return Extent()
    found = parameters_of(folder), weight_bytes_of(folder)
    return Extent(parameters=found[0] or None, bytes=found[1] or None)
