"""Starts the process that converts: this one stays small, and gets its memory back."""

from __future__ import annotations

import json
import os
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from adaptation import child
from adaptation.errors import ConversionError

WORKER = "adaptation.conversion.worker"


def convert_apart(source: Path, folder: Path) -> str | None:
    """Convert `source` into `folder` and return its licence; raises `ConversionError`.

    The process ends with this one. What lies in `folder` is whole only after this has returned.
    """
    if find_spec("gguf") is None:
        raise ConversionError('reading GGUF files takes one more package: pip install "whet[gguf]"')
    done = subprocess.run(
        child.command(WORKER, str(source.absolute()), str(folder.absolute())),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        check=False,
    )
    said = _said(done)
    if done.returncode or "error" in said:
        raise ConversionError(said.get("error") or _how_it_ended(source, done))
    licence: str | None = said["licence"]
    return licence


def _said(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """Return the last line; nothing where the process died before it spoke."""
    try:
        found = json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _how_it_ended(source: Path, done: subprocess.CompletedProcess[str]) -> str:
    if done.returncode < 0:
        why = f"the process was killed by signal {-done.returncode}, perhaps for want of memory"
    else:
        why = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
    return f"{source} could not be converted: {why}"
