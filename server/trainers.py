"""The trainer that settings ask for."""

from __future__ import annotations

from adaptation.learning.ray.placement import Placement
from adaptation.learning.ray.trainer import RayTrainer
from adaptation.learning.training.chat import Template
from adaptation.learning.training.process import ProcessTrainer, ResidentTrainer
from adaptation.learning.trainings import AT_ONCE
from server.config import Settings


def trainer_of(
    model: str, template: Template, settings: Settings, threads: int | None
) -> ResidentTrainer:
    """Return what trains for requests; `threads` are those that suit the model."""
    device = settings.trainer_device
    if settings.trainer == "ray":
        return RayTrainer(model, placement_of(settings, threads), template=template)
    return ProcessTrainer(model, template=template, threads=threads, device=device)


def placement_of(settings: Settings, threads: int | None) -> Placement:
    """Return what is asked of a Ray cluster."""
    return Placement(
        address=settings.ray_address,
        fewest=settings.ray_actors,
        most=max(settings.ray_actors, settings.ray_max_actors),
        cpus=settings.ray_cpus or threads or 1,
        gpus=settings.ray_gpus,
        device=settings.trainer_device,
    )


def at_once(settings: Settings) -> int:
    """Return how many jobs are with the trainer at a time."""
    if settings.trainer == "process":
        return AT_ONCE
    return AT_ONCE * max(settings.ray_actors, settings.ray_max_actors)
