"""Environments for other projects' packages, inside ours, so that `make clean` removes them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from rich.console import Console


class PeerError(Exception):
    """A peer cannot be installed or does not run; the message says which and why."""


def python_with(name: str, requirements: tuple[str, ...], console: Console) -> Path:
    """Return the interpreter of `.venv/peers/<name>`, with `requirements` installed.

    Raises `PeerError`. What was installed once is not installed again.
    """
    folder = Path(sys.prefix) / "peers" / name
    python, done = folder / "bin" / "python", folder / "installed.txt"
    wanted = "\n".join(requirements)
    if done.exists() and done.read_text("utf-8") == wanted:
        return python
    with console.status(f"installing {requirements[0]} into {folder}: minutes, the first time"):
        _run([sys.executable, "-m", "venv", str(folder)], name)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        for requirement in requirements:
            _run([*pip, requirement], name)
    done.write_text(wanted, "utf-8")
    return python


def _run(command: list[str], name: str) -> None:
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise PeerError(f"{name} cannot be installed: {ended.stderr.strip()[-600:]}")
