"""Tables that fit their terminal."""

from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from server.table_layout import laid_out

JOB = "job_0123456789abcdef0123456789abcdef"
NAMES = ("id", "kind", "status", "created", "progress", "why not")
WORDS = st.lists(st.text("abcdefghij語", min_size=1, max_size=12), max_size=4).map(" ".join)


def printed(names: tuple[str, ...], rows: list[tuple[str, ...]], width: int) -> list[str]:
    out = io.StringIO()
    console = Console(file=out, width=width, markup=False, highlight=False)
    console.print(laid_out(names, rows, width), soft_wrap=True)
    return out.getvalue().splitlines()


def test_what_fits_is_one_line_a_row() -> None:
    lines = printed(("name", "what"), [("a", "one two"), ("b", "three")], 40)
    assert [line.split() for line in lines] == [
        ["name", "what"], ["a", "one", "two"], ["b", "three"],
    ]  # fmt: skip


def test_texts_are_broken_between_words_before_a_column_is_left_out() -> None:
    lines = printed(("id", "question"), [("rec_1", "What is 7 rocket 2, then lake 7?")], 24)
    assert len(lines) > 2
    assert max(map(len, lines)) <= 24
    assert " ".join(" ".join(lines).split()).startswith("id question rec_1 What is 7")


def test_what_does_not_fit_stands_below_its_row() -> None:
    rows = [
        (JOB, "distill", "succeeded", "2026-11-30 12:23", "", ""),
        (JOB, "distill", "failed", "2026-11-30 12:24", "", "the file has 5 examples " * 4),
    ]
    head, good, bad, *below = printed(NAMES, rows, 80)
    assert head.split() == ["id", "kind", "status", "created"]
    assert good.split() == [JOB, "distill", "succeeded", "2026-11-30", "12:23"]
    assert bad.startswith(JOB)
    assert below[0].startswith("    why not: the file has 5 examples")
    assert max(map(len, [head, good, bad, *below])) <= 80


def test_an_id_is_whole_however_narrow_it_is() -> None:
    lines = printed(NAMES, [(JOB, "distill", "queued", "now", "", "")], 20)
    assert JOB in lines


@given(st.lists(st.tuples(WORDS, WORDS, WORDS), max_size=4), st.integers(4, 60))
def test_no_word_is_lost_or_broken(rows: list[tuple[str, str, str]], width: int) -> None:
    lines = printed(("one", "two", "three"), rows, width)
    said = [word.rstrip(";") for word in " ".join(lines).split()]
    for cell in (cell for row in rows for cell in row):
        for word in cell.split():
            assert word in said
