"""`whet eval` asked wrongly: one line that says what to do, before any work."""

from __future__ import annotations

from pathlib import Path

import pytest

from adaptation.evaluation.results import open_results
from server.cli import main
from tests.adaptation.evaluation.conftest import peer  # noqa: F401  (a fixture)
from tests.adaptation.evaluation.peer import Peer
from tests.adaptation.evaluation.test_results import HEADER, trial


def complaint(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    """Exit status and the one line on stderr."""
    status = main(["eval", *words])
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1, lines
    return status, lines[0]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--suite", "jargn"], "jargon"),
        (["--strategy", "tttt"], "choose one of greedy, one, plain, vote, "),
        (["-n", "0"], "at least 1"),
        (["--n", "-3"], "at least 1"),
        (["--suite", "stories", "--difficulty", "99"], "difficulties 1 to 9, not 99"),
        (["--picture", "x.gif"], ".svg or .png"),
        (["--votes", "1"], "2 to 64"),
        (["--temperature", "nan"], "from 0 to 2"),
        (["--worlds", "600"], "from 1 to 100"),
        (["--timeout", "0"], "from 0.1"),
        (["--url", "http://127.0.0.1:9", "--adapter", "champion"], "--adapter is for a server"),
        (["--teach"], "--teach is for --url"),
        (["--seed", "-1"], "must be a number from 0"),
        (["--baseline", "bogus"], "no arm 'bogus'"),
        (["--compare", "a", "b", "--markdown"], "no Markdown"),
    ],
)
def test_a_wrong_choice_is_a_usage_error_that_names_the_right_ones(
    capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    status, line = complaint(capsys, *words)
    assert status == 2
    assert said in line


def test_an_unwritable_output_is_found_before_the_work(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    status, line = complaint(capsys, "--json", str(tmp_path / "no" / "x.json"))
    assert (status, "cannot be written" in line) == (2, True)


def test_more_questions_than_there_are_is_said_before_a_server_is_asked(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ["--suite", "facts", "-n", "50000", "--url", "http://127.0.0.1:9"]
    status, line = complaint(capsys, *words)
    assert (status, "has only about" in line) == (1, True)


def test_a_server_that_is_not_there_is_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    words = ["--suite", "stories", "--url", "http://127.0.0.1:9", "--data-dir", str(tmp_path)]
    status, line = complaint(capsys, *words)
    assert (status, "no server answers at http://127.0.0.1:9" in line) == (1, True)


def test_help_has_examples_and_list_names_suites_and_arms(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["eval", "--help"]) == 0
    assert "whet eval --suite jargon" in capsys.readouterr().out
    assert main(["eval", "--list"]) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in ("countdown", "house_rules", "rg:", "demos-16+vote"))


def test_a_peer_is_measured_kept_and_compared(
    peer: Peer,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    here = ["--url", peer.url, "--data-dir", str(tmp_path), "--suite", "stories", "-n", "6"]
    one, two = (tmp_path / name for name in ("one.jsonl", "two.jsonl"))
    assert main(["eval", *here, "--results", str(one), "--strategy", "one", "vote"]) == 0
    printed = capsys.readouterr()
    assert "stories" in printed.out
    assert f"kept in {one}" in printed.err
    picture = tmp_path / "p.svg"
    words = ["--results", str(two), "--strategy", "one", "--picture", str(picture), "--json"]
    assert main(["eval", *here, *words]) == 0
    assert picture.read_text().startswith("<?xml")
    capsys.readouterr()
    assert main(["eval", "--compare", str(one), str(two)]) == 0
    assert "one" in capsys.readouterr().out


def test_an_arm_that_only_whet_can_do_is_refused_on_a_peer(
    peer: Peer,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    words = ["--url", peer.url, "--data-dir", str(tmp_path), "--suite", "stories"]
    status, line = complaint(capsys, *words, "--strategy", "ttt")
    assert (status, "arm ttt" in line, "is not Whet" in line) == (1, True, True)


def test_comparing_what_is_no_results_file_says_so(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    good, bad = tmp_path / "good.jsonl", tmp_path / "bad.jsonl"
    _, writer = open_results(good, HEADER, fresh=False)
    writer.append(trial(0))
    writer.close()
    bad.write_text("nothing")
    status, line = complaint(capsys, "--compare", str(good), str(bad))
    assert (status, "is not a results file" in line) == (1, True)


def test_examples_that_were_written_are_counted_and_lead_on(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "examples.jsonl"
    words = ["--suite", "jargon", "--worlds", "1", "--write-examples", str(file)]
    assert main(["eval", *words]) == 0
    said = capsys.readouterr()
    count = len(file.read_text().splitlines())
    assert count > 0
    assert f"{count} examples of jargon are in {file}: `whet memory import {file}`" in said.err
    assert said.out == ""


def test_a_suite_whose_tools_the_server_refuses_is_left_out_and_told_why(
    peer: Peer,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    peer.takes_tools = False
    here = ["--url", peer.url, "--data-dir", str(tmp_path), "-n", "3", "--strategy", "one"]
    kept = tmp_path / "kept.jsonl"
    words = ["--suite", "stories", "tool_calls", "--results", str(kept)]
    assert main(["eval", *here, *words]) == 0
    told = capsys.readouterr()
    assert "tool_calls" not in told.out
    assert "suite tool_calls is left out" in told.err
    assert "no tool parser" in told.err
    assert "--tool-call-parser" in told.err
    assert "tool_calls" not in kept.read_text()
    status, line = complaint(capsys, *here, "--suite", "tool_calls")
    assert (status, "suite tool_calls: " in line, "--tool-call-parser" in line) == (1, True, True)


def test_a_server_that_takes_tools_is_asked_to_call_them(
    peer: Peer,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    words = ["--url", peer.url, "--data-dir", str(tmp_path), "-n", "3", "--strategy", "one"]
    assert main(["eval", *words, "--suite", "tool_calls"]) == 0
    told = capsys.readouterr()
    assert "tool_calls" in told.out
    assert "left out" not in told.err
    assert all(body["tools"] for body in peer.asked)
