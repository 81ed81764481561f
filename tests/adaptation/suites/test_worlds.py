"""Worlds: right answers, recomputed apart, and questions that say nothing of their rules."""

import re
from collections import Counter
from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adaptation.evaluation.suites import SUITES
from adaptation.evaluation.suites.facts import Facts
from adaptation.evaluation.suites.house_format import HouseFormat
from adaptation.evaluation.suites.house_rules import HouseRules
from adaptation.evaluation.suites.jargon import RULES, Jargon
from adaptation.evaluation.suites.solved import Solved, final_answer
from adaptation.evaluation.suites.split import Split
from adaptation.evaluation.suites.suite import FIRST_TRAINING_WORLD, WORLD_SEEDS
from adaptation.evaluation.suites.world import World

MEANINGS = {
    "adds": lambda a, b: a + b,
    "differs": lambda a, b: a - b if a > b else b - a,
    "peaks": lambda a, b: a if a > b else b,
    "dips": lambda a, b: b if a > b else a,
    "doubles": lambda a, b: a + a + b,
    "twins": lambda a, b: a + b + b,
    "bumps": lambda a, b: a + b + 1,
    "trims": lambda a, b: a + b - 1,
    "raises": lambda a, b: a + b + 10,
}
QUESTIONS, WORLDS = 40, 300

seeds, levels = st.integers(0, 2**32), st.sampled_from((1, 2, 3))


def numbers(text: str) -> list[int]:
    return [int(n) for n in re.findall(r"\d+", text)]


def ruled(rules_of: Jargon) -> Jargon:
    """A world of always the same words with another world's rules."""
    world = Jargon(0)
    world.meaning = dict(zip(world.meaning, rules_of.meaning.values(), strict=True))
    return world


def priced(prices_of: Facts) -> Facts:
    """A list of always the same things at another list's prices."""
    world = Facts(0)
    world.price = dict(zip(world.price, prices_of.price.values(), strict=True))
    return world


@given(seeds, levels)
def test_a_jargon_answer_is_what_its_words_mean(seed: int, level: int) -> None:
    world = Jargon(seed)
    task = world.draw(Random(seed), level)
    assert re.fullmatch(r"What is \d+ [a-z]+ \d+(, then [a-z]+ \d+)*\?", task.question)
    value, *others = numbers(task.question)
    words = re.findall(r"([a-z]+) \d", task.question.removeprefix("What is "))
    assert len(others) == len(words) == len(set(words)) == level
    for word, other in zip(words, others, strict=True):
        value = MEANINGS[world.meaning[word].verb](value, other)
    assert int(task.answer) == value


@given(seeds, levels)
def test_a_jargon_solution_names_each_rule_right_after_its_word(seed: int, level: int) -> None:
    world = Jargon(seed)
    named = re.findall(r"(?:Here|Then) (\w+) (\w+):", world.draw(Random(seed), level).rationale)
    assert len(named) == level
    assert all(world.meaning[word].verb == verb for word, verb in named)


@given(seeds, seeds, levels)
def test_jargon_asks_the_same_whatever_its_words_mean(world: int, seed: int, level: int) -> None:
    """One form and one range of numbers for every rule, since only the answers differ."""
    plain, other = (ruled(Jargon(each)).draw(Random(seed), level) for each in (0, world))
    assert plain.question == other.question


@pytest.mark.parametrize(
    ("world", "level", "chance"),
    [
        (lambda seed: ruled(Jargon(seed)), 1, 0.2),
        (lambda seed: ruled(Jargon(seed)), 2, 0.15),
        (lambda seed: ruled(Jargon(seed)), 3, 0.15),
        (lambda seed: priced(Facts(seed)), 1, 0.2),
        (lambda seed: priced(Facts(seed)), 2, 0.15),
        (HouseRules, 1, 0.25),
        (HouseFormat, 2, 0.03),
    ],
    ids=["jargon-1", "jargon-2", "jargon-3", "facts-1", "facts-2", "house_rules", "house_format"],
)
def test_the_best_guess_without_knowing_the_rules_is_seldom_right(
    world: Callable[[int], World], level: int, chance: float
) -> None:
    """To each question the answer that most worlds give: no model could guess better.

    One rule in nine takes the smaller number, which mostly is the last: so jargon's 1/9.
    """
    answers: list[Counter[str]] = [Counter() for _ in range(QUESTIONS)]
    for seed in range(WORLDS):
        here, rng = world(seed), Random(level)
        for counts in answers:
            counts[here.draw(rng, level).answer] += 1
    best = sum(counts.most_common(1)[0][1] for counts in answers)
    assert best / (QUESTIONS * WORLDS) < chance


def test_no_jargon_rule_is_likelier_than_another() -> None:
    worlds = 3_000
    found = Counter(rule.verb for seed in range(worlds) for rule in Jargon(seed).meaning.values())
    assert set(found) == set(MEANINGS)
    for verb, times in found.items():
        assert times / worlds == pytest.approx(Jargon.WORDS / len(RULES), rel=0.1), verb


@given(seeds, levels)
def test_a_facts_answer_is_the_sum_of_its_prices(seed: int, level: int) -> None:
    world = Facts(seed)
    task = world.draw(Random(seed), level)
    bought = re.findall(r"(\d+) (\w+)", task.question)
    assert len(bought) == level
    assert int(task.answer) == sum(int(n) * world.price[name] for n, name in bought)


