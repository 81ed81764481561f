"""Bare corrections: solutions that the model writes, accepted where two of them agree."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from adaptation.conversation import Conversation
from adaptation.learning.candidates.kept import KeptHere
from adaptation.learning.candidates.solutions import Bare, Solved, Solver, is_direct
from adaptation.learning.distillation.generation import Distiller, Settings
from adaptation.learning.training.fake import FakeTrainer
from adaptation.learning.training.trainer import Draw
from memory.identity.answers import agree, canonical, extract
from memory.identity.answers.options import AnswerOptions
from memory.types import Message, Record, Tier
from memory.versions.adapters import AdapterRegistry

Make = Callable[..., Record]
WORKED = "17+25=42.\n#### 42"
WRONG = "17+25=41.\n#### 41"


def grade(text: str, record: Record) -> bool:
    found = extract(text, AnswerOptions())
    return found is not None and agree(found.key, canonical(record.answer))


class Script(FakeTrainer):
    """Says one thing by itself, one with the answer in sight, and others when it draws."""

    def __init__(self, likeliest: str, told: str = "", drawn: Sequence[str] = ()) -> None:
        super().__init__()
        self.likeliest, self.told, self.drawn = likeliest, told, drawn
        self.asked: list[Conversation] = []

    async def generate(self, conversations: Any, *rest: Any, **named: Any) -> list[str]:
        self.asked += conversations
        if isinstance(rest[-1], Draw):
            return [*self.drawn, *[""] * len(conversations)][: len(conversations)]
        return [
            self.told if "The answer is" in each.messages[-1].content else self.likeliest
            for each in conversations
        ]


def correction(record: Make, number: int = 1, **changes: object) -> Record:
    fields: dict[str, object] = {
        "messages": (Message(role="user", content=f"What is 17 + 25 for lamp {number}?"),),
        "answer": "42",
        "rationale": "42",
        "tier": Tier.FEEDBACK,
        "evidence": {"feedback": "corrected", "completion": "c"},
    }
    return record(number, **fields | changes)


async def solved(
    trainer: FakeTrainer, of: Sequence[Record], bare: Bare = "solve", kept: KeptHere | None = None
) -> Solved:
    solver = Solver(trainer, grade, kept or KeptHere(), "pebble", 64, 60.0, lambda *_: None)
    return await solver.solved("default", of, bare)


async def test_a_solution_that_was_cut_off_is_none(record: Make) -> None:
    cut = f"{WORKED}\n{'So it is. ' * 30}"
    found = await solved(Script(WRONG, cut, [cut, WORKED, cut, WRONG]), [correction(record)])
    assert (found.written, found.left_out) == (0, 1)


@pytest.mark.parametrize(
    ("told", "drawn"),
    [
        (WORKED, [WRONG, WRONG, WORKED]),  # with the answer in sight, and once without
        ("I do not know.", [WORKED, WRONG, WORKED]),  # twice without
    ],
)
async def test_a_solution_that_two_samples_agree_on_is_learned(
    record: Make, told: str, drawn: list[str]
) -> None:
    trainer = Script(WRONG, told, drawn)
    found = await solved(trainer, [record(7), correction(record)])
    assert (found.written, found.left_out) == (1, 0)
    assert [each.rationale for each in found.records] == [record(7).rationale, WORKED]
    assert found.records[1].answer == "42"
    assert trainer.asked[1].messages[-1].content.endswith("(The answer is 42.)")
    assert all("answer is" not in each.messages[-1].content for each in trainer.asked[2:])


@pytest.mark.parametrize(
    ("told", "drawn"),
    [
        (WORKED, [WRONG] * 4),  # nothing without the answer in sight comes to it
        (WRONG, [WORKED, WRONG, WRONG, WRONG]),
        ("42", ["42"] * 4),  # no solutions
    ],
)
async def test_where_they_do_not_agree_the_record_teaches_nothing(
    record: Make, told: str, drawn: list[str]
) -> None:
    found = await solved(Script(WRONG, told, drawn), [record(7), correction(record)])
    assert (found.written, found.left_out) == (0, 1)
    assert [each.id for each in found.records] == ["rec_7"]


async def test_where_the_model_answers_without_steps_the_answer_is_the_solution(
    record: Make,
) -> None:
    trainer = Script("The keeper of the lamp is Anna.")
    keeper = correction(record, answer="Theo", rationale="Theo")
    found = await solved(trainer, [keeper])
    assert (found.records, found.written, found.left_out) == ((keeper,), 0, 0)
    assert len(trainer.asked) == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"rationale": WORKED},
        {"evidence": {"source": "import"}},  # somebody's data, in the form they want
        {"answer": '{"name": "f", "arguments": {}}', "rationale": '{"name": "f", "arguments": {}}'},
    ],
)
async def test_what_is_no_bare_correction_is_learned_as_it_is(
    record: Make, changes: dict[str, object]
) -> None:
    trainer, given = Script(WRONG), correction(record, **changes)
    assert (await solved(trainer, [given])).records == (given,)
    assert trainer.asked == []


async def test_a_bare_answer_that_a_reviewer_gave_is_a_correction_as_well(record: Make) -> None:
    given = correction(record, evidence={"source": "import", "edited": {"answer": "41"}})
    assert (await solved(Script(WRONG, WORKED, [WORKED]), [given])).written == 1
    assert (await solved(Script(WRONG), [given])).left_out == 1


async def test_they_can_be_learned_as_they_are_or_left_out(record: Make) -> None:
    given = correction(record)
    assert (await solved(Script(WRONG), [given], "learn")).records == (given,)
    left = await solved(Script(WRONG, WORKED, [WORKED]), [given], "leave")
    assert (left.records, left.left_out) == ((), 1)


async def test_a_record_is_asked_once_and_again_when_it_was_edited(record: Make) -> None:
    kept, trainer, given = KeptHere(), Script(WRONG, WORKED, [WORKED]), correction(record)
    first = await solved(trainer, [given], kept=kept)
    asked = len(trainer.asked)
    assert await solved(trainer, [given], kept=kept) == first
    assert len(trainer.asked) == asked
    edited = given.model_copy(update={"answer": "43", "rationale": "43"})
    assert (await solved(trainer, [edited], kept=kept)).left_out == 1
    assert len(trainer.asked) > asked


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("42", True),
        ("#### 42", True),
        ("The capital is Oslo.", True),
        ("I would rather talk about something else", True),
        (WORKED, False),
        ("It lies in the south. So the answer is Oslo.", False),
    ],
)
def test_a_reply_without_steps_is_direct(text: str, expected: bool) -> None:
    assert is_direct(text) is expected


async def test_a_rebuilt_generation_learns_the_solutions_that_were_written(
    record: Make, records: Callable[..., Any], registry: AdapterRegistry
) -> None:
    memory = records([*(record(i) for i in range(60)), *(correction(record, i) for i in (90, 91))])
    kept = KeptHere()

    def distiller(trainer: FakeTrainer) -> Distiller:
        settings = Settings(doubts=False, rehearse=False, scores=False)
        return Distiller(memory, registry, trainer, "fake", grade, settings, kept=kept)

    first = Script(WRONG, WORKED, [WORKED] * 4)
    report = await distiller(first).run("default")
    assert (report.bare, report.written, report.unsolved) == ("solve", 2, 0)
    learned = [c.messages[-1].content for c in first.jobs[0].conversations]
    assert learned.count(WORKED) == 2
    assert report.adapter is not None
    again = Script(WRONG)  # writes none by now
    await distiller(again).run("default", registry.show("default", report.adapter))
    assert again.jobs[0].conversations == first.jobs[0].conversations
