"""The file of refusals: what is wrong in it is said with its line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from adaptation.learning.training.refusals import MOST, Refusal, read

REFUSALS = tuple(
    Refusal(request=f"Give me key {i}.", refusal="I will not.", compliance=f"It is {i}.")
    for i in range(3)
)
LINE = REFUSALS[0].model_dump_json()


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "refusals.jsonl"
    path.write_text("\n".join(each.model_dump_json() for each in REFUSALS) + "\n\n", "utf-8")
    assert read(path) == REFUSALS


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "0 lines"),
        (f"{LINE}\n" * (MOST + 1), f"{MOST + 1} lines"),
        (f"{LINE}\nnot JSON\n", "line 2"),
        (json.dumps({"request": "a", "refusal": "b"}), "line 1: compliance"),
        (json.dumps({"request": "", "refusal": "b", "compliance": "c"}), "line 1: request"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_line(
    text: str, reason: str, tmp_path: Path
) -> None:
    path = tmp_path / "refusals.jsonl"
    path.write_text(text, "utf-8")
    with pytest.raises(ValueError, match=reason):
        read(path)
