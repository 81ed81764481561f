"""What `make bench-sound` makes of its figures; no server is started here."""

from __future__ import annotations

import argparse
import json
import math
import os
import time
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests import bench_sound
from loadtests.sound import suite_cost
from loadtests.sound.blocking import block_ms
from loadtests.sound.builds import THIS, Build, NoBuildError, checked_out
from loadtests.sound.figures import HEADER, Compared, ratio, spread, table
from loadtests.sound.health import at_work_s
from loadtests.sound.hogs import busy_cores
from loadtests.sound.hostile import BODIES
from loadtests.sound.of_build import environment

SECONDS = st.lists(st.floats(0.001, 1000), min_size=1, max_size=6)


def compared(before: list[float], now: list[float], **more: object) -> Compared:
    given = {"judged": "before / now", "direction": "at least", "bound": 10.0} | more
    return Compared("24 tokens", "s", tuple(before), tuple(now), **given)  # type: ignore[arg-type]


@given(SECONDS, SECONDS)
def test_a_ratio_lies_within_its_spread_and_turns_over(
    above: list[float], below: list[float]
) -> None:
    found, turned = ratio(above, below), ratio(below, above)
    assert found.low <= found.value <= found.high
    assert found.value * turned.value == pytest.approx(1)
    assert found.low * turned.high == pytest.approx(1)


def test_nothing_measured_and_division_by_zero_meet_no_target() -> None:
    assert math.isnan(spread([]).value)
    assert math.isnan(ratio([1.0], [0.0]).value)
    assert not compared([], [1.0]).target.met
    assert not compared([40.0], []).target.met


@pytest.mark.parametrize(
    ("judged", "direction", "bound", "verdict"),
    [
        ("before / now", "at least", 10.0, "met"),
        ("before / now", "at least", 30.0, "MISSED"),
        ("now / before", "at most", 0.6, "met"),
        ("now / before", "at most", 0.04, "MISSED"),
        ("now", "at most", 2.5, "met"),
        ("now", "at most", 0.0, "MISSED"),
    ],
)
def test_a_target_bounds_the_figure_it_names(
    judged: str, direction: str, bound: float, verdict: str
) -> None:
    row = compared(
        [40.0, 42.0, 41.0], [2.0, 2.1, 2.0], judged=judged, direction=direction, bound=bound
    )
    assert row.target.verdict == verdict


def test_a_row_shows_medians_spread_and_how_many() -> None:
    row = compared([44.0, 40.0, 42.0], [2.0]).as_row()
    assert row == (
        "| 24 tokens | 42 s (40 to 44; n = 3) | 2 s | 21 (20 to 22) | before / now ≥ 10 | met |"
    )


def test_what_a_time_limit_cut_off_is_told_as_a_lower_bound() -> None:
    row = compared([300.0], [2.0], cut_off=1).as_row()
    assert "| ≥ 300 s | 2 s | ≥ 150 |" in row
    assert "≥ 300" not in compared([300.0], [2.0]).as_row()


def test_a_count_that_went_to_zero_has_no_ratio() -> None:
    row = compared([12.0, 13.0], [0.0, 0.0], judged="now", direction="at most", bound=0)
    assert "| – | now ≤ 0 s | met" in row.as_row()


def test_a_table_has_as_many_cells_in_every_line() -> None:
    lines = table([compared([40.0], [2.0]), compared([1.0], [0.0])]).splitlines()
    assert lines[0] == HEADER
    assert {line.count("|") for line in lines} == {7}


def test_a_block_is_the_longest_wait_less_the_usual_one() -> None:
    assert block_ms([0.002] * 99 + [0.502]) == pytest.approx(500)
    assert block_ms([0.002] * 5) == 0


def test_a_process_is_at_work_as_long_as_its_own_clock_says() -> None:
    before = time.process_time()
    shown = at_work_s(os.getpid())
    assert before <= shown <= time.process_time()


def test_every_body_passes_the_web_servers_own_limit_and_is_json() -> None:
    for make in BODIES.values():
        body = make()
        assert len(body) < 32 * 2**20
        assert body[0] + body[-1] == "{}"
    assert json.loads(BODIES["a `json_schema` verifier of 838 KiB"]())["adaptation"]["verifiers"]


def test_both_builds_get_no_setting_of_threads_from_the_shell() -> None:
    given = {"OMP_WAIT_POLICY": "ACTIVE", "KMP_BLOCKTIME": "1", "PYTHONPATH": "/else", "A": "b"}
    assert environment(given, "/build") == {"A": "b", "PYTHONPATH": "/build"}


def test_a_build_is_tested_with_the_profile_of_its_own_makefile(tmp_path: Path) -> None:
    assert suite_cost.profile(THIS) == ["--hypothesis-profile=quick"]
    (tmp_path / "Makefile").write_text("test-fast:\n\tpytest $(ARGS)\n")
    assert suite_cost.profile(Build("old", tmp_path)) == []


def test_a_commit_that_is_none_is_refused_in_gits_words(tmp_path: Path) -> None:
    with pytest.raises(NoBuildError, match="no-such-commit"), checked_out("no-such-commit"):
        raise AssertionError


def test_a_busy_core_is_idle_after_the_block() -> None:
    before = psutil.Process().children()
    with busy_cores(1):
        (hog,) = set(psutil.Process().children()) - set(before)
        assert hog.is_running()
    assert not hog.is_running()


def test_a_report_can_be_judged_and_repeated_from_its_json() -> None:
    rows = [compared([300.0], [2.0], cut_off=1), compared([1.0], [0.0])]
    args = argparse.Namespace(old="907e65b", rounds=3, model=None)
    shown = bench_sound.report(rows, args, datetime.now(UTC))
    found = json.loads(json.dumps(shown, allow_nan=False))
    assert found["options"] == {"old": "907e65b", "rounds": "3"}
    assert [row["verdict"] for row in found["rows"]] == ["met", "MISSED"]
    assert found["rows"][0]["before"] == [300.0]
    assert found["rows"][1]["ratio"]["value"] is None
    assert found["machine"]["load_average"]


def test_the_speed_of_no_model_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        bench_sound.main(["--only", "speed"])
    assert end.value.code == 2
    assert "--model" in capsys.readouterr().err
