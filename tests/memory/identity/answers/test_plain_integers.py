"""Integers are read at once, and come to what the rules that read everything come to."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from memory.identity.answers import canonical, extract
from memory.identity.answers.extract import _bare
from memory.identity.answers.fold import _WRAPPERS, _unwrapped
from memory.identity.answers.keys import agree, joined
from memory.identity.answers.options import AnswerOptions

AUTO = AnswerOptions()
INTEGERS = st.from_regex(r"-?[0-9]{1,30}", fullmatch=True, alphabet="-0123456789")


@given(INTEGERS)
def test_an_integer_is_what_the_rules_make_of_it(text: str) -> None:
    found = extract(text, AUTO)
    assert found is not None
    assert found == _bare(text)
    assert found.key == canonical(text)


@given(st.text(), st.text())
def test_keys_agree_where_the_set_of_both_is_one_answer(one: str, other: str) -> None:
    assert agree(one, one)
    assert agree(one, other) == (len(set(joined((one, other)).values())) == 1)


def test_every_wrapper_is_still_taken_off() -> None:
    for opening, closing in _WRAPPERS:
        assert _unwrapped(f"{opening}Paris{closing}") == "Paris"
