"""The process of an offline engine: what replies, and does nothing else that a trainer does.

Which engine that is, whoever composes says by naming the module that is run.
"""

from __future__ import annotations

from pathlib import Path

from adaptation.learning.training.chat import Template
from adaptation.learning.training.resident import Resident

START_TIMEOUT_S = 900.0
"""An engine may compile for an accelerator when it first sees a model."""


def offline_engine(
    module: str, model: str | Path, template: Template, device: str, threads: int | None = None
) -> Resident:
    """Return what runs `module`, which speaks as `training.worker` does and takes its arguments."""
    arguments = ["--model", str(model), "--template", template.model_dump_json()]
    arguments += ["--device", device]
    return Resident(arguments, threads, START_TIMEOUT_S, worker=module, called="offline engine")
