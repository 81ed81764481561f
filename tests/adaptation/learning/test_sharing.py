"""What the examples of a job begin with alike is computed once, and never more than that."""

from __future__ import annotations

import pytest
import torch

from adaptation.learning.service import base as base_module
from adaptation.learning.service.asking import Ask, answer, mean
from adaptation.learning.service.packing import Packed, Part, n_rows
from adaptation.learning.service.places import Places, Segment
from adaptation.learning.service.sharing import shared_prefix
from adaptation.learning.training.sequences import TrainingExample
from tests.adaptation.learning.models import base_of, beginning_alike, example, randomised

CPU = torch.device("cpu")


def masked(ids: tuple[int, ...], *targets: int) -> TrainingExample:
    return TrainingExample(ids, tuple(i in targets for i in range(len(ids))))


MANY = [masked(example(i, 10).token_ids, 8, 9) for i in range(8)]


def test_what_predicts_a_target_is_each_examples_own() -> None:
    examples = [masked((1, 2, 3, 4, last), 4) for last in (5, 6, 7)]
    assert shared_prefix(examples) == 3, "the fourth predicts the fifth, which differs"
    learned = [masked((1, 2, 3, 4, last), 2, 4) for last in (5, 6, 7)]
    assert shared_prefix(learned) == 1, "the third token is a target of all"


def test_what_saves_little_is_not_shared() -> None:
    assert shared_prefix(beginning_alike(20, MANY)) == 20
    assert shared_prefix(beginning_alike(1, MANY)) == 0
    assert shared_prefix(beginning_alike(20, MANY[:1])) == 0
    assert shared_prefix([]) == 0


def test_a_pass_has_a_row_for_what_is_shared_and_for_each_other_token() -> None:
    examples = beginning_alike(20, MANY)
    adapter = base_of("llama").adapter(1)
    packed = Packed([Part(adapter, examples), Part(adapter, MANY)], CPU)
    assert packed.n_rows == 20 + 8 * 10 + 8 * 10 == n_rows(examples) + n_rows(MANY)
    assert packed.places.queries.n_rows == packed.n_rows
    assert sum(len(block.rows) for block in packed.places.queries.blocks) == packed.n_rows
    assert sum(len(block.rows) for block in packed.places.keys.blocks) == 20 + 8 * 30 + 8 * 10
    keys = next(bucket.keys for bucket in packed.places.buckets if bucket.before.any())
    assert tuple(packed.token_ids[0][keys.rows[30:60]].tolist()) == examples[1].token_ids


def test_rows_that_fill_a_pass_up_belong_to_nobody_and_teach_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    examples = beginning_alike(20, MANY[:7])
    adapter = base_of("qwen3").adapter(1)
    packed = Packed([Part(adapter, MANY[:1]), Part(adapter, examples)], CPU, 16)
    assert [(share.start, share.end) for share in packed.shares] == [(0, 16), (16, 112)]
    assert len(packed.targets) == 8 * 2
    found = []
    for multiple in (1, 16):
        monkeypatch.setattr(base_module, "FILLED", multiple)
        base = base_of("qwen3", torch.bfloat16)
        adapter = randomised(base, 2, 0)
        (losses,) = base.learn([Part(adapter, examples, 0.1)])
        assert adapter.master.grad is not None
        found.append((torch.cat(losses), adapter.master.grad.clone()))
    for bare, filled in zip(*found, strict=True):
        torch.testing.assert_close(filled, bare, rtol=0.02, atol=1e-3)


def test_padding_depends_on_a_segment_alone() -> None:
    some = [Segment(range(20)), Segment(range(20, 30), range(20)), Segment(range(30, 34))]
    sizes = [(each.queries.size, each.keys.size) for each in Places(some, CPU).buckets]
    assert sizes == [(16, 16), (16, 48), (32, 32)]


def test_a_pass_holds_more_examples_that_begin_alike() -> None:
    """Those of a long system turn are not trained in many passes that each compute it again."""
    base, examples = base_of("llama"), beginning_alike(100, MANY)
    seen: list[int] = []
    learn = base.learn
    base.learn = lambda parts: seen.append(len(parts[0].examples)) or learn(parts)  # type: ignore[method-assign,func-returns-value]
    (losses,) = answer(base, [Ask(randomised(base, 2, 0), examples, learns=True)], 400)
    assert seen == [8], "eight times 110 tokens are more than twice the room"
    assert mean(losses) > 0
