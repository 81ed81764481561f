"""The support bot of `examples/` against the real engine: what was taught is said."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.running import Running

EXAMPLES = Path(__file__).parents[2] / "examples"
QUESTION = "How many days may I return a lamp?"


def run(name: str, *words: str | Path, typed: str = "") -> str:
    """Run an example and return what it printed."""
    ended = subprocess.run(
        [sys.executable, EXAMPLES / name, *words],
        input=typed, capture_output=True, text=True, timeout=400, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr[-3000:]
    return ended.stdout


@pytest.fixture
def forgetful(server: Running) -> Iterator[Running]:
    """The server, whose memory of the question is erased afterwards."""
    yield server
    found = server.get(f"/v1/memory/records?q={QUESTION}").json()["data"]
    assert found
    for record in found:
        assert server.delete(f"/v1/memory/records/{record['id']}").status_code == 200


def test_the_support_bot_is_corrected_once_and_then_right(forgetful: Running) -> None:
    typed = f"{QUESTION}\n30 days\n{QUESTION}\n\n"
    told = run("support_bot.py", "--url", forgetful.url, typed=typed)
    first, second = re.findall(r"bot(?: \(known\))?: .*", told)
    assert "30 days" not in first
    assert second == "bot (known): 30 days"
