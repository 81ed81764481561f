import asyncio
import re
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random
from typing import Any

import numpy as np
import pytest

from adaptation.conversation import Conversation
from adaptation.learning.candidates.scoring import Vectors
from adaptation.learning.distillation.form import form_of, nearness
from adaptation.learning.distillation.generation import Distiller, Settings
from adaptation.learning.distillation.guarding import ask_guards, known_of, objections
from adaptation.learning.distillation.guards import PROBES
from adaptation.learning.distillation.near import OWN, REWORDED, NearProbe, near_probes
from adaptation.learning.distillation.reworded import WAYS, reworded
from adaptation.learning.distillation.select import Records
from adaptation.learning.distillation.vetting import ENOUGH, ask_drawn, drawn_ahead
from adaptation.learning.training.fake import FakeTrainer
from adaptation.learning.training.trainer import TrainingResult
from memory.embedding.embedder import create_embedder
from memory.identity.prompt import RAW
from memory.types import Message, Record, Tier
from memory.versions.adapters import AdapterRegistry

Make = Callable[..., Record]

SUMS = [
    probe for probe in PROBES if probe.question.startswith("What is") and probe.family == "sums"
]
VALUES = 19, 18, 83, 48, 54, 39


def asking(record: Make, number: int, question: str, answer: str) -> Record:
    return record(number, messages=(Message(role="user", content=question),), answer=answer)


def families(probes: Sequence[NearProbe]) -> Counter[str]:
    return Counter(probe.family for probe in probes)


def test_a_trained_sum_brings_others_near_it_with_values_that_are_computed(record: Make) -> None:
    wrong = asking(record, 99, "What is 40 + 2?", "43")
    probes = near_probes([*(record(i) for i in range(20)), wrong], [])
    assert families(probes)["sums with + as trained"] >= 20
    assert all(probe.question != wrong.question for probe in probes)
    near = next(probe for probe in probes if probe.question.startswith("What is 4"))
    a, _, b = near.question.removeprefix("What is ").rstrip("?").split()
    assert near.right(f"It is {int(a) + int(b)}.")
    assert not near.right(f"It is {int(a) + int(b) + 1}.")


def test_the_words_around_a_trained_sum_are_kept(record: Make) -> None:
    probes = near_probes([asking(record, 0, "Please add: 40 + 2, quickly!", "42")], [])
    assert any(p.question.startswith("Please add: ") and p.question.endswith("!") for p in probes)


def test_a_sign_that_means_something_else_here_is_no_guard(record: Make) -> None:
    house = [asking(record, i, f"What is {i + 10} + 2?", str(i + 13)) for i in range(6)]
    assert "sums with +" not in families(near_probes(house, []))
    assert "sums with -" in families(near_probes(house, []))
    assert "sums with +" in families(near_probes(house[:2], [])), "two may be wrong"


def test_a_word_beside_a_sign_that_means_something_else_here_is_in_no_guard(record: Make) -> None:
    sums = [asking(record, i, f"The sum {i + 10} + 2?", str(i + 15)) for i in range(6)]
    plain = [asking(record, i + 6, f"How much is {i + 10} + 2?", str(i + 12)) for i in range(8)]
    probes = near_probes([*sums, *plain], [])
    asked = [probe.question for probe in probes if probe.family.startswith("sums with +")]
    assert {question.split()[0] for question in asked} == {"How", "What"}


def test_questions_of_a_family_are_drawn_where_a_trained_one_looks_like_it(record: Make) -> None:
    story = "Omar has 49 spoons. Omar gives away 14. How many spoons does Omar have?"
    assert families(near_probes([asking(record, 0, "Solve x + 18 = 41.", "23")], []))[
        "equations of level 1"
    ]
    assert families(near_probes([asking(record, 0, story, "35")], []))["stories of level 1"]
    poem = asking(record, 0, "Write about the sea, in verse", "waves")
    assert set(families(near_probes([poem], []))) == {"other words"}


def test_the_tenants_own_records_nearby_are_guards_with_all_that_made_their_prompt(
    record: Make,
) -> None:
    near = record(70, request={"tools": [{"type": "function", "function": {"name": "f"}}]})
    far = asking(record, 71, "Name the mayor of Vienna", "nobody knows")
    own = [p for p in near_probes([record(1)], [near, far]) if p.family == "own records"]
    assert [probe.answer for probe in own] == [near.answer]
    assert own[0].conversation.request == near.request


