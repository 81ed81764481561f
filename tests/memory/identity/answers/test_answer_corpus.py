"""The targets of `python -m tests.memory.identity.answers.corpus`, held in every run."""

from __future__ import annotations

from tests.memory.identity.answers.corpus import (
    false_merges,
    false_splits,
    replies,
    score,
)
from tests.memory.identity.answers.pairs import equal_pairs, unequal_pairs


def test_the_corpus_is_as_large_and_as_mixed_as_it_claims() -> None:
    assert len(replies()) >= 600
    assert len({reply.family for reply in replies()}) >= 6
    assert len(unequal_pairs(5000)) == 5000


def test_hardly_a_reply_is_read_as_another_value_and_nearly_all_values_are_found() -> None:
    result = score(replies())
    wrong = [verdict for verdict in result.verdicts if verdict.is_wrong]
    assert result.wrong <= 0.005, wrong
    assert result.found >= 0.97


def test_what_was_held_back_while_the_extractor_was_written_meets_the_targets_too() -> None:
    result = score([reply for reply in replies() if reply.is_held_out])
    assert result.wrong <= 0.005
    assert result.found >= 0.97


def test_no_two_values_share_a_key() -> None:
    assert false_merges(unequal_pairs(5000)) == []


def test_few_values_have_two_keys() -> None:
    assert len(false_splits(equal_pairs(2000))) <= 0.02 * 2000
