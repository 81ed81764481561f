"""A user's line as the built-in model is shown it: by the template as by training."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from adaptation.evaluation.suites import SUITES
from adaptation.evaluation.suites.split import Split
from adaptation.pebble import model_path
from adaptation.pebble.chat import CHAT_TEMPLATE
from adaptation.pebble.curriculum import ordinary
from adaptation.pebble.reading import LONGEST, read
from adaptation.pebble.recipe import Recipe
from adaptation.pebble.talk import any_manner

TOKENIZER: PreTrainedTokenizerFast = AutoTokenizer.from_pretrained(model_path())
PIECES = st.sampled_from(
    ["Hello, ", "hi! ", "Hey. ", "What's ", "what is ", "who", " plus ", " minus ", "+", "-", "*"]
)
LINES = st.lists(PIECES | st.text(max_size=3) | st.integers(0, 99).map(str), max_size=20)


def shown(text: str) -> str:
    """The user's turn as the template renders it."""
    turn = [{"role": "user", "content": text}]
    whole = str(TOKENIZER.apply_chat_template(turn, tokenize=False))
    return whole.removeprefix("<|im_start|>user\n").removesuffix("<|im_end|>\n")


@given(LINES.map("".join))
def test_the_template_shows_what_training_reads(text: str) -> None:
    assert shown(text) == read(text)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("What is 2+2?", "What is 2 + 2?"),
        ("What's 7 plus 5?", "What is 7 + 5?"),
        ("How much is 12 minus 4?", "How much is 12 - 4?"),
        ("3*4-2", "3 * 4 - 2"),
        ("hey", "Hey"),
        ("Hello, who are you?", "Who are you?"),
        ("hi! what's 2+2?", "What is 2 + 2?"),
    ],
)
def test_everyday_wordings_become_those_that_were_taught(said: str, meant: str) -> None:
    assert read(said) == meant
    assert read(meant) == meant


@pytest.mark.parametrize(
    "text",
    [
        "Hello, my name is Tom! What is your name?",
        "a-b, C++ and **bold**",
        "2+2\n3+3",
        "1+1 " * LONGEST,
        "",
    ],
)
def test_what_is_no_such_wording_passes_as_it_is(text: str) -> None:
    assert shown(text) == read(text) == text


@pytest.mark.parametrize("suite", sorted(SUITES))
def test_questions_that_are_measured_pass_as_they_are(suite: str) -> None:
    split = Split.TRAINING
    found = SUITES[suite].problems(20, split=split, seed=3, level=SUITES[suite].default_level)
    assert [read(each.question) for each in found] == [each.question for each in found]


def test_what_the_model_was_trained_on_passes_but_for_a_capital() -> None:
    rng, mixture = Random(1), Recipe().mixture
    asked = [ordinary(rng, mixture).question for _ in range(300)]
    for _ in range(300):
        turns = any_manner(rng, mixture.manner_kinds).turns
        asked += [turn.text for turn in turns if turn.role == "user"]
    assert {each.lower() for each in asked} == {read(each).lower() for each in asked}
    assert {each for each in asked if read(each) != each} <= {"hi", "hello"}


def test_the_template_that_ships_is_the_one_of_the_recipe() -> None:
    assert TOKENIZER.chat_template == CHAT_TEMPLATE
