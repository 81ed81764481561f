"""Environments for other projects' packages, inside ours, so that `make clean` removes them.

Beside our own packages they would change the server that is measured or tested.
"""

from __future__ import annotations

import fcntl
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

FOLDER = Path(sys.prefix) / "apart"
TIMEOUT_S = 1800.0


class NotInstalledError(Exception):
    """Something cannot be installed here; the message says what and why."""


def python_with(name: str, *requirements: str, sees_ours: bool = False) -> Path:
    """Return the interpreter of the environment `name`, with `requirements` installed one by one.

    `sees_ours`: what is installed beside Whet counts as installed there too. Raises
    `NotInstalledError`. What was installed once is not installed again.
    """
    folder = FOLDER / name
    python = folder / "bin" / "python"
    with _alone(name):
        if not _has(folder, requirements):
            _run([sys.executable, "-m", "venv", str(folder)], name)
            if sees_ours:
                _show_ours(folder)
            pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            for requirement in requirements:
                _run([*pip, requirement], name)
            _note(folder, requirements)
    return python


def node_modules(name: str, *packages: str) -> Path:
    """Return a folder whose `node_modules` holds npm `packages`; raises `NotInstalledError`."""
    folder = FOLDER / name
    with _alone(name):
        if not _has(folder, packages):
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "package.json").write_text('{"private": true}', "utf-8")
            _run(["npm", "install", "--no-audit", "--no-fund", *packages], name, folder)
            _note(folder, packages)
    return folder


@contextmanager
def _alone(name: str) -> Iterator[None]:
    """Wait for another process that installs the same."""
    FOLDER.mkdir(exist_ok=True)
    with (FOLDER / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _show_ours(folder: Path) -> None:
    """Have an environment's interpreter find our packages behind its own."""
    own, ours = (
        Path(sysconfig.get_path("purelib", vars={"base": p})) for p in (folder, sys.prefix)
    )
    (own / "ours.pth").write_text(f"{ours}\n", "utf-8")


def _has(folder: Path, wanted: Sequence[str]) -> bool:
    note = folder / "installed.txt"
    return note.exists() and note.read_text("utf-8") == "\n".join(wanted)


def _note(folder: Path, wanted: Sequence[str]) -> None:
    (folder / "installed.txt").write_text("\n".join(wanted), "utf-8")


def _run(command: Sequence[str], name: str, folder: Path | None = None) -> None:
    try:
        ended = subprocess.run(
            command, capture_output=True, text=True, check=False, cwd=folder, timeout=TIMEOUT_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotInstalledError(f"{name}: {error}") from error
    if ended.returncode:
        raise NotInstalledError(f"{name}: {(ended.stderr or ended.stdout).strip()[-600:]}")
