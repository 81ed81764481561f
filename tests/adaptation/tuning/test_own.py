"""Tasks made of a tenant's own records: none asks what it learns, and together they ask widely."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from adaptation.learning.tuning.own import FEWEST, of_records
from memory.types import Message, Neighbour, Record, State, Tier


def record(number: int, **changes: object) -> Record:
    fields = {
        "id": f"rec_{number}",
        "tenant": "ann",
        "messages": (Message(role="user", content=f"What is lamp {number}?"),),
        "answer": str(number),
        "rationale": f"It is in the table.\n#### {number}",
        "state": State.ACTIVE,
        "tier": Tier.FEEDBACK,
        "created_at": "2026-01-01T00:00:00+00:00",
    }
    return Record.model_validate({**fields, **changes})


def near_in(records: Sequence[Record]) -> object:
    """Whoever has a number that is near is near."""

    def near(centre: Record, k: int) -> list[Neighbour]:
        def distance(other: Record) -> int:
            return abs(int(other.answer) - int(centre.answer))

        return [
            Neighbour(record=each, similarity=1 - distance(each) / 1000, embedding=np.ones(1))
            for each in sorted(records, key=distance)[:k]
        ]

    return near


def made(records: Sequence[Record], tasks: int = 4, questions: int = 6) -> list:
    return of_records(
        records,
        near_in(records),
        lambda reply, asked: reply == asked.answer,
        tasks,
        questions,
    )


def said(conversations: Sequence) -> set[str]:
    return {each.messages[0].content for each in conversations}


def test_no_task_asks_what_it_learns_or_stops_by() -> None:
    for task in made([record(i) for i in range(200)]):
        asked = said([question.conversation for question in task.questions])
        assert len(asked) == 6
        assert len(task.held_out) == 6
        assert 40 <= len(task.learned) <= 48
        assert not asked & said(task.learned)
        assert not asked & said(task.held_out)
        assert not said(task.learned) & said(task.held_out)


def test_of_a_small_memory_every_task_asks_other_records() -> None:
    tasks = made([record(i) for i in range(FEWEST)])
    asked = [said([q.conversation for q in task.questions]) for task in tasks]
    assert len(tasks) > 1
    assert len(set.union(*asked)) == sum(map(len, asked)), "a question was asked twice"
    assert all(task.learned and task.held_out for task in tasks)


def test_a_question_is_right_by_its_own_record() -> None:
    (task, *_) = made([record(i) for i in range(60)])
    for question in task.questions:
        number = question.conversation.messages[0].content.split()[-1].rstrip("?")
        assert question.is_right(number)
        assert not question.is_right("no")


def test_bare_answers_are_asked_and_not_learned_from() -> None:
    bare = [record(i, rationale=str(i)) for i in range(30)]
    worked = [record(i) for i in range(30, 60)]
    tasks = made([*bare, *worked], tasks=8)
    learned = set.union(*(said(task.learned) | said(task.held_out) for task in tasks))
    assert learned <= {each.question for each in worked}
    assert learned
    assert made([record(i, rationale=str(i)) for i in range(60)]) == []


def test_too_few_make_no_task_and_votes_are_never_learned() -> None:
    assert made([record(i) for i in range(FEWEST - 1)]) == []
    assert made([record(i, tier=Tier.VOTE) for i in range(100)]) == []


def test_a_corrected_record_makes_another_task() -> None:
    before = [record(i) for i in range(40)]
    after = [record(0, rationale="Looked up again.\n#### 0"), *before[1:]]
    assert made(before)[0].name != made(after)[0].name
    assert made(before)[0].name == made(before)[0].name