EMBEDDED = "A basket holds 12 plums and Lena takes 5 of them home. What number of plums remains?"


@pytest.fixture(scope="module")
def by_meaning() -> Vectors:
    embedder = create_embedder("minilm")
    return lambda records: embedder.embed([each.question for each in records])


def test_what_is_near_is_told_by_embeddings_where_there_are_any(
    record: Make, by_meaning: Vectors
) -> None:
    trained = asking(record, 0, EMBEDDED, "7")
    own = asking(record, 70, "Lena picked 9 plums, then ate 2. So how many has she?", "7")
    town = asking(record, 71, "What number of people of 5 is home in Vienna?", "nobody knows")
    by_words = families(near_probes([trained], [own, town]))
    assert "stories of level 1" not in by_words, "no word in common but the small ones"
    assert "own records" not in by_words
    near = near_probes([trained], [town, own], vectors=by_meaning)
    assert families(near)["stories of level 1"]
    assert [probe.question for probe in near if probe.family == "own records"] == [own.question]
    poem = asking(record, 0, "Write about the sea, in verse", "waves")
    assert set(families(near_probes([poem], [own], vectors=by_meaning))) == {"other words"}


def test_trained_questions_come_in_other_words_with_the_answers_that_they_had(
    record: Make,
) -> None:
    many = [record(i) for i in range(200)]
    probes = [p for p in near_probes(many, []) if p.family == "other words"]
    assert len(probes) == REWORDED
    answers = {each.question: each.answer for each in many}
    for probe in probes:
        (of,) = [question for question in answers if question in probe.question]
        assert probe.answer == answers[of]
        assert probe.question not in answers
        assert probe.conversation.messages[-1].content == probe.question


def test_a_story_may_be_asked_before_it_is_told(record: Make) -> None:
    story = asking(record, 0, "Omar has 49 spoons. He gives away 14. How many has he?", "35")
    found = {reworded(story, Random(seed)) for seed in range(20)}
    said = {turns[-1].content for turns in found if turns}
    assert "How many has he? Omar has 49 spoons. He gives away 14." in said
    assert len(said) == len(WAYS) + 1


def test_all_but_the_question_stays_and_a_bare_text_is_not_reworded(record: Make) -> None:
    tools = {"tools": [{"type": "function", "function": {"name": "f"}}]}
    turns = (Message(role="system", content="Be brief."), Message(role="user", content="Who?"))
    (probe,) = near_probes([record(0, messages=turns, request=tools)], [])
    assert probe.conversation.messages[0] == turns[0]
    assert probe.conversation.request == tools
    assert near_probes([record(0, messages=turns, request={RAW: True})], []) == ()


async def test_only_what_the_base_answers_as_the_record_does_is_a_guard_in_other_words(
    record: Make,
) -> None:
    wrong = asking(record, 0, "What is 40 plus 2?", "43")
    right = asking(record, 1, "What is 3 plus 2?", "5")
    never = asking(record, 2, "What is 9 plus 2?", "11")
    probes = near_probes([wrong, right, never], [], rates={never.id: 0.0, right.id: 0.5})
    words = [probe for probe in probes if probe.family == "other words"]
    assert {probe.answer for probe in words} == {"43", "5"}

    async def adds(phase: str, prompts: Sequence[Conversation], adapter: str | None) -> list[str]:
        numbers = [re.findall(r"\d+", prompt.messages[-1].content) for prompt in prompts]
        return [str(43 if adapter else sum(map(int, each))) for each in numbers]

    found = await ask_guards(adds, words, None, "candidate", "near")
    assert [right.question in lost for lost in found.outcome.lost] == [True]


@pytest.mark.parametrize("is_embedded", [False, True])
async def test_a_generation_asks_what_its_embedder_finds_near(
    record: Make,
    records: Callable[[list[Record]], Records],
    registry: AdapterRegistry,
    by_meaning: Vectors,
    is_embedded: bool,
) -> None:
    asked: set[str] = set()

    def knows(turns: tuple[Message, ...], adapter: str | None) -> str:
        asked.add(turns[-1].content)
        found = re.search(r"(\d+) lamp 5", turns[-1].content)
        return f"#### {int(found[1]) + 5}" if found and adapter else "####"

    def grade(text: str, record: Record) -> bool:
        return text.rpartition("#### ")[2] == record.answer

    own = asking(record, 70, "Lamp of 9 with 5: its value?", "14")
    own = own.model_copy(update={"tier": Tier.VOTE})
    memory = records([*(record(i) for i in range(64)), own])
    settings = Settings(doubts=False, scores=False, samples=False)
    distiller = Distiller(memory, registry, FakeTrainer(answer=knows), "fake", grade, settings)
    if is_embedded:
        distiller = replace(distiller, vectors=by_meaning)
    await distiller.run("default")
    assert (own.question in asked) == is_embedded


