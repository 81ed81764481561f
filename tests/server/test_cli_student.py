"""`whet distill --student`, with a trainer that trains nothing."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from adaptation.learning.training.fake import FakeTrainer
from adaptation.pebble import model_path
from server.jobs.kinds import distill
from server.jobs.of_base import OfBase
from server.jobs.studying import extent_of
from tests.server.learning import Capture, ran, solves

STUDENT = "small-base"


@pytest.fixture
def trainers(monkeypatch: pytest.MonkeyPatch) -> dict[str, FakeTrainer]:
    """Return the trainers that are made, by the base they train."""
    made: dict[str, FakeTrainer] = {}

    def make(base: OfBase, device: str) -> FakeTrainer:
        return made.setdefault(base.base_name, FakeTrainer(answer=solves))

    monkeypatch.setattr(distill, "make_trainer", make)
    return made


def test_a_student_is_trained_promoted_and_shown_beside_its_teacher(
    data: list[str], trainers: dict[str, FakeTrainer], capsys: Capture
) -> None:
    printed = ran(capsys, "distill", "--student", STUDENT, *data)
    lines = {" ".join(line.split()[:2]): line for line in printed.splitlines() if line}
    assert all(trainer.closed for trainer in trainers.values())
    assert "whet-pebble" in lines["taught by"]
    assert "3,541,760" in lines["teacher whet-pebble"]
    assert "7.1 MB" in lines["teacher whet-pebble"]
    assert "0 of" in lines["student small-base"]
    assert "of" in lines["trained student"]
    assert "helped, 0 hurt (p = " in lines["against student"]
    assert f"`whet serve {STUDENT} --data-dir {data[1]}`" in lines["served by"]
    aliases = json.loads(ran(capsys, "adapters", "list", "--json", *data))
    served = [v for v in aliases["data"] if v["id"] == aliases["aliases"]["champion"]]
    assert [v["base_model"] for v in served] == [STUDENT]


def test_the_report_for_programs_has_the_figures(
    data: list[str], trainers: dict[str, FakeTrainer], capsys: Capture
) -> None:
    ran(capsys, "distill", *data)
    report = json.loads(ran(capsys, "distill", "--student", STUDENT, "--json", *data))
    arms = report["comparison"]["arms"]
    assert [arm["name"] for arm in arms] == [
        "teacher", "teacher's champion", "student", "trained student",
    ]  # fmt: skip
    assert arms[0]["bytes"] == (model_path() / "model.safetensors").stat().st_size
    assert {arm["asked"] for arm in arms} == {report["holdout"]}
    assert arms[1]["tokens_per_s"] == pytest.approx(100)
    assert report["serve"] == f"whet serve {STUDENT}"
    assert (report["decision"], report["stage"], report["displaced"]) == ("passed", "waiting", None)


def test_a_champion_of_another_base_makes_way_only_where_that_is_said(
    data: list[str], trainers: dict[str, FakeTrainer], capsys: Capture
) -> None:
    ran(capsys, "distill", *data)
    teachers = champion(capsys, data)
    told = ran(capsys, "distill", "--student", STUDENT, *data)
    approve = re.search(r"`whet (adapters approve ad_\w+)", told)
    assert approve
    assert champion(capsys, data) == teachers
    ran(capsys, *approve[1].split(), *data)
    assert champion(capsys, data) == approve[1].split()[-1]
    told = ran(capsys, "distill", "--student", STUDENT, "--anyway", *data)
    assert "student's champion" in told


def test_with_autonomy_auto_a_student_takes_the_place(
    data: list[str], trainers: dict[str, FakeTrainer], capsys: Capture
) -> None:
    ran(capsys, "distill", *data)
    teachers = champion(capsys, data)
    words = ("--student", STUDENT, "--autonomy", "auto", "--json")
    report = json.loads(ran(capsys, "distill", *words, *data))
    assert report["displaced"] == teachers
    assert champion(capsys, data) == report["adapter"]


def champion(capsys: Capture, data: list[str]) -> str:
    listed = json.loads(ran(capsys, "adapters", "list", "--json", *data))
    return str(listed["aliases"]["champion"])


def test_a_rejected_student_is_a_result(
    data: list[str], monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setattr(distill, "make_trainer", lambda *_: FakeTrainer())
    printed = ran(capsys, "distill", "--student", "whet-pebble", *data)
    assert "nothing: it was rejected" in printed
    assert "the student is no smaller than the teacher" in printed
    assert "whet eval --model whet-pebble --adapter ad_" in printed


def test_a_dry_run_compares_nothing(
    data: list[str], trainers: dict[str, FakeTrainer], capsys: Capture
) -> None:
    printed = ran(capsys, "distill", "--student", STUDENT, "--dry-run", *data)
    assert "dry_run" in printed
    assert "served by" not in printed
    assert not any(trainer.jobs for trainer in trainers.values())


def test_a_student_that_is_left_to_a_server_is_asked_for_as_it_is_served(
    data: list[str], capsys: Capture
) -> None:
    folder = Path("mine")
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    job = ran(capsys, "distill", "--student", "./mine", "--detach", *data).strip()
    shown = json.loads(ran(capsys, "jobs", "show", job, "--json", *data[:2]))
    assert shown["kind"] == "distill"
    student = shown["request"]["student"]
    assert student["model"] == str(folder.absolute())
    assert (student["base"], student["named"]) == ("./mine", "./mine")


@pytest.mark.parametrize(
    "flags",
    [
        ("--rebuild", "ad_1"),
        ("--parent", "1"),
        ("--target", "jargon"),
        ("--schedule", "0 3 * * *"),
        ("--when", "5"),
    ],
)
def test_what_means_nothing_for_a_student_is_refused(
    data: list[str], capsys: Capture, flags: tuple[str, str]
) -> None:
    said = ran(capsys, "distill", "--student", STUDENT, *flags, *data, status=2)
    assert f"--student does not go with {flags[0]}" in said


def test_an_unknown_student_is_refused_before_anything_is_done(
    data: list[str], capsys: Capture
) -> None:
    said = ran(capsys, "distill", "--student", "./nowhere", *data, status=2)
    assert "no model at ./nowhere" in said
    said = ran(capsys, "distill", "--student", "smollm2", *data, status=2)
    assert "whet models get smollm2" in said


def test_a_model_that_is_not_here_has_no_size() -> None:
    assert extent_of("nobody/nothing").parameters is None
    assert extent_of("nobody/nothing").bytes is None
