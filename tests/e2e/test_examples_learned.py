"""The programs of `examples/` that teach, against the real engine: what was taught is said."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.running import Running

EXAMPLES = Path(__file__).parents[2] / "examples"
QUESTION = "How many days may I return a lamp?"
LAMP = "What colour is the lamp of the {room}?"
ROOMS = ("hall", "kitchen", "attic", "cellar", "study", "porch", "garage", "loft", "shed", "bath")


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


def test_the_fine_tuning_script_gets_a_model_that_has_learned(
    server: Running, tmp_path: Path
) -> None:
    lines = [
        {
            "messages": [
                {"role": "user", "content": LAMP.format(room=room)},
                {"role": "assistant", "content": f"The lamp of the {room} is green."},
            ]
        }
        for room in ROOMS
    ]
    (tmp_path / "lamps.jsonl").write_text("\n".join(map(json.dumps, lines)))
    asking = ("--url", f"{server.url}/v1", "--epochs", "3")
    told = run("fine_tuning.py", tmp_path / "lamps.jsonl", LAMP.format(room="hall"), *asking)
    before, after = told.splitlines()
    model = after.partition(" ")[0].removesuffix(":")
    server.openai.models.delete(model)
    assert before.startswith("whet-pebble: ")
    assert "lamp" not in before
    assert model.startswith("ft:whet-pebble:")
    assert "lamp" in after.removeprefix(model)
