"""Endless training rows, drawn from seeds.

A row is filled with whole documents and cut at its end. No attention mask separates them; instead a
row never holds two different worlds, so whatever its context says about a word stays true.
"""

from collections.abc import Callable, Iterator
from itertools import islice
from random import Random

import torch
from tokenizers import Tokenizer

from adaptation.evaluation.suites.jargon import RULES
from adaptation.evaluation.suites.words import CITIES, COLORS, ITEMS, JARGON, NAMES, TOPICS
from adaptation.pebble.chat import END_OF_TEXT, Document, Segment, segments
from adaptation.pebble.curriculum import Classroom, classrooms, ordinary
from adaptation.pebble.encoding import Encoder, Rows, conversation_of, next_token_targets
from adaptation.pebble.recipe import Mixture, Recipe
from adaptation.pebble.talk import any_manner, maybe_system

PLURALS = tuple(many for _, many in ITEMS)
WORDS = JARGON + NAMES + CITIES + COLORS + PLURALS


def echo(rng: Random) -> Document:
    """Random words, then the same words again and again: the shortest way to an induction head."""
    words = "".join(f" {word}" for word in rng.choices(WORDS, k=rng.randint(4, 40)))
    again = Segment(words, True)
    return (Segment(words, False), *[again] * rng.randint(1, 3), Segment(END_OF_TEXT, False))


def recall(rng: Random) -> Document:
    """A small dictionary read out again and again; only repeated entries carry loss."""
    keys, values = rng.choice(
        (
            (rng.sample(JARGON, rng.randint(3, 8)), [rule.verb for rule in RULES]),
            (rng.sample(PLURALS, rng.randint(3, 8)), [f"cost {n}" for n in range(2, 100)]),
            (rng.sample(WORDS, rng.randint(3, 16)), list(WORDS)),
        )
    )
    meaning = {key: rng.choice(values) for key in keys}
    pieces, seen = [], set[str]()
    for _ in range(4 * len(keys)):
        key = rng.choice(keys)
        pieces += [Segment(f" {key}", False), Segment(f" {meaning[key]}", key in seen)]
        pieces.append(Segment(rng.choice((".", ":", "")), False))
        seen.add(key)
    return (*pieces, Segment(END_OF_TEXT, False))


def raw_text(rng: Random, mixture: Mixture) -> Document:
    """A solved task without the chat format, for plain completion."""
    task = ordinary(rng, mixture)
    return (
        Segment(f"Question: {task.question}\nAnswer:", False),
        Segment(f" {task.rationale}{END_OF_TEXT}", True),
    )


def _recall_row(rng: Random) -> Iterator[Document]:
    while True:
        yield echo(rng) if rng.random() < 0.5 else recall(rng)


def _demonstration_row(rng: Random, classroom: Classroom) -> Iterator[Document]:
    """One world's conversations, which the row's end cuts."""
    while True:
        yield conversation_of(classroom.solved(24, rng), maybe_system(rng))


def _mixed_row(rng: Random, classroom: Classroom, mixture: Mixture) -> Iterator[Document]:
    """Short conversations of all kinds; those about a world share one."""
    kinds: dict[Callable[[], Document], float] = {
        lambda: conversation_of(classroom.solved(1, rng)): mixture.world_question,
        lambda: conversation_of([ordinary(rng, mixture) for _ in range(rng.choice((1, 1, 2)))]): (
            mixture.arithmetic
        ),
        lambda: segments(any_manner(rng, mixture.manner_kinds)): mixture.manners,
        lambda: raw_text(rng, mixture): mixture.raw_text,
    }
    while True:
        yield rng.choices(list(kinds), list(kinds.values()))[0]()


def _row(
    rng: Random, classroom: Classroom, mixture: Mixture, progress: float
) -> Iterator[Document]:
    """What a row holds; recall rules the first part of the training."""
    ramp = max(0.0, 1.0 - progress / mixture.first_recall_until)
    recall_share = mixture.recall + (mixture.first_recall - mixture.recall) * ramp
    if rng.random() < recall_share:
        return _recall_row(rng)
    if rng.random() * (mixture.demonstrations + mixture.mixed) < mixture.demonstrations:
        return _demonstration_row(rng, classroom)
    return _mixed_row(rng, classroom, mixture)


class Corpus:
    """Batches without end, all from one seed."""

    def __init__(self, tokenizer: Tokenizer, recipe: Recipe, seed: str) -> None:
        self._encoder = Encoder(tokenizer)
        self._recipe = recipe
        self._rng = Random(f"corpus {seed}")
        self._classrooms = classrooms(self._rng, recipe.mixture)

    def next(self, progress: float) -> Rows:
        """One batch; `progress` (0 to 1) tells how far the training is."""
        shapes = self._recipe.batches
        shape = self._rng.choices(shapes, [each.share for each in shapes])[0]
        rows = [self._row(shape.row_tokens, progress) for _ in range(shape.rows)]
        ids = torch.tensor([row[0] for row in rows])
        return Rows(ids, next_token_targets(ids, torch.tensor([row[1] for row in rows])))

    def _row(self, tokens: int, progress: float) -> tuple[list[int], list[bool]]:
        documents = _row(self._rng, next(self._classrooms), self._recipe.mixture, progress)
        return self._encoder.row(documents, tokens)


def tokenizer_texts(recipe: Recipe) -> Iterator[str]:
    """Documents of every kind for the tokenizer to learn from, and each single word."""
    rng, mixture = Random(f"tokenizer {recipe.seed}"), recipe.mixture
    for classroom in islice(classrooms(rng, mixture), recipe.tokenizer_documents // 10):
        yield from (piece.text for piece in conversation_of(classroom.solved(4, rng)))
    for _ in range(recipe.tokenizer_documents):
        documents = (
            conversation_of([ordinary(rng, mixture)]),
            segments(any_manner(rng, mixture.manner_kinds)),
            raw_text(rng, mixture),
        )
        yield from (piece.text for document in documents for piece in document)
    words = [*WORDS, *TOPICS, *(one for one, _ in ITEMS)]
    yield from (f" {word}" for word in words for _ in range(1000))
