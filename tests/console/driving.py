"""Debian's chromium beside a filled server in a process of its own."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.console.browsing import Browsing, Served

ROOT = Path(__file__).parents[2]
PROGRAM = "chromium"
ENDS_WITHIN_S = 120


def is_installed() -> bool:
    """Whether there is a browser."""
    return shutil.which(PROGRAM) is not None


@contextmanager
def served(folder: Path, records: int = 0) -> Iterator[Served]:
    """Serve in a process for the length of the block; it ends with the pipe to it.

    `records` are in its memory besides those that every view needs.
    """
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.console.served", str(folder), str(records)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            lines = iter(process.stdout.readline, "")
            said: Any = next((json.loads(line) for line in lines if line.startswith("{")), None)
            assert said is not None, (folder / "log").read_text()[-4000:]
            yield Served(said["url"], said["keys"])
        finally:
            process.stdin.close()
            process.stdout.close()
            process.wait(ENDS_WITHIN_S)


@contextmanager
def driven(folder: Path, records: int = 0) -> Iterator[Browsing]:
    """Serve, and open a browser beside it; the driver keeps an event loop of its own meanwhile."""
    from playwright.sync_api import sync_playwright

    program = shutil.which(PROGRAM)
    assert program is not None, "chromium is not installed (Debian: apt-get install chromium)"
    with served(folder, records) as server, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        try:
            yield Browsing(browser, server)
        finally:
            browser.close()