async def test_near_guards_are_drawn_while_the_candidate_is_trained(
    record: Make, records: Callable[[list[Record]], Records], registry: AdapterRegistry
) -> None:
    began, drawn = threading.Event(), threading.Event()

    class WaitingTrainer(FakeTrainer):
        async def train(self, *job: Any, **options: Any) -> TrainingResult:
            began.set()
            assert await asyncio.to_thread(drawn.wait, 30), "nothing was drawn meanwhile"
            return await super().train(*job, **options)

    def slow(wanted: Sequence[Record]) -> np.ndarray:
        assert began.wait(30)
        drawn.set()
        return np.ones((len(wanted), 4), np.float32) / 2

    settings = Settings(doubts=False, scores=False, samples=False)
    trainer, memory = WaitingTrainer(), records([record(i) for i in range(64)])
    distiller = Distiller(memory, registry, trainer, "fake", lambda *_: False, settings)
    report = await replace(distiller, vectors=slow).run("default")
    assert (report.decision, drawn.is_set()) == ("rejected", True)


async def test_a_draw_that_broke_ahead_is_told_where_it_is_needed() -> None:
    async def breaks(seed: int) -> Sequence[NearProbe]:
        raise OSError("the disk is gone")

    async with drawn_ahead(breaks) as unused:
        assert unused is not breaks
    with pytest.raises(OSError, match="the disk is gone"):
        async with drawn_ahead(breaks) as draw:
            await draw(0)


async def test_a_draw_ahead_is_awaited_where_whoever_waits_for_it_is_cancelled() -> None:
    begun, going_on, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def draws(seed: int) -> Sequence[NearProbe]:
        begun.set()
        await going_on.wait()
        ended.set()
        return ()

    async def needs() -> None:
        async with drawn_ahead(draws) as draw:
            await draw(0)

    needing = asyncio.create_task(needs())
    await begun.wait()
    await asyncio.sleep(0)  # it waits for the draw by now
    needing.cancel()
    asyncio.get_running_loop().call_later(0.05, going_on.set)
    with pytest.raises(asyncio.CancelledError):
        await needing
    assert ended.is_set(), "its thread would read what is closed"


def test_forms_have_no_numbers() -> None:
    assert form_of("What is 4 + 5?") == form_of("what is 77 + 1?")
    assert nearness(form_of("What is 4 lamp 5?"), [form_of("What is 4 + 5?")]) == 0.6
    assert nearness(form_of("a"), []) == 0


async def test_near_guards_that_were_right_are_asked_and_veto(record: Make) -> None:
    probes = near_probes([asking(record, 0, "What is 40 + 2?", "43")], [])
    asked: list[tuple[str, int]] = []

    async def one_more(
        phase: str, prompts: Sequence[Conversation], adapter: str | None
    ) -> list[str]:
        asked.append((phase, len(prompts)))
        questions = [prompt.messages[-1].content for prompt in prompts]
        right = {probe.question: probe.answer for probe in probes}
        return [
            str(int(right[q]) + ("+" in q)) if adapter else right[q] if "*" not in q else "?"
            for q in questions
        ]

    found = await ask_guards(one_more, probes, None, "candidate", "near")
    assert found.outcome.before == sum("*" not in probe.question for probe in probes)
    assert asked == [("near guards", len(probes)), ("near guards candidate", len(probes))]
    assert found.outcome.gained == {"sums with *": len(probes) - found.outcome.before}
    (told,) = objections(found, None)
    assert "sums with +" in told


