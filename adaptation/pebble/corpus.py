"""Endless training rows, drawn from seeds: documents to token ids and loss weights.

A row is filled with whole documents and cut at its end. No attention mask separates them; instead a
row never holds two different worlds, so whatever its context says about a word stays true.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random

import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from adaptation.pebble.arithmetic import any_family, arithmetic
from adaptation.pebble.chat import END_OF_TEXT, Document, Segment, dialogue, segments
from adaptation.pebble.recipe import Mixture, Recipe
from adaptation.pebble.solved import Solved
from adaptation.pebble.talk import any_manner, maybe_system
from adaptation.pebble.words import CITIES, COLORS, ITEMS, JARGON, NAMES
from adaptation.pebble.worlds import RULES, World, training_worlds


def conversation_of(tasks: list[Solved], system: str | None = None) -> Document:
    """Solved questions as the turns of one conversation."""
    texts = [text for task in tasks for text in (task.question, task.rationale)]
    return segments(dialogue(*texts, system=system))


def recall(rng: Random) -> Document:
    """A small dictionary read out again and again; only repeated entries carry loss."""
    if rng.random() < 0.5:
        keys, values = rng.sample(JARGON, rng.randint(3, 8)), [rule.verb for rule in RULES]
    else:
        pool = JARGON + NAMES + CITIES + COLORS + tuple(many for _, many in ITEMS)
        keys = rng.sample(pool, rng.randint(3, 16))
        values = list(pool) if rng.random() < 0.5 else [f"cost {n}" for n in range(2, 100)]
    meaning = {key: rng.choice(values) for key in keys}
    pieces, seen = [], set[str]()
    for _ in range(4 * len(keys)):
        key = rng.choice(keys)
        pieces += [Segment(f" {key}", False), Segment(f" {meaning[key]}", key in seen)]
        pieces.append(Segment(rng.choice((".", ":", "")), False))
        seen.add(key)
    return (*pieces, Segment(END_OF_TEXT, False))


def raw_text(rng: Random) -> Document:
    """A solved story without the chat format, for plain completion."""
    task = arithmetic(rng, rng.randint(1, 4))
    return (
        Segment(f"Question: {task.question}\nAnswer:", False),
        Segment(f" {task.rationale}{END_OF_TEXT}", True),
    )


def _recall_row(rng: Random, _: World) -> Iterator[Document]:
    while True:
        yield recall(rng)


def _demonstration_row(rng: Random, world: World) -> Iterator[Document]:
    """More turns than any row holds; the row's end cuts them."""
    while True:
        yield conversation_of(world.solved(24, rng.getrandbits(32)), maybe_system(rng))


def _mixed_row(rng: Random, world: World) -> Iterator[Document]:
    questions = iter(world.solved(40, rng.getrandbits(32)))
    kinds: list[Callable[[], Document]] = [
        lambda: conversation_of([next(questions)]),
        lambda: conversation_of([any_family(rng) for _ in range(rng.choice((1, 1, 2)))]),
        lambda: segments(any_manner(rng)),
        lambda: raw_text(rng),
    ]
    while True:
        yield rng.choices(kinds, (0.2, 0.52, 0.24, 0.04))[0]()


def _row_kind(
    rng: Random, mixture: Mixture, progress: float
) -> Callable[[Random, World], Iterator[Document]]:
    """Draw what a row holds; recall rows rule the first part of the training."""
    ramp = max(0.0, 1.0 - progress / mixture.first_recall_until)
    recall_share = mixture.recall + (mixture.first_recall - mixture.recall) * ramp
    if rng.random() < recall_share:
        return _recall_row
    kinds = (_demonstration_row, _mixed_row)
    return rng.choices(kinds, (mixture.demonstrations, mixture.mixed))[0]


class Encoder:
    """Documents to token ids and loss weights."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer

    def row(self, documents: Iterator[Document], tokens: int) -> tuple[list[int], list[bool]]:
        """`tokens` ids and whether each is a target the model learns to write."""
        ids: list[int] = []
        trained: list[bool] = []
        while len(ids) < tokens:
            more_ids, more_trained = self.document(next(documents))
            ids += more_ids
            trained += more_trained
        return ids[:tokens], trained[:tokens]

    def document(self, pieces: Document) -> tuple[list[int], list[bool]]:
        """All of one document's ids, likewise."""
        encodings = self._tokenizer.encode_batch_fast([piece.text for piece in pieces])
        ids, trained = list[int](), list[bool]()
        for piece, encoding in zip(pieces, encodings, strict=True):
            ids += encoding.ids
            trained += [piece.trained] * len(encoding.ids)
        return ids, trained


@dataclass(frozen=True)
class Rows:
    """One batch: `ids` and `targets`, both (B, T); targets that carry no loss are -100."""

    ids: Tensor
    targets: Tensor


def next_token_targets(ids: Tensor, trained: Tensor) -> Tensor:
    """Shift left by one; the last position has nothing to predict."""
    targets = torch.full_like(ids, -100)
    targets[:, :-1] = torch.where(trained[:, 1:], ids[:, 1:], -100)
    return targets


class Corpus:
    """Batches without end, all from one seed."""

    def __init__(self, tokenizer: Tokenizer, recipe: Recipe, seed: str) -> None:
        self._encoder = Encoder(tokenizer)
        self._recipe = recipe
        self._rng = Random(f"corpus {seed}")
        self._worlds = training_worlds(self._rng)

    def next(self, progress: float) -> Rows:
        """One batch; `progress` (0 to 1) tells how far the training is."""
        shapes = self._recipe.batches
        shape = self._rng.choices(shapes, [each.share for each in shapes])[0]
        rows = [self._row(shape.row_tokens, progress) for _ in range(shape.rows)]
        ids = torch.tensor([row[0] for row in rows])
        return Rows(ids, next_token_targets(ids, torch.tensor([row[1] for row in rows])))

    def _row(self, tokens: int, progress: float) -> tuple[list[int], list[bool]]:
        kind = _row_kind(self._rng, self._recipe.mixture, progress)
        return self._encoder.row(kind(self._rng, next(self._worlds)), tokens)


def padded_rows(documents: Sequence[tuple[list[int], list[bool]]]) -> Rows:
    """One encoded document to a row, filled up on the right."""
    ids = pad_sequence([torch.tensor(ids) for ids, _ in documents], batch_first=True)
    trained = pad_sequence([torch.tensor(kept) for _, kept in documents], batch_first=True)
    return Rows(ids, next_token_targets(ids, trained))


def tokenizer_texts(recipe: Recipe) -> Iterator[str]:
    """Documents of every kind for the tokenizer to learn from, and each single word."""
    rng = Random(f"tokenizer {recipe.seed}")
    for world in (world for world, _ in zip(training_worlds(rng), range(2000), strict=False)):
        yield from (piece.text for piece in conversation_of(world.solved(4, rng.getrandbits(32))))
    for _ in range(recipe.tokenizer_documents):
        documents = (conversation_of([any_family(rng)]), segments(any_manner(rng)), raw_text(rng))
        yield from (piece.text for document in documents for piece in document)
    words = [*JARGON, *NAMES, *CITIES, *COLORS, *(word for pair in ITEMS for word in pair)]
    yield from (f" {word}" for word in words for _ in range(1000))