@given(seeds, seeds, levels)
def test_a_facts_question_never_shows_a_price(world: int, seed: int, level: int) -> None:
    """It asks the same at other prices."""
    here, dearer = Facts(world), Facts(world)
    dearer.price = {name: price + 1 for name, price in dearer.price.items()}
    cheap, dear = (each.draw(Random(seed), level) for each in (here, dearer))
    assert cheap.question == dear.question
    assert int(cheap.answer) + sum(numbers(cheap.question)) == int(dear.answer)


@given(seeds, levels)
def test_a_house_rules_answer_follows_from_the_bill_and_the_stated_rule(
    seed: int, level: int
) -> None:
    task = HouseRules(seed).draw(Random(seed), level)
    lines = re.findall(r"(\d+) [a-z]+ at (\d+) dollars", task.question)
    assert len(lines) == level
    bill = sum(int(n) * int(price) for n, price in lines)
    first, second = re.search(r"Here (.*), then (.*?):", task.rationale).groups()
    assert int(task.answer) == done(second, done(first, bill))


def done(step: str, amount: int) -> int:
    """One half of a house's rule, read from its words."""
    if step.startswith("add "):
        return amount + int(step.removeprefix("add "))
    direction, to = re.fullmatch(r"round (up|down) to (5|10)", step).groups()
    multiples = range(0, amount + 11, int(to))
    if direction == "up":
        return min(m for m in multiples if m >= amount)
    return max(m for m in multiples if m <= amount)


def test_house_rules_differ_and_each_house_keeps_its_own() -> None:
    rules = [HouseRules(seed).rule for seed in range(200)]
    assert len(set(rules)) > 80
    for seed, rule in enumerate(rules[:20]):
        tasks = SUITES["house_rules"].problems(8, split=Split.MEMORY, seed=0, level=2, world=seed)
        assert all(f" {rule}:" in task.rationale for task in tasks)


@pytest.mark.parametrize("world", [HouseRules, HouseFormat])
@given(seeds, seeds, seeds, levels)
def test_every_house_is_asked_the_same(
    world: type[HouseRules | HouseFormat], one: int, other: int, seed: int, level: int
) -> None:
    mine, theirs = (world(house).draw(Random(seed), level) for house in (one, other))
    assert mine.question == theirs.question


@given(seeds, levels)
def test_a_house_format_writes_the_sum_in_its_form(seed: int, level: int) -> None:
    world = HouseFormat(seed)
    task = world.draw(Random(seed), level)
    terms = numbers(task.question)
    assert len(terms) == level + 1
    assert task.answer == world.written(sum(terms))
    assert numbers(task.answer) == [sum(terms)]
    assert world.word in task.answer


@pytest.mark.parametrize("house", range(12))
def test_only_the_exact_text_of_a_house_format_passes(house: int) -> None:
    suite, world = SUITES["house_format"], HouseFormat(house)
    task = suite.problems(1, split=Split.EVALUATION, seed=0, level=1, world=house)[0]
    total, right = sum(numbers(task.question)), task.answer
    assert suite.verify(task, f"#### {right}")
    assert suite.verify(task, f"#### {total}\nIn the house's form:\n#### {right}\n")
    wrong = {str(total), right.upper(), f"{right}.", f"**{right}**", right.replace(" ", "  ")}
    wrong |= {world.written(total + 1), right.replace(world.word, "lamp"), f"${right}$"}
    wrong |= {HouseFormat(other).written(total) for other in range(60)}
    for text in wrong - {right}:
        assert not suite.verify(task, f"#### {text}"), text
    assert not suite.verify(task, right)


@pytest.mark.parametrize("world", [Jargon, Facts, HouseRules, HouseFormat])
@given(seed=seeds, level=levels)
def test_a_solution_states_true_equations_and_ends_in_its_answer(
    world: type[Jargon | Facts | HouseRules | HouseFormat], seed: int, level: int
) -> None:
    task: Solved = world(seed).draw(Random(seed), level)
    for left, right in re.findall(r"(\d+[-+*]\d+)=(\d+)", task.rationale):
        assert eval(left) == int(right)
    assert task.rationale.endswith(f"\n#### {task.answer}")
    assert final_answer(task.rationale) == task.answer


@pytest.mark.parametrize("name", ["jargon", "facts", "house_rules", "house_format"])
def test_worlds_differ_in_what_they_answer(name: str) -> None:
    suite = SUITES[name]
    solutions = {
        suite.problems(1, split=Split.MEMORY, seed=0, level=2, world=world)[0].rationale
        for world in WORLD_SEEDS[Split.EVALUATION][: suite.worlds]
    }
    assert len(solutions) == suite.worlds


def test_training_has_the_rules_of_no_jargon_or_price_list_that_is_evaluated() -> None:
    trained = range(FIRST_TRAINING_WORLD, 5 * FIRST_TRAINING_WORLD)
    evaluated = range(FIRST_TRAINING_WORLD)
    assert not {price_list(seed) for seed in trained} & {price_list(seed) for seed in evaluated}
    assert not {dictionary(seed) for seed in trained} & {dictionary(seed) for seed in evaluated}


def price_list(seed: int) -> frozenset[tuple[str, int]]:
    return frozenset(Facts(seed).price.items())


def dictionary(seed: int) -> frozenset[tuple[str, str]]:
    return frozenset((word, rule.verb) for word, rule in Jargon(seed).meaning.items())
