"""The real model, fetched once for all tests that need it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return SmolLM2's folder, on the shelf of a data folder of its own."""
    data = tmp_path_factory.mktemp("data")
    command = [sys.executable, "-m", "server.cli", "models", "get", "smollm2", "--data-dir"]
    done = subprocess.run(
        [*command, str(data)], capture_output=True, text=True, timeout=500, check=False
    )
    if "pip could not get" in done.stderr:
        pytest.skip(done.stderr.strip().splitlines()[-1])
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip())
