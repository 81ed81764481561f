"""`make bench-doubt`: its memories, and its table."""

from __future__ import annotations

from collections import Counter

import pytest

from loadtests import bench_doubt
from server.jobs.kinds.distill import gives_answer


def test_a_tenth_of_every_memory_is_wrong_in_three_ways() -> None:
    for seed in range(4):
        kinds = Counter(kind for _, kind in bench_doubt.memory_of(seed))
        assert kinds == {"right": 54, "sum": 2, "comparison": 2, "form": 2}


def test_sums_and_comparisons_are_as_right_as_they_are_called() -> None:
    for record, kind in bench_doubt.memory_of(1):
        words = record.question.strip("?").replace(",", "").split()
        if words[0] == "Which":
            shown = int(words[3]), int(words[5])
            right = max(shown) if words[2] == "larger" else min(shown)
            assert gives_answer(str(right), record) is (kind != "comparison")
        if kind == "sum":
            assert not gives_answer(str(int(words[2]) + int(words[4])), record)


def test_the_table_counts_what_was_held_back(capsys: pytest.CaptureFixture[str]) -> None:
    found = Counter(
        {
            ("jargon", "sum", True): 3,
            ("facts", "form", False): 1,
            ("jargon", "right", False): 4,
            ("facts", "right", True): 1,
        }
    )
    bench_doubt._print(found)
    lines = {line.split("  ")[0]: line for line in capsys.readouterr().out.splitlines()}
    assert "75.0%" in lines["wrong, all kinds"]
    assert "20.0%" in lines["right"]
    assert "100.0%" in lines["right, facts"]
    assert " 0.0%" in lines["right, jargon"]
