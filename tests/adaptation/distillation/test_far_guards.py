"""Far guards: forms, and what samples show."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import count

import pytest

from adaptation.conversation import Conversation
from adaptation.learning.distillation.far import (
    JSON,
    REFUSALS,
    TOOLS,
    RefusalProbe,
    SchemaProbe,
    ToolProbe,
    far_probes,
)
from adaptation.learning.distillation.generation import Distiller
from adaptation.learning.distillation.guarding import Guard, ask_guards, objections
from adaptation.learning.distillation.report import Sampled
from adaptation.learning.distillation.sampling import FAR, K, Sampling, sampled_objections
from adaptation.learning.distillation.select import Records
from adaptation.learning.distillation.telling import guards_told
from adaptation.learning.training.fake import FakeTrainer
from adaptation.learning.training.trainer import Draw, Foreseen, OnStep
from memory.types import Message, Record
from memory.versions.adapters import AdapterRegistry

Make = Callable[..., Record]


def of_family(family: str) -> list[Guard]:
    return [probe for probe in far_probes() if probe.family == family]


def answer_to(probe: Guard) -> str:
    """A reply that is right, of the families that have a form."""
    if isinstance(probe, ToolProbe):
        return json.dumps({"name": probe.name, "arguments": {}})
    assert isinstance(probe, SchemaProbe)
    kinds = {"string": "Oslo", "integer": 3}
    properties = probe.schema["properties"]
    return json.dumps({key: kinds[each["type"]] for key, each in properties.items()})


def test_far_guards_are_the_same_every_time_and_no_question_is_asked_twice() -> None:
    families = {probe.family for probe in far_probes()}
    assert {"manners", "sums", "stories", JSON, TOOLS, REFUSALS} <= families
    questions = [probe.question for probe in far_probes()]
    assert len(set(questions)) == len(questions)


@pytest.mark.parametrize("probe", of_family(JSON))
def test_json_must_keep_the_schema(probe: SchemaProbe) -> None:
    value = json.loads(answer_to(probe))
    assert probe.right(f"```json\n{json.dumps(value)}\n```")
    assert not probe.right(json.dumps({**value, "more": 1}))
    assert not probe.right(json.dumps({**value, "name": 5}))
    assert not probe.right("name: Oslo")
    assert not probe.right("[" * 5_000)


@pytest.mark.parametrize("probe", of_family(TOOLS))
def test_a_call_must_be_read_and_name_the_right_tool(probe: ToolProbe) -> None:
    call = answer_to(probe)
    assert probe.conversation.request["tools"]
    assert probe.right(call)
    assert probe.right(f"<tool_call>\n{call}\n</tool_call>")
    assert not probe.right(call.replace(probe.name, "another"))
    assert not probe.right(f"<tool_call>\n{call}\n</tool_call>\n" * 2)
    assert not probe.right(f"I would call {probe.name}.")


@pytest.mark.parametrize("probe", of_family(REFUSALS))
def test_what_cannot_be_known_is_to_be_refused(probe: RefusalProbe) -> None:
    assert probe.right("Sorry, I do not know that.")
    assert probe.right("That can’t be said: the question does not say how many there were.")
    assert not probe.right("It is 12.")
    assert not probe.right("Sorry, I do not know.\n#### 12")


async def test_a_candidate_that_always_has_an_answer_is_refused() -> None:
    async def bold(phase: str, prompts: Sequence[Conversation], adapter: str | None) -> list[str]:
        return ["It is 12." if adapter else "Sorry, I do not know." for _ in prompts]

    found = await ask_guards(bold, of_family(REFUSALS), None, "candidate", "far")
    assert found.outcome.families[REFUSALS] == (8, 8)
    assert objections(None, found)


async def test_a_family_that_is_lost_refuses_the_candidate_and_is_told() -> None:
    probes = [*of_family(JSON), *of_family(TOOLS)]
    right = {probe.question: answer_to(probe) for probe in probes}

    async def forgets(
        phase: str, prompts: Sequence[Conversation], adapter: str | None
    ) -> list[str]:
        calls = (bool(prompt.request) for prompt in prompts)
        replies = [right[prompt.messages[-1].content] for prompt in prompts]
        return [
            "no" if adapter and is_call and place % 2 else reply
            for place, (reply, is_call) in enumerate(zip(replies, calls, strict=True))
        ]

    found = await ask_guards(forgets, probes, None, "candidate", "far")
    assert "4 of 8 tools" in found.outcome.spoilt[0]
    assert objections(None, found)


async def test_a_model_that_calls_no_tools_is_told_to_have_no_such_guards() -> None:
    async def silent(phase: str, prompts: Sequence[Conversation], adapter: str | None) -> list[str]:
        return ["Hello, I am 19" for _ in prompts]

    found = await ask_guards(silent, far_probes(), None, "candidate", "far")
    told = guards_told(found)
    assert told is not None
    assert {JSON, TOOLS} <= set(told.unknown)
    assert told.length == 1.0
    assert objections(None, found) == ()


def sampling(
    says: Callable[[int, str | None], str],
    losses: tuple[float, float] = (1.0, 1.5),
    asked: list[Conversation] | None = None,
) -> Sampling:
    """A model that gives its n-th reply to each by number; losses of the candidate and the base."""

    async def sample(
        phase: str, prompts: Sequence[Conversation], adapter: str | None, first: int
    ) -> list[str]:
        numbers: dict[str, Iterator[int]] = defaultdict(lambda: count(first))
        if asked is not None:
            asked.extend(prompts)
        return [says(next(numbers[each.model_dump_json()]), adapter) for each in prompts]

    async def measure(said: Sequence[Conversation], adapter: str | None) -> list[Foreseen]:
        loss = losses[0] if adapter else losses[1]
        return [Foreseen(tokens=2, loss=loss, right=1) for _ in said]

    return Sampling(sample, measure, lambda text, record: text == record.answer)


async def compared(
    sampling: Sampling, probes: Sequence[Guard], held_out: Sequence[Record]
) -> Sampled:
    """Sample the base and a candidate."""
    before = await sampling.before(probes, held_out, None)
    after = await sampling.after(probes, held_out, "candidate")
    return await sampling.compared(before, after, "candidate")


async def test_what_sixteen_samples_no_longer_find_refuses_the_candidate(record: Make) -> None:
    held_out = [record(i, answer="7") for i in range(8)]

    def narrow(number: int, adapter: str | None) -> str:
        return "7" if adapter is None and number == 5 else f"Hello {number}"

    found = await compared(sampling(narrow), of_family("manners"), held_out)
    assert found.lost == 8
    assert found.passed[0] - found.passed[1] == 8
    (told,) = sampled_objections(found)
    assert "no longer find an answer to 8" in told


async def test_held_out_questions_that_are_gained_make_up_for_no_far_guard(record: Make) -> None:
    held_out = [record(i, answer="7") for i in range(8)]

    def learns(number: int, adapter: str | None) -> str:
        return "7" if adapter else "Hello! You are welcome. I am Whet. Goodbye!"

    found = await compared(sampling(learns), of_family("manners"), held_out)
    assert found.families == {"far guards": (6, 6), "held-out questions": (0, 0)}
    assert found.gained == {"far guards": 0, "held-out questions": 8}
    (told,) = sampled_objections(found)
    assert told == "16 samples no longer find an answer to 6 of 6 far guards"


async def test_a_held_out_question_is_asked_until_a_reply_is_right(record: Make) -> None:
    held_out, asked = [record(i, answer="7") for i in range(8)], list[Conversation]()

    def knows(number: int, adapter: str | None) -> str:
        return "7" if adapter or number == 5 else f"Hello {number}"

    found = await compared(sampling(knows, asked=asked), of_family("manners"), held_out)
    assert found.passed[1] == len(held_out)
    of_far = 2 * K * min(FAR, len(of_family("manners")))
    assert len(asked) == of_far + 8 * 8 + 8 * 4, "of the base two waves, of the candidate one"


async def test_replies_that_are_all_alike_refuse_the_candidate(record: Make) -> None:
    def says(number: int, adapter: str | None) -> str:
        return "Hello" if adapter else f"Hello, for the {number}th time"

    found = await compared(sampling(says), of_family("manners"), [record(1)])
    assert found.different == (K, 1)
    assert any("different ones" in told for told in sampled_objections(found))
    same = await compared(
        sampling(lambda number, _: f"Hello {number}"), of_family("manners"), [record(1)]
    )
    assert sampled_objections(same) == ()


class Varied(FakeTrainer):
    """A base whose samples differ, and adapters that always say the same."""

    async def generate(
        self,
        conversations: Sequence[Conversation],
        adapter_path: str | None,
        max_new_tokens: int,
        timeout_s: float,
        on_step: OnStep | None = None,
        draw: Draw | None = None,
    ) -> list[str]:
        limits = max_new_tokens, timeout_s
        said = await super().generate(conversations, adapter_path, *limits, on_step, draw)
        if not draw or adapter_path:
            return said
        return [text + "!" * (draw.first + i) for i, text in enumerate(said)]


async def test_a_generation_that_lost_all_variety_is_refused_with_its_figures(
    record: Make, records: Callable[[list[Record]], Records], registry: AdapterRegistry
) -> None:
    def knows(turns: tuple[Message, ...], adapter: str | None) -> str:
        number = turns[-1].content.split()[2:3]
        return str(int(number[0]) + 5) if adapter and "lamp" in turns[-1].content else "Hello!"

    memory = records([record(i) for i in range(64)])
    trainer = Varied(answer=knows)
    distiller = Distiller(memory, registry, trainer, "fake", lambda text, r: text == r.answer)
    report = await distiller.run("default")
    assert report.decision == "rejected"
    assert report.sampled is not None
    assert report.sampled.different == (K, 1)
    assert report.sampled.divergence == 0.5
    assert "different ones" in report.reasons[0]
    assert "drift" in {alarm.monitor for alarm in report.alarms}


async def test_the_divergence_is_what_a_token_of_the_candidates_lost_under_the_base(
    record: Make,
) -> None:
    found = await compared(
        sampling(lambda number, _: f"Hello {number}", (1.0, 1.6)), of_family("manners"), [record(1)]
    )
    assert found.divergence == pytest.approx(0.3)
    tools = await compared(
        sampling(lambda number, _: f"Hello {number}"), of_family(TOOLS), [record(1)]
    )
    assert tools.divergence is None
