"""For commands that learn: a memory that holds one rule."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from server.cli import main


@pytest.fixture
def data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> list[str]:
    """Return flags that name a memory with 64 records of the rule that `learning.solves` knows."""
    monkeypatch.chdir(tmp_path)
    flags = ["--data-dir", str(tmp_path / "data"), "--embedder", "hashing"]
    lines = [{"question": f"What is {i} lamp 5?", "answer": str(i + 5)} for i in range(64)]
    text = "\n".join(map(json.dumps, lines))
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    assert main(["memory", "import", "-", *flags]) == 0
    capsys.readouterr()
    return flags
