"""The shipped tokenizer: all bytes, single digits, one token for each word that carries a rule."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from adaptation.evaluation.suites.jargon import RULES
from adaptation.evaluation.suites.words import CITIES, COLORS, ITEMS, JARGON, NAMES, TOPICS
from adaptation.pebble import model_path
from adaptation.pebble.chat import SPECIAL_TOKENS


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return AutoTokenizer.from_pretrained(model_path())


@given(text=st.text())
def test_any_text_comes_back_unchanged(tokenizer: PreTrainedTokenizerFast, text: str) -> None:
    ids = tokenizer.encode(text, add_special_tokens=False)
    assert tokenizer.decode(ids, skip_special_tokens=False) == text


def test_every_byte_has_a_token(tokenizer: PreTrainedTokenizerFast) -> None:
    for codepoint in (*range(256), 0x20AC, 0x1F600, 0x10FFFF):
        assert tokenizer.decode(tokenizer.encode(chr(codepoint))) == chr(codepoint)


def test_every_digit_is_a_token_of_its_own(tokenizer: PreTrainedTokenizerFast) -> None:
    assert tokenizer.tokenize("1234567890") == list("1234567890")
    assert tokenizer.tokenize("x 42")[1:] == ["Ġ", "4", "2"]


def test_words_that_carry_a_rule_are_one_token(tokenizer: PreTrainedTokenizerFast) -> None:
    items = [word for pair in ITEMS for word in pair]
    verbs = [rule.verb for rule in RULES]
    for word in (*JARGON, *NAMES, *CITIES, *COLORS, *TOPICS, *items, *verbs):
        assert len(tokenizer.tokenize(f" {word}")) == 1, word


def test_special_tokens_are_single_and_the_turn_end_stops(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    for token in SPECIAL_TOKENS:
        assert len(tokenizer.encode(token)) == 1
    assert tokenizer.eos_token == "<|im_end|>"
