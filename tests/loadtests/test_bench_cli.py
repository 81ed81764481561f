"""What `make bench-cli` counts is the cost of a line that ended as it has to."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from loadtests.bench_cli import WrongEndError, ended, measure, run, slips
from loadtests.sound.builds import THIS

QUIET = Console(file=io.StringIO())


def test_a_slip_is_counted_by_its_processor_time() -> None:
    status, spent_s = run(THIS, ("srve",))
    assert status == ended(("srve",)) == 2
    assert 0.05 < spent_s < 5.0


def test_a_line_that_ends_otherwise_is_no_figure() -> None:
    with pytest.raises(WrongEndError, match="none: status 0, not 2"):
        measure({"none": ("--version",)}, 1, THIS, THIS, QUIET)


def test_no_line_starts_a_server() -> None:
    with slips() as lines:
        served = [words for words in lines.values() if words[0] == "serve"]
        assert len(served) >= 8
        assert {ended(words) for words in served} == {0, 2}
