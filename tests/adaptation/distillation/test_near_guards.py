from collections import Counter
from collections.abc import Callable, Sequence

from adaptation.conversation import Conversation
from adaptation.learning.distillation.form import form_of, nearness
from adaptation.learning.distillation.guarding import ask_guards, objections
from adaptation.learning.distillation.guards import PROBES
from adaptation.learning.distillation.near import NearProbe, near_probes
from memory.types import Message, Record

Make = Callable[..., Record]


def asking(record: Make, number: int, question: str, answer: str) -> Record:
    return record(number, messages=(Message(role="user", content=question),), answer=answer)


def families(probes: Sequence[NearProbe]) -> Counter[str]:
    return Counter(probe.family for probe in probes)


def test_a_trained_sum_brings_others_near_it_with_values_that_are_computed(record: Make) -> None:
    wrong = asking(record, 99, "What is 40 + 2?", "43")
    probes = near_probes([*(record(i) for i in range(20)), wrong], [])
    assert families(probes)["sums with +"] >= 20
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


def test_questions_of_a_family_are_drawn_where_a_trained_one_looks_like_it(record: Make) -> None:
    story = "Omar has 49 spoons. Omar gives away 14. How many spoons does Omar have?"
    assert families(near_probes([asking(record, 0, "Solve x + 18 = 41.", "23")], []))["equations"]
    assert families(near_probes([asking(record, 0, story, "35")], []))["stories"]
    poem = asking(record, 0, "Write about the sea, in verse", "waves")
    assert near_probes([poem], []) == ()


def test_the_tenants_own_records_nearby_are_guards_with_all_that_made_their_prompt(
    record: Make,
) -> None:
    near = record(70, request={"tools": [{"type": "function", "function": {"name": "f"}}]})
    far = asking(record, 71, "Name the mayor of Vienna", "nobody knows")
    own = [p for p in near_probes([record(1)], [near, far]) if p.family == "own records"]
    assert [probe.answer for probe in own] == [near.answer]
    assert own[0].conversation.request == near.request


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
    assert asked == [("near guards", len(probes)), ("near guards candidate", found.outcome.before)]
    (told,) = objections(found, None)
    assert "sums with +" in told


async def test_far_replies_that_grow_long_are_an_objection() -> None:
    async def chatty(phase: str, prompts: Sequence[Conversation], adapter: str | None) -> list[str]:
        return ["Hello, I am 19" + " and on" * (20 if adapter else 0) for _ in prompts]

    far = await ask_guards(chatty, PROBES[:3], None, "candidate", "far")
    assert far.outcome.held
    (told,) = objections(None, far)
    assert "times as long" in told
