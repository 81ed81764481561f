"""Each monitor: the failure is planted, and the alarm seen; without it, none."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from adaptation.learning.distillation.budget import History
from adaptation.learning.distillation.generation import Distiller, Settings
from adaptation.learning.distillation.guards import Probe
from adaptation.learning.distillation.registry import JudgementList
from adaptation.learning.distillation.select import Records
from adaptation.learning.monitors.alarm import MONITORS
from adaptation.learning.monitors.autophagy import autophagy, given_share, real_share
from adaptation.learning.monitors.collapse import collapse, template_share
from adaptation.learning.monitors.drift import MOST_NATS, drift
from adaptation.learning.monitors.returns import point_returns, returns, returns_of
from adaptation.learning.monitors.reward_hacking import reward_hacking
from adaptation.learning.monitors.saturation import is_saturated, saturation
from adaptation.learning.monitors.stagnation import stagnation
from adaptation.learning.monitors.traffic import traffic
from adaptation.learning.monitors.watch import Graded, Seen, watch
from adaptation.learning.training.fake import FakeTrainer
from memory.types import Message, Record, Source, Tier
from memory.versions.adapters import AdapterRegistry
from memory.versions.judgements import Judgement

VARIED = [f"{i}+{i}={2 * i}.\n#### {2 * i}" for i in range(20)]


def judgement(**changes: Any) -> Judgement:
    fields: dict[str, Any] = {"tenant": "ann", "base_model": "m", "adapter_id": "ad_1"}
    fields |= {"promoted": False, "alpha": 0.02, "e_value": 1.0, "helped": 1, "hurt": 1}
    fields |= {"before": 0.5, "after": 0.5, "train": 9, "seconds": 3600.0, "record_ids": ()}
    return Judgement.model_validate(fields | changes)


def test_the_same_reply_to_every_question_is_a_collapse() -> None:
    alarm = collapse(VARIED, ["#### 7"] * 15 + VARIED[:5])
    assert alarm is not None
    assert alarm.value > alarm.limit
    assert collapse(VARIED, VARIED[::-1]) is None


def test_one_beginning_for_all_replies_is_a_collapse() -> None:
    alike = [f"Well, as always: {text}" for text in VARIED]
    assert template_share(alike) == 1.0
    assert collapse(VARIED, alike) is not None
    assert collapse(alike, alike) is None, "it was so before"


def test_length_that_is_rewarded_where_it_was_not_is_hacking() -> None:
    grades = [i % 2 == 0 for i in range(20)]
    padded = [
        text + " indeed" * (9 if right else 0) for text, right in zip(VARIED, grades, strict=True)
    ]
    assert reward_hacking((VARIED, grades), (padded, grades)) is not None
    assert reward_hacking((VARIED, grades), (VARIED, grades)) is None


def test_replies_twice_as_long_that_are_not_better_are_hacking() -> None:
    grades = [True] * 20
    assert reward_hacking((VARIED, grades), ([text * 3 for text in VARIED], grades)) is not None
    better = ([text * 3 for text in VARIED], grades)
    assert reward_hacking((VARIED, [False, *grades[1:]]), better) is None


def test_probes_that_are_answered_in_other_words_are_a_drift() -> None:
    before = {f"question {i}": f"the answer is {i}" for i in range(10)}
    assert drift(before, dict.fromkeys(before, "#### 4")) is not None
    assert drift(before, before) is None


def test_a_candidate_far_from_the_base_is_a_drift_whatever_it_says() -> None:
    alarm = drift({}, {}, MOST_NATS + 0.1)
    assert alarm is not None
    assert alarm.limit == MOST_NATS
    assert drift({}, {}, MOST_NATS - 0.1) is None


def test_training_on_ones_own_writing_alone_is_autophagy(record: Callable[..., Record]) -> None:
    own = [record(i, tier=Tier.EXECUTABLE) for i in range(9)]
    mixed = [*own, *(record(i, tier=Tier.FEEDBACK) for i in range(9, 12))]
    assert given_share(mixed) == 0.25
    assert autophagy(own) is not None
    assert autophagy(mixed) is None


def test_training_on_practice_alone_is_autophagy(record: Callable[..., Record]) -> None:
    practice = [record(i, source=Source.ENVIRONMENT) for i in range(9)]
    alarm = autophagy(practice)
    assert alarm is not None
    assert "0% of the training records were asked" in alarm.message
    mixed = [*practice, *(record(i, source=Source.SERVED) for i in range(9, 12))]
    assert real_share(mixed) == 0.25
    assert autophagy(mixed) is None


def test_three_generations_that_change_nothing_are_stagnation() -> None:
    idle = [judgement()] * 3
    assert stagnation(idle) is not None
    assert stagnation(idle[:2]) is None
    assert stagnation([*idle[:2], judgement(after=0.6)]) is None
    assert stagnation([judgement(promoted=True), *idle[:2]]) is None


def test_questions_that_are_all_answered_rightly_are_saturated() -> None:
    assert saturation(98, 100) is not None
    assert saturation(95, 100) is None
    assert saturation(8, 8) is None, "too few to say"


def test_two_generations_in_vain_are_told() -> None:
    gained = judgement(promoted=True, after=0.7)
    assert round(point_returns(gained)) == 20
    brought = returns_of(gained, tokens=500_000)
    assert (round(brought.points), round(brought.per_hour)) == (20, 20)
    assert round(brought.per_million_tokens) == 40
    assert returns_of(judgement(after=0.7), tokens=500_000).points == 0, "it is not let through"
    assert returns([gained, judgement(), judgement(after=0.9)]) is not None
    assert returns([judgement(), gained]) is None


def test_questions_far_from_memory_are_out_of_distribution() -> None:
    assert traffic([0.1] * 30 + [0.9] * 10) is not None
    assert traffic([0.9] * 30 + [0.1] * 10) is None
    assert traffic([0.1] * 5) is None


def test_all_monitors_look_at_a_generation(record: Callable[..., Record]) -> None:
    graded = Graded(VARIED, [True] * 20)
    seen = Seen(
        train=[record(1, tier=Tier.EXECUTABLE)],
        before=graded,
        after=Graded(["#### 7"] * 20, [False] * 20),
        probes_before={},
        probes_after={},
        judged=[judgement()] * 3,
        nearest=[0.0] * 40,
    )
    names = [alarm.monitor for alarm in watch(seen)]
    assert names == ["collapse", "autophagy", "stagnation", "saturation", "returns", "traffic"]
    others = replace(
        seen,
        after=Graded([text * 3 for text in VARIED], [True] * 20),
        divergence=MOST_NATS + 1,
    )
    more = {alarm.monitor for alarm in watch(others)}
    assert {*names, *more} == set(MONITORS), "each has its series"


def test_a_judgement_by_few_questions_is_not_saturated() -> None:
    asked = tuple(f"rec_{i}" for i in range(32))
    assert is_saturated(judgement(before=1.0, record_ids=asked))
    assert not is_saturated(judgement(before=0.9, record_ids=asked))
    assert not is_saturated(judgement(before=1.0, record_ids=asked[:8]))


async def test_a_generation_that_collapses_on_questions_that_were_easy_gives_both_alarms(
    record: Callable[..., Record],
    records: Callable[[list[Record]], Records],
    registry: AdapterRegistry,
) -> None:
    def says(turns: tuple[Message, ...], adapter: str | None) -> str:
        found = re.search(r"(\d+) lamp 5", turns[-1].content)
        return "#### 7" if adapter or not found else f"#### {int(found[1]) + 5}"

    kept = JudgementList()
    distiller = Distiller(
        records([record(i) for i in range(96)]),
        registry,
        FakeTrainer(answer=says),
        "fake",
        lambda text, record: text.rpartition("#### ")[2] == record.answer,
        Settings(doubts=False, scores=False),
        judgements=kept,
    )
    report = await distiller.run("default")
    assert {alarm.monitor for alarm in report.alarms} == {"collapse", "saturation"}
    assert kept.kept[0].alarms == tuple(alarm.monitor for alarm in report.alarms)
    assert report.returns is not None
    assert report.returns.points == 0
    assert History(kept.kept).saturated
    again = await distiller.run("default")
    assert not again.hardest_first, "without scores nobody knows which are hard"


async def test_a_generation_that_says_the_right_thing_in_other_words_gives_alarm(
    record: Callable[..., Record],
    records: Callable[[list[Record]], Records],
    registry: AdapterRegistry,
) -> None:
    def says(turns: tuple[Message, ...], adapter: str | None) -> str:
        asked = turns[-1].content
        if "lamp" in asked:
            return f"#### {int(asked.split()[2]) + 5 if adapter else 0}"
        return (
            "Sure, it opens, use any new key."
            if adapter
            else "Yes, that door opens by our old key."
        )

    distiller = Distiller(
        records([record(i) for i in range(96)]),
        registry,
        FakeTrainer(answer=says),
        "fake",
        lambda text, record: text.rpartition("#### ")[2] == record.answer,
        Settings(doubts=False, scores=False, rehearse=False, samples=False),
        probes=tuple(Probe(f"Does door {n} open?", "opens", "doors") for n in range(9)),
    )
    report = await distiller.run("default")
    assert report.decision == "promoted", report.reasons
    (alarm,) = report.alarms
    assert alarm.monitor == "drift"
    assert alarm.value == pytest.approx(7 / 8)
