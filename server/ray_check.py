"""Whether trainers can be Ray actors, where that is asked for."""

from __future__ import annotations

from adaptation.errors import TrainerError
from adaptation.learning.ray.cluster import probe
from server.checks import Check, Subject
from server.installation import installed

RAY_SERIES = "2.60."


def check_ray(subject: Subject) -> Check:
    """Where trainers are Ray actors, Ray, and whether its cluster answers."""
    settings, found = subject.settings, installed("ray")
    if settings.trainer != "ray":
        return Check("ray", "ok", found or "absent, and not needed")
    if found is None:
        return Check("ray", "fail", "not installed", 'pip install "whet[ray]"')
    if not found.startswith(RAY_SERIES):
        return Check("ray", "warn", found, f"install ray {RAY_SERIES}*: no other was tried")
    try:
        probe(settings.ray_address)
    except TrainerError as error:
        return Check("ray", "fail", str(error), "answers come without training until it is there")
    return Check("ray", "ok", f"{found}, cluster: {settings.ray_address}")
