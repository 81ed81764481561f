"""The suites in distribution: their answers, recomputed from the question alone."""

import re
from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adaptation.evaluation.suites import equations, lists, orders, stories, units
from adaptation.evaluation.suites.solved import Solved, final_answer
from adaptation.evaluation.suites.suite import Draw

MINUTES_A_DAY = 24 * 60
FACTORS = {large: factor for large, _, factor in units.UNITS}


def numbers(text: str) -> list[int]:
    return [int(n) for n in re.findall(r"\d+", text)]


def story_answer(task: Solved) -> int:
    start, *events = re.split(r"[.?] | and ", task.question)[:-1]
    total = numbers(start)[0]
    for event in events:
        sign = -1 if re.search(r"\b(gives|loses|sells|throws)\b", event) else 1
        total += sign * numbers(event)[0]
    return total


def order_answer(task: Solved) -> int:
    stated, wanted = task.question.split(". ")
    price = {one: int(n) for one, n in re.findall(r"[Oo]ne (\w+) costs (\d+)", stated)}
    return sum(
        int(n) * price[many.removesuffix("s")] for n, many in re.findall(r"(\d+) (\w+)", wanted)
    )


def unit_answer(task: Solved) -> int | str:
    clock = re.search(r"(\d+):(\d\d)\D+(\d+) hours and (\d+) minutes", task.question)
    if clock is not None:
        hour, minute, hours, more = map(int, clock.groups())
        total = (hour + hours) * 60 + minute + more
        return f"{total // 60}:{total % 60:02d}"
    small = re.search(r"How many (\w+)|to (\w+)\.|\d+ \w+ in (\w+)\?", task.question)
    wanted = next(name for name in small.groups() if name)
    total = 0
    for n, unit in re.findall(r"(\d+) (\w+)", task.question):
        total += int(n) * (1 if unit == wanted else FACTORS[unit])
    return total


def list_answer(task: Solved) -> int | str:
    if task.question.startswith("Sort "):
        down = task.question.endswith("from large to small.")
        return ", ".join(map(str, sorted(numbers(task.question), reverse=down)))
    things, row = re.fullmatch(r"How many (\w+)s are in this list: (.*)\?", task.question).groups()
    return row.split(", ").count(things)


def equation_answer(task: Solved) -> int:
    left, right = task.question.removeprefix("Solve ").removesuffix(".").split(" = ")
    return next(x for x in range(100) if eval(left, {"x": x}) == eval(right, {"x": x}))


RECOMPUTED: dict[Draw, Callable[[Solved], int | str]] = {
    stories.draw: story_answer,
    orders.draw: order_answer,
    units.draw: unit_answer,
    lists.draw: list_answer,
    equations.draw: equation_answer,
}
SUITES = (stories.SUITE, orders.SUITE, units.SUITE, lists.SUITE, equations.SUITE)
every_suite = pytest.mark.parametrize("suite", SUITES, ids=[suite.name for suite in SUITES])


@every_suite
def test_every_answer_follows_from_its_question(suite: stories.Generated) -> None:
    rng = Random(suite.name)
    for level in suite.levels:
        for _ in range(150):
            task = suite.draw(rng, level)
            assert task.answer == str(RECOMPUTED[suite.draw](task)), task.question
            assert final_answer(task.rationale) == task.answer


def claims(work: str) -> list[bool]:
    """Whether each thing that a worked solution states is true: sums, an order, a count."""
    steps = work.partition("\n")[0]
    sums = re.findall(r"(?<![-+*/\d])(\d+(?:[-+*/]\d+)+)=(\d+)", steps)
    truths = [eval(left) == int(right) for left, right in sums]
    if steps.startswith("In order: "):
        truths.append(numbers(steps) in (sorted(numbers(steps)), sorted(numbers(steps))[::-1]))
    if counted := re.findall(r"\b[a-z]+ (\d+)", steps if not sums else ""):
        truths.append(counted == [str(1 + place) for place in range(len(counted))])
    return truths


@every_suite
def test_what_is_written_is_true(suite: stories.Generated) -> None:
    rng = Random(suite.name)
    for level in suite.levels:
        for _ in range(100):
            task = suite.draw(rng, level)
            states = claims(task.rationale)
            assert states or task.answer == "0", task.rationale
            assert all(states), task.rationale


@pytest.mark.parametrize(
    "false", ["2+3=6.\n#### 6", "In order: 3, 1, 2.\n#### 3", "hat 1, hat 3.\n#### 3"]
)
def test_a_false_statement_would_be_seen(false: str) -> None:
    assert False in claims(false)


@given(st.integers(), st.sampled_from(stories.SUITE.levels))
def test_a_story_has_as_many_sums_as_steps_and_never_fewer_things_than_none(
    seed: int, level: int
) -> None:
    task = stories.draw(Random(seed), level)
    steps = stories.LARGE_STEPS if level == stories.LARGE_LEVEL else level
    assert task.rationale.count("=") == steps
    assert all(int(value) >= 0 for value in re.findall(r"=(-?\d+)", task.rationale))


@given(st.integers())
def test_the_clock_stays_within_a_day(seed: int) -> None:
    hour, minute = map(int, units.draw(Random(seed), 3).answer.split(":"))
    assert 60 * hour + minute < MINUTES_A_DAY
    assert minute < 60
