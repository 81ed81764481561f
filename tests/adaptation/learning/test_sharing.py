"""What the examples of a job begin with alike is computed once, and never more than that."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from adaptation.learning.service.asking import Ask, answer, mean
from adaptation.learning.service.packing import Packed, Part, n_rows
from adaptation.learning.service.sharing import Copies, shared_prefix
from adaptation.training.sequences import TrainingExample
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
    assert packed.places.tokens == 8 * 30 + 8 * 10
    assert packed.copies is not None
    assert Packed([Part(adapter, MANY)], CPU).copies is None
    whole = packed.token_ids[0][packed.copies.rows].tolist()
    assert tuple(whole[30:60]) == examples[1].token_ids


@given(st.lists(st.sampled_from([0, 5, 25]), min_size=1, max_size=3), st.integers(0, 99))
def test_a_copys_gradient_goes_back_to_what_it_was_copied_from(
    shared: list[int], seed: int
) -> None:
    copies = Copies([beginning_alike(n, MANY[:3]) for n in shared], CPU)
    torch.manual_seed(seed)
    x = torch.randn(int(copies.rows.max()) + 1, 4, requires_grad=True)
    weights = torch.randn(len(copies.rows), 4)
    (x[copies.rows] * weights).sum().backward()
    assert x.grad is not None
    assert torch.allclose(copies.gathered(weights), x.grad, atol=1e-5)
    assert torch.equal(copies.chosen(copies.spread(x)), x)


def test_a_pass_holds_more_examples_that_begin_alike() -> None:
    """Those of a long system turn are not trained in many passes that each compute it again."""
    base, examples = base_of("llama"), beginning_alike(100, MANY)
    seen: list[int] = []
    learn = base.learn
    base.learn = lambda parts: seen.append(len(parts[0].examples)) or learn(parts)  # type: ignore[method-assign,func-returns-value]
    (losses,) = answer(base, [Ask(randomised(base, 2, 0), examples, learns=True)], 400)
    assert seen == [8], "eight times 110 tokens are more than twice the room"
    assert mean(losses) > 0
