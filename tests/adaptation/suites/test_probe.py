"""Which families of reasoning-gym an evaluation may rely on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pytest

from adaptation.evaluation.suites.errors import ScorerError, UnreliableSuiteError
from adaptation.evaluation.suites.probe import PROBED, probe
from adaptation.evaluation.suites.reasoning_gym import suite_of
from adaptation.evaluation.suites.scorer import Drawn, Scorer, Source
from adaptation.evaluation.suites.split import Split

SOURCE = Source("made_up", 1, 0)
HASH_SEED_FAMILIES = (
    "isomorphic_strings",
    "polynomial_multiplication",
    "ransom_note",
    "word_ladder",
    "acre",
)

Judge = Callable[[int, str], float]


class MadeUp(Scorer):
    """A family of sums with a judge of its own; starts no process."""

    def __init__(self, judge: Judge, answers: Sequence[str], *, own: bool = True) -> None:
        self.judge, self.answers, self.own = judge, answers, own

    def draw(self, source: Source, number: int, *, again: bool = False) -> Drawn:
        return Drawn(f"{number} + {number}?", self.answers[number], self.own)

    def score(self, source: Source, number: int, answer: str) -> float:
        return self.judge(number, answer)


class Restless(MadeUp):
    """Draws another entry 3 each time."""

    def draw(self, source: Source, number: int, *, again: bool = False) -> Drawn:
        drawn = super().draw(source, number)
        return drawn._replace(question="or not?") if again and number == 3 else drawn


SUMS = [str(2 * number) for number in range(PROBED)]


def honest(number: int, answer: str) -> float:
    return float(answer == SUMS[number])


def lenient(number: int, answer: str) -> float:
    return 1.0 if answer.isdigit() else 0.01


def all_but_empty(number: int, answer: str) -> float:
    return 1.0 if answer else 0.0


def stingy(number: int, answer: str) -> float:
    return 0.9 * honest(number, answer)


def even_takes_the_next(number: int, answer: str) -> float:
    return float(answer == SUMS[number] or (number % 2 == 0 and answer == SUMS[number + 1]))


def raising(number: int, answer: str) -> float:
    if not answer.isdigit():
        raise ScorerError("ValueError: no number")
    return honest(number, answer)


def broken(number: int, answer: str) -> float:
    raise ScorerError("KeyError: 'answer'")


@pytest.mark.parametrize("judge", [honest, raising])
def test_a_family_that_tells_right_from_wrong_has_no_caveat(judge: Judge) -> None:
    assert probe(MadeUp(judge, SUMS), SOURCE) is None


@pytest.mark.parametrize(
    ("scorer", "reason"),
    [
        (MadeUp(lenient, SUMS), "6 of 6 answers of other entries the full score"),
        (MadeUp(all_but_empty, SUMS), "the text 'I do not know.' the full score"),
        (MadeUp(stingy, SUMS), "the answer of its own entry 0 0.9, not 1"),
        (MadeUp(honest, [""] * PROBED), "tell no right answer"),
        (MadeUp(broken, SUMS), "its own code fails: KeyError"),
        (Restless(honest, SUMS), "entry 3 is another each time it is drawn"),
    ],
)
def test_a_family_whose_table_would_be_untrue_is_refused(scorer: Scorer, reason: str) -> None:
    with pytest.raises(UnreliableSuiteError, match=reason):
        probe(scorer, SOURCE)


def test_a_family_that_must_be_read_with_care_says_so() -> None:
    caveat = probe(MadeUp(honest, SUMS, own=False), SOURCE)
    assert caveat == "its entries have no answer of their own, only an example of one"
    caveat = probe(MadeUp(even_takes_the_next, SUMS), SOURCE)
    assert caveat is not None
    assert "3 of 6 answers of other entries" in caveat


@pytest.fixture(scope="module")
def scorers(scorer: Scorer) -> Iterator[tuple[Scorer, Scorer]]:
    """Two processes."""
    pytest.importorskip("reasoning_gym", reason="whet[eval] is not installed")
    other = Scorer()
    yield scorer, other
    other.close()


@pytest.mark.parametrize(
    ("family", "reason"),
    [
        ("game_of_life_halting", "full score"),
        ("puzzle24", "full score"),
        ("propositional_logic", "full score"),
        ("boxnet", "no right answer"),
        ("rush_hour", "no right answer"),
        ("list_functions", "another each time"),
    ],
)
def test_reasoning_gyms_own_faults_are_found(
    family: str, reason: str, scorers: tuple[Scorer, Scorer]
) -> None:
    with pytest.raises(UnreliableSuiteError, match=rf"{family} cannot be relied on: .*{reason}"):
        suite_of(family, scorers[0])


@pytest.mark.parametrize("family", ["graph_color", "rubiks_cube"])
def test_a_family_without_answers_of_its_own_is_marked(
    family: str, scorers: tuple[Scorer, Scorer]
) -> None:
    assert "no answer of their own" in (suite_of(family, scorers[0]).caveat or "")


@pytest.mark.parametrize("family", HASH_SEED_FAMILIES)
def test_two_processes_draw_the_same_questions(family: str, scorers: tuple[Scorer, Scorer]) -> None:
    first, second = (
        suite_of(family, scorer).problems(8, split=Split.MEMORY, seed=3, level=1)
        for scorer in scorers
    )
    assert first == second


def test_the_first_questions_stay_when_more_are_asked_for(scorers: tuple[Scorer, Scorer]) -> None:
    suite = suite_of("acre", scorers[0])
    few, many = (suite.problems(n, split=Split.MEMORY, seed=3, level=1) for n in (3, 9))
    assert many[:3] == few
