"""No question that is evaluated, remembered or developed on occurs in training data.

Training data is what training reads: rows of the corpus, rehearsed lessons, the tokenizer's texts.
The questions are read back out of it as text, and judged by their hash and against the questions
that the suites really ask.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import islice
from random import Random

import pytest
from torch import Tensor
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from adaptation.evaluation.suites import SUITES
from adaptation.evaluation.suites.solved import Solved
from adaptation.evaluation.suites.split import Split, split_of
from adaptation.evaluation.suites.suite import WORLD_SEEDS
from adaptation.pebble import curriculum, model_path, rehearse
from adaptation.pebble.corpus import Corpus, tokenizer_texts
from adaptation.pebble.curriculum import classrooms
from adaptation.pebble.recipe import Batch, Recipe
from adaptation.pebble.talk import small_talk

RECIPE = Recipe(batches=(Batch(row_tokens=768, rows=16, share=1.0),))
BATCHES, LESSONS, CLASSROOMS = 40, 100, 3_000
SOME = 300
"""Documents that are enough to see a leak in."""
FEWEST = {("countdown", 1): 12, ("facts", 1): 1}
"""Questions of a split in the smallest suites and levels."""
KEPT_APART = (Split.EVALUATION, Split.MEMORY, Split.DEVELOPMENT)
ASKED = re.compile(r"<\|im_start\|>user\n(.*?)<\|im_end\|>|Question: (.*?)\nAnswer:", re.DOTALL)
COPYING = re.compile(
    r"(?:Repeat|Repeat after me|Say|Copy this): [A-Za-z ]+|<tool_response>.*", re.DOTALL
)
"""Turns of a user that are no questions of a suite."""


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return AutoTokenizer.from_pretrained(model_path())


@pytest.fixture(scope="module")
def pleasantries() -> frozenset[str]:
    """All that small talk says: no question of a suite either."""
    drawn = (small_talk(Random(seed)) for seed in range(3_000))
    return frozenset(turn.text for talk in drawn for turn in talk.turns if turn.role == "user")


@pytest.fixture(scope="module")
def kept_apart() -> frozenset[str]:
    """Questions of every suite, at every level, in a few worlds, of every split but training's."""
    return frozenset(
        problem.question
        for suite in SUITES.values()
        for level in suite.levels
        for split in KEPT_APART
        for world in range(max(1, suite.worlds))
        for problem in problems_of(suite.name, split, level, world)
    )


def problems_of(name: str, split: Split, level: int, world: int) -> list[Solved]:
    n = FEWEST.get((name, level), 50)
    return SUITES[name].problems(n, split=split, seed=0, level=level, world=world)


def rows(tokenizer: PreTrainedTokenizerFast) -> Iterator[str]:
    """Packed rows as the training reads them, from its beginning to its end."""
    corpus = Corpus(tokenizer.backend_tokenizer, RECIPE, "test")
    for batch in range(BATCHES):
        yield from texts(tokenizer, corpus.next(progress=batch / BATCHES).ids)


def lessons(tokenizer: PreTrainedTokenizerFast) -> Iterator[str]:
    """What test-time training is rehearsed on."""
    drawn = rehearse.Lessons(tokenizer.backend_tokenizer, RECIPE, "test")
    for _ in range(LESSONS):
        lesson = drawn.next()
        yield from texts(tokenizer, lesson.neighbours.ids)
        yield from texts(tokenizer, lesson.questions.ids)


def tokenizer_documents(_: PreTrainedTokenizerFast) -> Iterator[str]:
    """What the tokenizer learns from; its pieces make up documents again when joined."""
    yield "".join(tokenizer_texts(RECIPE))


def texts(tokenizer: PreTrainedTokenizerFast, ids: Tensor) -> list[str]:
    return tokenizer.backend_tokenizer.decode_batch(ids.tolist(), skip_special_tokens=False)


Source = Callable[[PreTrainedTokenizerFast], Iterable[str]]
every_source = pytest.mark.parametrize("source", [rows, lessons, tokenizer_documents])


def questions_in(documents: Iterable[str], pleasantries: frozenset[str]) -> set[str]:
    """Every question in training data; a question cut off by a row's end is left out."""
    asked = {turn or raw for text in documents for turn, raw in ASKED.findall(text)} - pleasantries
    return {question for question in asked if not COPYING.fullmatch(question)}


def leaked(questions: set[str]) -> set[str]:
    """The questions that training may not see."""
    return {question for question in questions if split_of(question) is not Split.TRAINING}


@every_source
def test_training_data_holds_no_question_of_another_split(
    source: Source,
    tokenizer: PreTrainedTokenizerFast,
    pleasantries: frozenset[str],
    kept_apart: frozenset[str],
) -> None:
    questions = questions_in(source(tokenizer), pleasantries)
    assert len(questions) > 500
    assert leaked(questions) == set()
    assert not questions & kept_apart


@every_source
def test_a_generator_that_leaks_is_caught(
    source: Source,
    tokenizer: PreTrainedTokenizerFast,
    pleasantries: frozenset[str],
    kept_apart: frozenset[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The same data without regard to splits: 5 in 16, and the very questions of an evaluation."""
    monkeypatch.setattr(curriculum, "draw_from", lambda split, draw, rng: draw(rng))
    monkeypatch.setitem(globals(), "RECIPE", replace(RECIPE, tokenizer_documents=10 * SOME))
    questions = questions_in(islice(source(tokenizer), SOME), pleasantries)
    assert 0.2 < len(leaked(questions)) / len(questions) < 0.45
    assert questions & kept_apart


def test_what_the_check_leaves_out_is_asked_by_no_suite(
    pleasantries: frozenset[str], kept_apart: frozenset[str]
) -> None:
    assert not pleasantries & kept_apart
    assert not any(COPYING.fullmatch(question) for question in kept_apart)


def test_training_draws_its_worlds_from_its_own_seeds() -> None:
    rng = Random(0)
    drawn = zip(classrooms(rng, RECIPE.mixture), range(CLASSROOMS), strict=False)
    worlds = [classroom.solved(1, rng)[0].task.split("/") for classroom, _ in drawn]
    assert {name for name, _ in worlds} == {"jargon", "facts", "house_rules", "house_format"}
    assert all(int(seed) in WORLD_SEEDS[Split.TRAINING] for _, seed in worlds)
