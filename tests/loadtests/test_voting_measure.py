"""The verdicts of `make bench-voting`, on votes that nobody cast."""

from __future__ import annotations

from dataclasses import astuple, replace
from pathlib import Path
from random import Random

import pytest

from loadtests import bench_voting
from loadtests.measure import voting
from loadtests.measure.voting import (
    BETA,
    DEFAULT,
    EXIT,
    FIXED,
    ONE,
    OPTILLM,
    VOTE,
    Vote,
    claims,
    row,
    suites,
)

SUITES = {"easy": 0.9, "middling": 0.55}


def votes(seed: int = 1, *, ours_right: float = 0.0, ours_tokens: float = 1.0) -> list[Vote]:
    """All systems on the same questions: Whet equal to sixteen votes and cheap, unless told."""
    rng, cast = Random(seed), []
    for suite, base in SUITES.items():
        for number in range(300):
            luck = rng.random()
            for system, gain, tokens, seconds in (
                (ONE, 0.0, 60, 0.15),
                (FIXED, 0.08, 960, 0.5),
                (OPTILLM, 0.0, 300, 0.9),
                (BETA, 0.08, 500, 0.6),
                (DEFAULT, 0.08 + ours_right, 140 * ours_tokens, 0.2),
            ):
                right = luck < base + gain
                cast.append(Vote(system, suite, number, right, round(tokens), seconds))
    return cast


def test_a_vote_as_good_as_sixteen_for_few_tokens_meets_every_target() -> None:
    found = claims(votes())
    assert [claim.met for claim in found] == [True, True, True]
    assert "easy (one sample" in found[0].found[0], "the easiest suite comes first"


@pytest.mark.parametrize(
    ("change", "met"),
    [
        ({"ours_tokens": 2.5}, [False, True, False]),
        ({"ours_right": -0.06}, [False, False, True]),
        ({"ours_right": -0.08}, [False, False, False]),
    ],
)
def test_a_vote_that_costs_or_errs_too_much_misses_its_targets(
    change: dict[str, float], met: list[bool]
) -> None:
    assert [claim.met for claim in claims(votes(**change))] == met


def test_where_no_suite_has_a_target_none_is_met() -> None:
    easy = [vote for vote in votes() if vote.suite == "easy"]
    between = [replace(vote, right=vote.right and vote.number % 6 > 0) for vote in easy]
    (against_fixed, *_) = claims(between)
    assert "no target" in against_fixed.found[0]
    assert not against_fixed.met


def test_a_row_pairs_the_questions_and_takes_the_ratio_of_all_tokens() -> None:
    found = row(votes(), DEFAULT, "easy")
    assert found.tokens.value == pytest.approx(140 / 960)
    assert found.difference.value == 0
    assert found.difference.low < 0 < found.difference.high
    assert found.seconds == 0.2
    worse = row(votes(ours_right=-0.08), DEFAULT, "middling")
    assert worse.difference.value < -0.05
    assert worse.difference.high < 0


def test_the_one_sample_exit_is_held_against_the_same_targets() -> None:
    also = [Vote(EXIT, *v[1:]) for v in map(astuple, votes(ours_tokens=2.5)) if v[0] == DEFAULT]
    found = claims([*votes(), *also])
    assert [claim.met for claim in found] == [True, True, True, False, True, False]
    assert found[3].name.startswith(EXIT)


def test_suites_are_ordered_by_what_one_sample_gets_right() -> None:
    assert suites(votes()) == ["easy", "middling"]


def test_a_vote_is_kept_as_a_line_and_read_back() -> None:
    vote = votes()[0]
    assert VOTE.validate_json(VOTE.dump_json(vote)) == vote
    assert voting.of(votes(), ONE, "easy")[5].number == 5


def test_a_line_that_was_cut_off_is_asked_again(tmp_path: Path) -> None:
    kept = tmp_path / "votes.jsonl"
    whole = VOTE.dump_json(Vote("Whet", "units", 1, True, 10, 0.5)) + b"\n"
    kept.write_bytes(whole + whole[:20])
    assert len(bench_voting._read(kept)) == 1
    with bench_voting._appended(kept) as file:
        file.write(whole.decode())
    assert kept.read_bytes() == 2 * whole
