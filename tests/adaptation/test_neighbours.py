from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adaptation.learning.neighbours import (
    RESERVE,
    hold_out,
    select_training_set,
    sift,
    trainable,
    training_conversations,
)
from memory.types import Message, Neighbour, Record, State, Tier


def neighbour(
    name: str, embedding: np.ndarray, similarity: float = 0.9, **changes: object
) -> Neighbour:
    fields: dict[str, object] = {
        "id": name,
        "tenant": "default",
        "messages": (Message(role="user", content=f"What is {name}?"),),
        "answer": name,
        "rationale": f"It is {name}.",
        "tier": Tier.EXECUTABLE,
        "state": State.ACTIVE,
        "created_at": datetime(2026, 1, 1, tzinfo=UTC),
    }
    record = Record.model_validate(fields | changes)
    return Neighbour(record=record, similarity=similarity, embedding=embedding)


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def posterior_variance(query: np.ndarray, chosen: np.ndarray, noise: float) -> float:
    """The definition, in O(n³)."""
    kernel = chosen @ chosen.T + noise * np.eye(len(chosen))
    cross = chosen @ query
    return float(query @ query - cross @ np.linalg.solve(kernel, cross))


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.integers(1, 24), st.integers(1, 10), st.sampled_from([0.01, 0.3]))
def test_every_pick_minimises_the_posterior_variance(
    seed: int, n: int, count: int, noise: float
) -> None:
    rng = np.random.default_rng(seed)
    points, query = unit(rng.normal(size=(n, 6))), unit(rng.normal(size=6))
    picks = sift(points @ query, points, count, noise)
    wide, target = points.astype(np.float64), query.astype(np.float64)
    assert len(set(picks)) == len(picks) == min(n, count)
    for i, pick in enumerate(picks):
        options = [c for c in range(n) if c not in picks[:i]]
        variances = {c: posterior_variance(target, wide[[*picks[:i], c]], noise) for c in options}
        assert variances[pick] == pytest.approx(min(variances.values()), abs=1e-6)


def test_copies_of_one_neighbour_do_not_crowd_out_the_others() -> None:
    rng = np.random.default_rng(0)
    query = unit(rng.normal(size=64))
    copy = unit(query + 0.1 * rng.normal(size=64))
    others = unit(query + 0.2 * rng.normal(size=(20, 64)))
    points = np.concatenate([np.repeat(copy[None], 11, axis=0), others])
    picks = sift(points @ query, points, 8, 0.01)
    nearest = np.argsort(-points @ query)[:8]
    assert len({tuple(points[pick]) for pick in nearest}) == 1
    assert len({tuple(points[pick]) for pick in picks}) >= 7


def test_one_record_is_kept_for_each_question_the_stronger_tier_first() -> None:
    e = unit(np.ones(4))
    same = (Message(role="user", content="  What is a?\r\n"),)
    candidates = [
        neighbour("a", e, 0.9, tier=Tier.FEEDBACK),
        neighbour("b", e, 0.8, messages=same, tier=Tier.EXECUTABLE),
        neighbour("c", e, 0.7),
    ]
    assert [n.record.id for n in trainable(candidates, 0.0)] == ["b", "c"]


def test_bare_votes_and_strangers_are_not_trained_on() -> None:
    e = unit(np.ones(4))
    candidates = [neighbour("a", e, tier=Tier.VOTE), neighbour("b", e, 0.1), neighbour("c", e)]
    assert [n.record.id for n in trainable(candidates, 0.3)] == ["c"]


def test_of_nothing_nothing_is_chosen() -> None:
    empty = select_training_set([])
    assert (empty.train, empty.holdout) == ((), ())


def test_the_very_closest_is_learned_from_and_close_ones_are_held_out() -> None:
    e = unit(np.ones(4))
    chosen = [neighbour(str(i), e, 0.9 - i / 100) for i in range(8)]
    train, holdout = hold_out(chosen, 2)
    assert [n.record.id for n in holdout] == ["1", "3"]
    assert [n.record.id for n in train] == ["0", "2", "4", "5", "6", "7"]


def test_what_is_held_out_is_asked_in_no_other_letters_either() -> None:
    e = unit(np.ones(4))
    asked = ["What is 6 times 7?", "what is 6 times 7?", "What is 6  times 8?", "Is 9 a prime?"]
    chosen = [
        neighbour(str(i), e, 0.9 - i / 100, messages=(Message(role="user", content=text),))
        for i, text in enumerate(asked)
    ]
    train, holdout = hold_out(chosen, 1)
    assert [n.record.id for n in holdout] == ["1"]
    assert [n.record.id for n in train] == ["2", "3"]


@pytest.mark.parametrize(("n", "held"), [(0, 0), (1, 0), (2, 1), (3, 1), (5, 1), (6, 2), (18, 2)])
def test_small_sets_hold_out_less(n: int, held: int) -> None:
    e = unit(np.ones(4))
    train, holdout = hold_out([neighbour(str(i), e) for i in range(n)], 2)
    assert (len(train), len(holdout)) == (n - held, held)


def test_choosing_draws_disjoint_sets_of_the_asked_size() -> None:
    rng = np.random.default_rng(1)
    query = unit(rng.normal(size=8))
    points = unit(query + 0.3 * rng.normal(size=(40, 8)))
    candidates = [neighbour(str(i), p, float(p @ query)) for i, p in enumerate(points)]
    drawn = select_training_set(candidates, count=8, holdout=2, min_similarity=-1)
    ids = [n.record.id for n in (*drawn.train, *drawn.holdout)]
    assert len(drawn.train) == 6
    assert len(set(ids)) == 8
    further = [n.record.id for n in drawn.reserve]
    assert len(further) == RESERVE
    assert set(further).isdisjoint(ids)
    closest = sorted(set(range(40)) - set(map(int, ids)), key=lambda i: -float(points[i] @ query))
    assert further == [str(i) for i in closest[:RESERVE]]


def test_training_conversations_are_the_records_own() -> None:
    e = unit(np.ones(4))
    (made,) = training_conversations([neighbour("a", e, request={"tools": [{}]})])
    assert made.request == {"tools": [{}]}
    assert [turn.content for turn in made.messages] == ["What is a?", "It is a."]


@pytest.mark.parametrize(("one", "other"), [("2³ = ?", "23 = ?"), ("Code of A?", "Code of a?")])
def test_questions_that_differ_in_what_they_mean_are_both_learned_from(
    one: str, other: str
) -> None:
    e = unit(np.ones(4))
    asked = [(Message(role="user", content=question),) for question in (one, other)]
    candidates = [neighbour(str(i), e, messages=turns) for i, turns in enumerate(asked)]
    assert len(trainable(candidates, 0.0)) == 2


def test_an_answer_without_a_solution_is_learned_from_where_solutions_are_few() -> None:
    rng = np.random.default_rng(2)
    points = unit(np.ones(8) + 0.3 * rng.normal(size=(12, 8)))
    bare = [neighbour(f"b{i}", p, 0.9, rationale=f" b{i}\n") for i, p in enumerate(points[:6])]
    worked = [neighbour(f"w{i}", p, 0.5) for i, p in enumerate(points[6:])]
    for count, names in ((6, {"w"}), (8, {"w", "b"})):
        drawn = select_training_set([*bare, *worked], count=count, min_similarity=-1)
        assert {n.record.id[0] for n in (*drawn.train, *drawn.holdout)} == names