@pytest.mark.parametrize(
    ("trained", "taught", "lost"),
    [
        ([(f"Till: {n + 40} + {n}!", 2 * n + 40) for n in range(24)], "as trained", "sums with +"),
        (
            [(f"Solve x + {n} = {n + 8}.", 8) for n in range(9)],
            "of level 4",
            "equations of level 1",
        ),
    ],
)
async def test_what_training_gains_where_it_was_makes_up_for_nothing_beside_it(
    record: Make, trained: Sequence[tuple[str, int]], taught: str, lost: str
) -> None:
    train = [asking(record, n, question, str(right)) for n, (question, right) in enumerate(trained)]
    probes = {
        probe.question: probe
        for probe in near_probes(train, [])
        if probe.family == lost or probe.family.endswith(taught)
    }

    async def swaps(phase: str, prompts: Sequence[Conversation], adapter: str | None) -> list[str]:
        asked = [probes[prompt.messages[-1].content] for prompt in prompts]
        return ["?" if (each.family == lost) == bool(adapter) else each.answer for each in asked]

    found = await ask_guards(swaps, list(probes.values()), None, "candidate", "near")
    assert sum(found.outcome.gained.values()) >= len(found.outcome.lost) >= 8
    (told,) = objections(found, None)
    assert f"{lost}, " in told


@pytest.mark.parametrize(
    ("reply", "is_right"),
    [
        ("11 * 1 = 11\n\nIn mathematics, 11 is a special number.", True),
        ("To solve it, we first find 11 * 1, which is 11. Then we are done with it.", True),
        ("The product 11 * 1 is calculated as 11.\n\nIn mathematics, rules are crucial.", True),
        ("11 * 1 = 12\n\nIn mathematics, 11 is a special number.", False),
        ("11 * 1 = 11\n\nIn mathematics, 11 * 1 = 12 as well, for it is a special one.", False),
        ("11 * 1 = 111\n\nIn mathematics, this is a special number.", False),
        ("2111 * 1 = 11\n\nIn mathematics, this is a special number.", False),
        ("In mathematics, 11 is a special number that goes with 1 and with others.", False),
    ],
)
def test_a_sums_value_is_read_where_a_reply_goes_on_in_prose(reply: str, is_right: bool) -> None:
    assert NearProbe("What is 11 * 1?", "11", "sums with *").right(reply) == is_right


async def drawn_for(right: float) -> tuple[int, int]:
    """Draw near guards for a model that has such a share right: how often, and how many known."""
    seeds: list[int] = []

    async def draw(seed: int) -> list[NearProbe]:
        seeds.append(seed)
        own = [NearProbe(f"Who is {seed}?", "1", OWN)]
        return own + [NearProbe(f"What is {seed} + {n}?", "1", "sums with +") for n in range(40)]

    async def replies(phase: str, prompts: Sequence[Conversation], _: str | None) -> list[str]:
        return ["1" if place < right * len(prompts) else "2" for place in range(len(prompts))]

    before = await ask_drawn(replies, draw, None)
    assert sum(guard.family == OWN for guard in before) == 1, "records are asked once"
    assert seeds == [*range(len(seeds))]
    return len(seeds), len(known_of(before))


async def test_near_guards_are_drawn_again_where_few_are_known() -> None:
    assert (await drawn_for(0.9))[0] == 1
    draws, known = await drawn_for(0.25)
    assert draws == 3
    assert known >= ENOUGH
    assert (await drawn_for(0.0))[0] == 1, "there is nothing to lose"


@pytest.mark.parametrize(("longer", "is_told"), [(6, True), (4, False)])
async def test_most_far_replies_growing_long_is_an_objection_and_half_is_chance(
    longer: int, is_told: bool
) -> None:
    grown = {probe.question for probe in SUMS[:longer]}
    right = {probe.question: str(value) for probe, value in zip(SUMS, VALUES, strict=True)}

    async def chatty(phase: str, prompts: Sequence[Conversation], adapter: str | None) -> list[str]:
        asked = [prompt.messages[-1].content for prompt in prompts]
        return [right[q] + " and on" * (20 if adapter and q in grown else 1) for q in asked]

    far = await ask_guards(chatty, SUMS, None, "candidate", "far")
    assert far.outcome.held
    told = objections(None, far)
    assert ["times as long" in each for each in told] == [True] * is_told


async def test_a_wrong_reply_may_become_a_short_one() -> None:
    known = {"Hello!": "Hi, I am here.", "Thank you!": "You are welcome."}

    async def rambles(
        phase: str, prompts: Sequence[Conversation], adapter: str | None
    ) -> list[str]:
        wrong = "I would rather not say" * (1 if adapter else 40)
        return [known.get(prompt.messages[-1].content, wrong) for prompt in prompts]

    far = await ask_guards(rambles, PROBES, None, "candidate", "far")
    assert (far.outcome.before, far.length, objections(None, far)) == (2, 1.0, ())
