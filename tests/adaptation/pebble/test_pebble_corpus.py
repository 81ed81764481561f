"""Training rows: shapes, masks, and that they repeat from their seed."""

from itertools import pairwise
from random import Random

import pytest
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from adaptation.evaluation.suites.jargon import Jargon
from adaptation.pebble import model_path
from adaptation.pebble.corpus import Corpus, recall
from adaptation.pebble.encoding import Encoder, conversation_of, padded_rows
from adaptation.pebble.recipe import Batch, Recipe


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return AutoTokenizer.from_pretrained(model_path())


def test_rows_fill_their_batch_and_repeat_from_the_seed(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    recipe = Recipe(batches=(Batch(row_tokens=128, rows=3, share=1.0),))
    first, again = (Corpus(tokenizer.backend_tokenizer, recipe, "a").next(0.5) for _ in range(2))
    assert first.ids.shape == first.targets.shape == (3, 128)
    assert first.ids.equal(again.ids)
    other = Corpus(tokenizer.backend_tokenizer, recipe, "b").next(0.5)
    assert not first.ids.equal(other.ids)


def test_a_target_is_the_next_token_where_the_assistant_speaks(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    task = Jargon(0).draw(Random(0), level=2)
    document = Encoder(tokenizer.backend_tokenizer).document(conversation_of([task]))
    rows = padded_rows([document])
    targets = rows.targets[rows.targets >= 0]
    assert tokenizer.decode(targets) == f"{task.rationale}<|im_end|>"
    kept = (rows.targets[0, :-1] >= 0).nonzero().squeeze(1)
    assert rows.targets[0, kept].equal(rows.ids[0, kept + 1])


def test_recall_trains_only_what_was_read_before() -> None:
    document = recall(Random(1))
    seen = set[str]()
    for key, value in pairwise(document):
        if value.trained:
            assert f"{key.text}{value.text}" in seen
        seen.add(f"{key.text}{value.text}")
