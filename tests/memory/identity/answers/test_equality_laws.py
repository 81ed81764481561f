"""Equality of answers is an equivalence; what of a set is one depends on the set alone."""

from __future__ import annotations

import time
from itertools import combinations
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory.identity.answers import agree, canonical, extract, joined
from memory.identity.answers.exact import UnreadableError
from memory.identity.answers.keys import Joins, Named, parts
from memory.identity.answers.options import AnswerOptions
from memory.identity.answers.value import parse_value
from tests.memory.identity.answers.corpus import replies
from tests.memory.identity.answers.pairs import KINDS, equal_pairs, unequal_pairs

SEEDS = st.integers(0, 10**6)
NAMES = st.sampled_from(["", "km", "m", "USD"])
SYMBOLS = st.sampled_from(["", "x", "y"])
KEYS = st.builds(lambda value, unit, symbol: Named(value, unit, symbol).key,
                 st.sampled_from(["5", "7", "x^2"]), NAMES, SYMBOLS)  # fmt: skip


@given(SEEDS, st.sampled_from(KINDS))
def test_all_spellings_of_a_value_are_one_and_none_of_its_neighbour_is(
    seed: int, kind: object
) -> None:
    assert callable(kind)
    rng = Random(seed)
    one, other, near = kind(rng)
    same = {canonical(spell(rng)) for spell in (one, other) for _ in range(4)}
    assert len(same) == 1
    assert not same & {canonical(near(rng)) for _ in range(4)}


def test_equality_of_thousands_of_texts_is_reflexive_symmetric_and_transitive() -> None:
    texts = [text for pair in (*equal_pairs(1500, 7), *unequal_pairs(1500, 8)) for text in pair]
    classes: dict[str, set[str]] = {}
    for text in texts:
        assert canonical(text) == canonical(text)
        classes.setdefault(canonical(text), set()).add(text)
    # Keys partition the texts: that is all that an equivalence is.
    assert sum(map(len, classes.values())) == len(set(texts))


@given(st.lists(KEYS, max_size=12), st.randoms(use_true_random=False))
def test_what_of_a_set_is_one_does_not_depend_on_the_order(keys: list[str], rng: Random) -> None:
    groups = joined(keys)
    shuffled = rng.sample(keys, len(keys))
    assert joined(shuffled) == groups
    for one, other in combinations(groups, 2):
        if groups[one] == groups[other]:
            assert parts(one).value == parts(other).value
            assert agree(one, other)


@given(st.lists(KEYS, max_size=12))
def test_a_growing_set_says_when_what_it_joined_comes_apart(keys: list[str]) -> None:
    joins, known = Joins(), dict[str, str]()
    for key in keys:
        came_apart = joins.add(key)
        now = {earlier: joins.group(earlier) for earlier in known}
        if not came_apart:
            assert now == known
        known = now | {key: joins.group(key)}
    assert known == joined(keys)


def test_what_is_read_has_the_key_of_the_text_that_is_shown() -> None:
    for reply in replies():
        for kind in ("auto", "math"):
            found = extract(reply.text, AnswerOptions.model_validate({"kind": kind}))
            if found is not None and found.structured:
                assert canonical(found.text) == found.key, reply


PIECES = [
    r"\frac",
    r"\frac",
    r"{",
    r"}",
    r"(",
    r")",
    r"[",
    r"]",
    r"\{",
    r"\}",
    r"1",
    r"2",
    r"12",
    r"3.5",
    r"1,000",
    r",",
    r";",
    r":",
    r"=",
    r"<",
    r"<=",
    r"\le",
    r"^",
    r"_",
    r"!",
    r"%",
    r"$",
    r"\$",
    r"€",
    r"x",
    r"R",
    r"f(",
    r"a",
    r"I",
    r"are",
    r"not",
    r"So",
    r"km",
    r"m",
    r"per",
    r"/",
    r"*",
    r"+",
    r"-",
    r"\times",
    r"\cdot",
    r"\sqrt",
    r"\sqrt[3]",
    r"\binom",
    r"\pm",
    r"\pi",
    r"\begin{pmatrix}",
    r"\end{pmatrix}",
    r"&",
    r"\\",
    r"|",
    r"**",
    r".",
    r"?",
    r"…",
    r"½",
    r"²",
    r"√",
    r"≈",
    r"∪",
    r"\cup",
    r"\in",
    r"or",
    r"and",
    r"million",
    r"dozen",
    r"seven",
    r"twenty",
    r"-",
    r"degrees",
    r"am",
    r"pm",
    r"March",
    r"2024",
    r"1e5",
    r"e999999999",
    r"\overline{3}",
    r".\overline{3}",
    r"0.",
    r"\log_",
    r"\sin",
    r"sec",
    r"x_",
    r"x_{",
    r"minus",
    r"negative",
    r"times",
    r"divided",
    r"by",
]


@given(st.lists(st.sampled_from(PIECES), max_size=20), st.sampled_from(["", " "]))
def test_what_cannot_be_read_is_no_answer_and_no_error(pieces: list[str], gap: str) -> None:
    text = gap.join(pieces)
    for said in (text, f"So it is {text}.", f"The answer is {text}", f"\\boxed{{{text}}}"):
        for kind in ("auto", "math", "choice"):
            extract(said, AnswerOptions.model_validate({"kind": kind}))
    assert agree(canonical(text), canonical(text))


@pytest.mark.parametrize(
    "text",
    ["9^{9^{9^{9}}}", "(1+x)^{999999}", "2^{100000}", "100000!", "1e999999999", "((((((((1" * 60,
     "(a+b+c+d)^8(a+b+c+d)^8(a+b+c+d)^8", r"\sqrt{" * 80, "-" * 400 + "1", "1/0", "7" * 500],
)  # fmt: skip
def test_nothing_is_expanded_without_a_bound(text: str) -> None:
    found = parse_value(text)
    assert found is None or len(found.key) < 2000
    assert issubclass(UnreadableError, Exception)


@pytest.mark.parametrize(
    "piece", ["(a+b)", "(a+b+c)^8", "x=1, ", "12345678901^{200}", "5 km and ", "2^{"]
)
def test_a_sentence_of_nothing_but_formulas_is_given_up_soon(piece: str) -> None:
    text = piece * (480 // len(piece))
    began = time.thread_time()
    for said in (text, f"So it is {text}.", f"\\boxed{{{text}}}"):
        extract(said, AnswerOptions(kind="math"))
    assert time.thread_time() - began < 0.5
