"""The results file: complete, continued only by the same measurement, whole after a crash."""

from __future__ import annotations

from pathlib import Path

import pytest

from adaptation.evaluation.errors import ResultsError
from adaptation.evaluation.results import Header, load, open_results
from adaptation.evaluation.suites.suite import Group
from adaptation.evaluation.trial import Case, Trial

HEADER = Header(
    model="m",
    model_version="abc",
    server="whet",
    code_version=("1",),
    data_version={"stories": "d1"},
    seed=0,
    questions=2,
    levels={"stories": 1},
    split="evaluation",
    examples=64,
    worlds=None,
    temperature=1.0,
    votes=16,
    max_tokens=512,
    parallel=4,
)


def trial(number: int, *, right: bool = True, refused: bool = False) -> Trial:
    case = Case(suite="stories", level=1, world=0, number=number, arm="one")
    return Trial(
        case=case,
        group=Group.IN_DISTRIBUTION,
        question=f"q{number}",
        reply="#### 1",
        right=right,
        refused=refused,
        error="request refused: HTTP 400" if refused else None,
    )


def write(path: Path, *trials: Trial) -> None:
    _, writer = open_results(path, HEADER, fresh=False)
    for each in trials:
        writer.append(each)
    writer.close()


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "r.jsonl"
    write(path, trial(0), trial(1, right=False))
    assert load(path).header == HEADER
    assert load(path).trials == [trial(0), trial(1, right=False)]


def test_a_run_goes_on_where_it_stopped(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    write(path, trial(0))
    results, writer = open_results(path, HEADER, fresh=False)
    writer.append(trial(1))
    writer.close()
    assert results.done() == {trial(0).case}
    assert load(path).trials == [trial(0), trial(1)]


def test_a_line_that_was_cut_off_is_asked_again(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    write(path, trial(0), trial(1))
    path.write_text(path.read_text()[:-30])
    assert load(path).done() == {trial(0).case}
    write(path, trial(1))
    assert load(path).trials == [trial(0), trial(1)]


def test_a_refused_request_is_asked_again_and_its_new_outcome_counts(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    write(path, trial(0, right=False, refused=True))
    assert load(path).done() == set()
    write(path, trial(0))
    assert load(path).trials == [trial(0)]


def test_another_measurement_is_not_mixed_in(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    write(path, trial(0))
    other = HEADER.model_copy(update={"temperature": 0.5, "data_version": {"stories": "d2"}})
    with pytest.raises(ResultsError, match="data_version, temperature"):
        open_results(path, other, fresh=False)
    assert load(path).trials == [trial(0)]
    results, writer = open_results(path, other, fresh=True)
    writer.close()
    assert (results.trials, load(path).header) == ([], other)


def test_suites_may_be_added(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    write(path, trial(0))
    changes = {"data_version": {"facts": "d9"}, "levels": {"facts": 2}}
    _, writer = open_results(path, HEADER.model_copy(update=changes), fresh=False)
    writer.close()
    assert load(path).header.data_version == {"stories": "d1", "facts": "d9"}
    assert load(path).header.levels == {"stories": 1, "facts": 2}
    assert load(path).trials == [trial(0)]


@pytest.mark.parametrize("content", ["", "hello", '{"format": 1}', "\x00\xff"])
def test_a_file_that_is_no_results_file_says_so(tmp_path: Path, content: str) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text(content)
    with pytest.raises(ResultsError, match="not a results file"):
        load(path)


def test_a_broken_line_in_the_middle_is_not_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    write(path, trial(0), trial(1))
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], "{broken", lines[2]]))
    with pytest.raises(ResultsError):
        load(path)


def test_an_unwritable_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ResultsError, match="cannot be written"):
        open_results(tmp_path / "file" / "r.jsonl", HEADER, fresh=False)


def test_two_runs_never_write_to_one_file(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    _, writer = open_results(path, HEADER, fresh=False)
    with pytest.raises(ResultsError, match="another run writes"):
        open_results(path, HEADER, fresh=False)
    writer.close()
    write(path, trial(0))
    assert load(path).trials == [trial(0)]


@pytest.mark.parametrize("separator", ["\u2028", "\u0085", "\x0b", "\r"])
def test_a_reply_may_hold_any_separator(tmp_path: Path, separator: str) -> None:
    path = tmp_path / "r.jsonl"
    odd = trial(0).model_copy(update={"reply": f"a{separator}b"})
    write(path, odd)
    assert load(path).trials == [odd]


def test_other_code_goes_on_only_where_that_is_asked_for_and_both_are_noted(
    tmp_path: Path,
) -> None:
    path = tmp_path / "r.jsonl"
    write(path, trial(0))
    newer = HEADER.model_copy(update={"code_version": ("2",)})
    with pytest.raises(ResultsError, match=r"code_version.*--mix-versions"):
        open_results(path, newer, fresh=False)
    _, writer = open_results(path, newer, fresh=False, mix_versions=True)
    writer.close()
    assert load(path).header.code_version == ("1", "2")
    assert load(path).trials == [trial(0)]
    write_again = open_results(path, newer, fresh=False)[1]  # known by now
    write_again.close()
