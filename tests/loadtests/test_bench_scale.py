"""`make bench-scale` reads what its parts write."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from adaptation.statistics import Interval
from loadtests.measure import table
from loadtests.measure.result import Result, Target, result_of
from loadtests.scale import part
from loadtests.scale.replayed import READY, Recording

TARGETS = [
    Target("three against one", 2.7, "at least", Interval(2.9, 2.8, 3.0), "×"),
    Target("lost", 0, "at most", Interval(1, 1, 1)),
]
FOUND = Result("any", "a title", [("cores", "1.2")], {"rounds": [1, 2]}, TARGETS, "a note")


def test_a_part_writes_what_the_command_reads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "any.json"
    assert part.run("any", "told", lambda _: FOUND, ["--out", str(out)]) == 0
    assert result_of(json.loads(out.read_text())) == FOUND
    assert "| lost | 1 | ≤ 0 | MISSED |" in capsys.readouterr().out


def test_a_part_that_breaks_says_so_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def breaks(_: object) -> Result:
        raise RuntimeError("no database")

    out = tmp_path / "any.json"
    assert part.run("any", "told", breaks, ["--out", str(out)]) == 1
    assert capsys.readouterr().err == "any: no database\n"
    assert not out.exists()


def test_pieces_of_one_model_are_not_taken_for_another_s(tmp_path: Path) -> None:
    (tmp_path / READY).write_text(json.dumps({"model": "one", "parameters": 1, "seconds": 0.1}))
    assert Recording(tmp_path, "one").used == []
    with pytest.raises(RuntimeError, match="are of one, not another"):
        Recording(tmp_path, "another")


def test_one_table_has_the_targets_of_all_parts() -> None:
    lines = table.targets([FOUND, FOUND]).splitlines()
    assert len(lines) == 2 + 4
    assert lines[2] == "| three against one | 2.9 × (2.8 to 3) | ≥ 2.7 × | met |"
