"""Formulas: which answers are one, what equals what, and what is cut off."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adaptation.types import Query, Sample
from adaptation.voting.reader import Reader
from adaptation.workers.algebra import Algebra
from memory.identity.answers import Answer
from memory.identity.answers.options import AnswerOptions
from memory.identity.answers.symbolic import as_formula

MakeQuery = Callable[..., Query]


@pytest.fixture(scope="module")
def algebra() -> Iterator[Algebra]:
    algebra = Algebra(processes=1, time_limit_s=20)
    yield algebra
    algebra.close()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x^2-1", "(x-1)(x+1)"),
        ("x² - 1", "(x-1)*(x+1)"),
        (r"\sqrt{8}", r"2\sqrt{2}"),
        ("2*sqrt(2)", r"\sqrt8"),
        (r"\frac{\pi}{2}", "π/2"),
        ("pi/2", r"0.5\pi"),
        (r"\{1,2\}", r"\{2,1\}"),
        ("[1, 2)", r"\left[1,2\right)"),
        ("2(x+1)", "2x+2"),
        (r"\frac{x}{2}", "x/2"),
        (r"\sqrt[3]{x}+1", r"1+\sqrt[3]{x}"),
        (r"\sqrt[3]{2}", "2^{1/3}"),
        (r"[0,1) \cup (2,3]", r"(2,3] \cup [0,1)"),
        ("y=x^2-1", "(x-1)(x+1)"),
        (r"\theta=2\pi", r"\pi+\pi"),
        ("x+y=5", "y+x=5"),
    ],
)
async def test_equal_formulas_are_found_either_way_round(
    one: str, other: str, algebra: Algebra
) -> None:
    assert await algebra.find(one, ["7", other]) == 1
    assert await algebra.find(other, ["7", one]) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (r"\frac{R}{r}", r"\frac{r}{R}"),
        (r"\frac{T}{t}", "1"),
        ("X+x", "2x"),
        ("n+1", "N+1"),
        (r"2\pi r", r"2\pi R"),
        (r"10^{-20}\pi", r"10^{-21}\pi"),
        (r"\frac{\pi}{2}", "1.5708"),
        (r"\sqrt{2}", "1.414"),
        (r"\frac{x}{3}", "0.333x"),
        ("x+1", "x+2"),
        ("[1,2)", "[1,2]"),
        ("(1,2)", "(2,1)"),
        (r"\{1,2\}", r"\{1,2,3\}"),
        ("x^2", "2^x"),
        ("x > 3", "x < 3"),
        ("a-b", "b-a"),
        (r"\{1,2\}", "(1,2)"),
        (r"B^{-1}A^{-1}", r"A^{-1}B^{-1}"),
        (r"B^T A^T", r"A^T B^T"),
        (r"a \times b", r"b \times a"),
        (r"\vec{a}\cdot b", r"b \cdot \vec{a}"),
        ("A-B-C-D-A", "A-C-B-D-A"),
        ("w-w-l", "w-l-w"),
        ("c*a*t", "act"),
        ("y''+y=0", "y'+y=0"),
        ("y'=2y", "y=2y"),
        ("[x^2]", "x^2"),
        ("[3,1]", "(3,1)"),
        ("x^2 $ y", "x^2"),
        ("x+y=5", "5"),
        ("f(x)=x^2", "x^2"),
        ("f(x)=x^2", "g(x)=x^2"),
        ("a_n=n^2", "n^2"),
        ("2x+y=10", "x=10"),
    ],
)
async def test_unequal_formulas_are_not(one: str, other: str, algebra: Algebra) -> None:
    assert await algebra.find(one, [other]) is None
    assert await algebra.find(other, [one]) is None


@pytest.mark.parametrize(
    "text",
    [
        *(
            "act",
            "n/e/s",
            "tac-cat",
            "3f2",
            "a1-b2",
            "2024-11-21",
            "10/10/2024",
            "3-4",
            "B",
            "5 km",
            "x",
        ),
        *("12", "", "the sum x+y", "x+1\ny", "x" * 300 + "+1", "1, 2"),
    ],
)
def test_words_codes_dates_and_numbers_are_no_formulas(text: str) -> None:
    assert as_formula(text) is None


def test_a_formula_knows_what_it_is_the_value_of() -> None:
    formulas = [as_formula(text) for text in ("y = x^2", "z = x^2", "x^2")]
    assert [found.symbol for found in formulas if found] == ["y", "z", ""]


names = st.sampled_from("abxyz")
terms = st.tuples(st.integers(2, 9), names).map(lambda term: f"{term[0]}{term[1]}")


@given(data=st.data(), parts=st.lists(terms, min_size=2, max_size=4))
async def test_a_sum_equals_itself_in_any_order_and_no_other_sum(
    data: st.DataObject, parts: list[str], algebra: Algebra
) -> None:
    swapped = data.draw(st.permutations(parts))
    assert await algebra.find("+".join(parts), [" + ".join(swapped)]) == 0
    assert await algebra.find("+".join(parts), ["+".join([*swapped, "1"])]) is None


@given(data=st.data(), parts=st.lists(terms, min_size=2, max_size=4, unique=True), more=terms)
async def test_a_set_equals_itself_in_any_order_and_no_other_set(
    data: st.DataObject, parts: list[str], more: str, algebra: Algebra
) -> None:
    swapped = data.draw(st.permutations(parts))
    written, spaced = rf"\{{{','.join(parts)}\}}", rf"\left\{{{', '.join(swapped)}\right\}}"
    assert await algebra.find(written, [spaced]) == 0
    larger = await algebra.find(written, [rf"\{{{','.join([*swapped, more])}\}}"])
    assert (larger is not None) == (more in parts)


ends = st.tuples(
    st.sampled_from("[("), st.integers(-9, 0), st.integers(1, 9), st.sampled_from(")]")
)


@given(left=ends, right=ends)
async def test_intervals_are_equal_exactly_when_ends_and_brackets_are(
    left: tuple[str, int, int, str], right: tuple[str, int, int, str], algebra: Algebra
) -> None:
    written = "{}{},{}{}".format(*left)
    assert await algebra.find(written, [r"\left{}{}, {}\right{}".format(*left)]) == 0
    assert (await algebra.find(written, ["{}{}, {}{}".format(*right)]) == 0) == (left == right)


async def test_a_formula_that_takes_for_ever_ends_its_process_and_the_next_has_another() -> None:
    algebra = Algebra(processes=1, time_limit_s=1.0)
    assert await algebra.find("9^{9^{9^{9^{9}}}}+x", ["x-9^{9^{9^{9}}}"]) is None
    assert await algebra.find("x+x", ["2x"]) == 0
    algebra.close()


async def test_no_process_outlives_its_owner() -> None:
    before = set(psutil.Process().children())
    algebra = Algebra(processes=2)
    assert await algebra.find("x+x", ["2x"]) == 0
    its_own = set(psutil.Process().children()) - before
    assert its_own
    del algebra  # its thread may hold it for a moment longer
    _, alive = psutil.wait_procs(its_own, timeout=20)
    assert not alive


async def test_numbers_alone_start_no_process() -> None:
    before = set(psutil.Process().children())
    algebra = Algebra(processes=1)
    assert await algebra.find("1024", ["7", "1/2", "12 km", r"\{1,2\}"]) is None
    assert set(psutil.Process().children()) == before
    algebra.close()


def sample(text: str) -> Sample:
    return Sample(0, text, 4, "stop")


async def test_a_formula_is_counted_under_the_one_it_equals(
    make_query: MakeQuery, algebra: Algebra
) -> None:
    first = Answer("(x-1)(x+1)", "(x-1)(x+1)", structured=True)
    reader = Reader(make_query(), algebra)
    merged = await reader.read(sample(r"\boxed{x^2-1}"), [first])
    assert merged == Answer("x^2-1", first.key, structured=True)


@pytest.mark.parametrize("kind", ["text", "json", "choice"])
async def test_other_kinds_of_answers_are_never_read_as_formulas(
    kind: str, make_query: MakeQuery, algebra: Algebra
) -> None:
    first = Answer("x+x", "x+x", structured=True)
    reader = Reader(make_query(answer=AnswerOptions(kind=kind)), algebra)
    found = await reader.read(sample("2x"), [first])
    assert found is None or found.key != first.key
