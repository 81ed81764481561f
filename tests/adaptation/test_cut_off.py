"""Samples that `max_tokens` cut off: what can be read out of them, and what they count for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from adaptation.fake_engine import FakeEngine, Reply
from adaptation.types import Draw, Query, Sample
from adaptation.voting.reader import Reader, read_answer
from adaptation.voting.stopping import FixedRule
from adaptation.voting.tally import Tally
from memory.identity.answers.closing import closed_part
from tests.adaptation.test_voting import hold_vote

MakeQuery = Callable[..., Query]
FULL = '{"name": "Ann"}'
CALL = "[f()]"
CALLS = ({"name": "f", "arguments": "{}"},)


def cut(text: str) -> Sample:
    return Sample(0, text, 4, "length")


@pytest.mark.parametrize(
    ("text", "part"),
    [
        (r"So \boxed{42}. I che", r"So \boxed{42}"),
        (r"\boxed{\frac{1}{2}} and", r"\boxed{\frac{1}{2}}"),
        (r"\boxed{\{1, 2\}} and", r"\boxed{\{1, 2\}}"),
        (r"\boxed{1}, no: \boxed{2", ""),
        (r"\boxed{4", ""),
        ("#### 42", ""),
        ("The answer is 42. So", ""),
        ("", ""),
    ],
)
def test_only_a_closed_box_is_read_out_of_what_was_cut_off(text: str, part: str) -> None:
    assert closed_part(text) == part


@pytest.mark.parametrize("kind", ["auto", "math", "choice", "json", "tool", "text"])
@pytest.mark.parametrize(
    "text", ["12", "12+7", "#### 1", "The answer is 1", "B", '[{"a": 1}, {', '{"name": "f', "It is"]
)
def test_a_sample_that_was_cut_off_has_no_answer(
    kind: str, text: str, make_query: MakeQuery
) -> None:
    assert read_answer(make_query(answer={"kind": kind}), cut(text)) is None


async def test_a_pattern_is_not_matched_against_what_was_cut_off(make_query: MakeQuery) -> None:
    query = make_query(answer={"kind": "regex", "pattern": r"Result: (\d+)"})
    assert await Reader(query).read(cut("Result: 5"), ()) is None
    assert await Reader(query).read(Sample(0, "Result: 5", 4, "stop"), ())


@pytest.mark.parametrize("demand", ["json_output", "has_tools"])
def test_a_box_in_a_broken_form_is_no_answer(demand: str, make_query: MakeQuery) -> None:
    boxed = cut(r'{"steps": "\boxed{1}", "na')
    assert read_answer(make_query(), boxed) is not None
    assert read_answer(make_query(**{f"query_{demand}": True}), boxed) is None


@pytest.mark.parametrize(
    ("whole", "calls", "demand"), [(FULL, (), "json_output"), (CALL, CALLS, "has_tools")]
)
async def test_one_whole_sample_outvotes_all_that_were_cut_off(
    whole: str, calls: tuple[Any, ...], demand: str, make_query: MakeQuery
) -> None:
    def script(query: Query, draw: Draw) -> Reply:
        if draw.index == 2:
            return Reply(whole, calls=calls, logprob=-3.0)
        return Reply(whole[:3], calls=calls, finish_reason="length", logprob=-0.1)

    query = make_query(max_samples=5, **{f"query_{demand}": True})
    vote, _ = await hold_vote(query, FakeEngine(script), FixedRule())
    assert vote.winner.text == whole
    assert vote.readable


async def test_where_all_were_cut_off_one_is_returned_without_an_answer(
    make_query: MakeQuery,
) -> None:
    engine = FakeEngine(lambda q, draw: Reply(FULL[:9], finish_reason="length"))
    vote, _ = await hold_vote(make_query(max_samples=8, query_json_output=True), engine)
    assert (vote.winner.finish_reason, vote.answer, vote.readable) == ("length", None, False)


async def test_a_whole_text_stands_for_the_others_and_not_one_that_was_cut_off(
    make_query: MakeQuery,
) -> None:
    texts = ["Once upon", "Once upon a", "A lamp stood by the sea for many years."]
    ends = ["length", "length", "stop"]
    engine = FakeEngine(lambda q, draw: Reply(texts[draw.index], finish_reason=ends[draw.index]))
    vote, _ = await hold_vote(make_query("A story?", max_samples=3), engine, FixedRule())
    assert vote.winner.text == texts[2]


def test_what_has_no_answer_comes_last_whatever_it_weighs(make_query: MakeQuery) -> None:
    tally = Tally(lambda sample: 5.0 if sample.finish_reason == "length" else 0.5)
    answer = read_answer(make_query(), Sample(1, "#### 2", 4, "stop"))
    tally.add(cut("12"), None)
    tally.add(Sample(1, "#### 2", 4, "stop"), answer)
    assert tally.groups[0].answer == answer
