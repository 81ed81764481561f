"""What may be learned is scored, a drawn policy chooses of it, and what came of that is noted."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adaptation.learning.candidates.bandit import FLOOR, drawn, propensities, worths
from adaptation.learning.candidates.choosing import FEWEST, pick
from adaptation.learning.candidates.kept import KeptHere
from adaptation.learning.candidates.novelty import novelties
from adaptation.learning.candidates.policies import ALL, POLICIES, Policy, chosen
from adaptation.learning.candidates.scoring import (
    DRAWS,
    MOST_ASKED,
    Scorer,
    by_wording,
    verifier_of,
)
from adaptation.learning.distillation.generation import Distiller, Settings
from adaptation.learning.distillation.report import GenerationReport
from adaptation.learning.training.fake import FakeTrainer
from adaptation.learning.training.trainer import Draw, Foreseen
from memory.types import Message, Record, Tier
from memory.versions.adapters import AdapterRegistry
from memory.versions.candidates import Scores, Selection, content_of

Make = Callable[..., Record]
POLICY_NAMES = list(POLICIES)


def scores(**given: object) -> Scores:
    fields: dict[str, object] = {
        "tier": "imported",
        "difficulty": 0.0,
        "perplexity": 2.0,
        "novelty": 0.5,
        "influence": 0.5,
        "tokens": 8,
    }
    return Scores.model_validate(fields | given)


def noted(policy: str, gain: float, propensity: float = 0.5, *, served: bool = True) -> Selection:
    return Selection(
        tenant="ann",
        base_model="pebble",
        adapter_id="ad_1",
        policy=policy,
        propensity=propensity,
        propensities={},
        served=served,
        gain=gain,
    )


# The bandit.


def test_before_anything_is_known_todays_selection_is_the_likeliest() -> None:
    chances = propensities([], served=False)
    assert chances[ALL] > 0.8
    assert sum(chances.values()) == pytest.approx(1)
    assert min(chances.values()) >= FLOOR


def test_a_policy_that_gains_more_is_drawn_more_often() -> None:
    log = [noted(ALL, 0.0)] * 8 + [noted("coverage", 0.2)] * 8
    chances = propensities(log, served=True)
    assert max(chances, key=lambda policy: chances[policy]) == "coverage"
    assert chances["coverage"] > 0.7
    # Of another kind of generation nothing is known by that.
    assert propensities(log, served=False) == propensities([], served=False)


def test_a_bandit_finds_the_best_policy() -> None:
    worth = dict.fromkeys(POLICY_NAMES, 0.0) | {"influence": 0.3}
    rng = np.random.default_rng(0)
    log: list[Selection] = []
    for _ in range(60):
        chances = propensities(log, served=True)
        policy = drawn(chances, rng.random())
        log.append(noted(policy, worth[policy] + 0.05 * rng.normal(), chances[policy]))
    last = [each.policy for each in log[-20:]]
    assert last.count("influence") > 12


@given(st.floats(0, 1, exclude_max=True))
def test_every_place_draws_a_policy(position: float) -> None:
    assert drawn(propensities([], served=True), position) in POLICIES


def test_policies_are_drawn_as_often_as_their_chances_say() -> None:
    chances = propensities([], served=True)
    found = [drawn(chances, (n + 0.5) / 1000) for n in range(1000)]
    for policy, chance in chances.items():
        assert found.count(policy) / 1000 == pytest.approx(chance, abs=0.002)


def test_inverse_propensities_estimate_what_a_policy_would_have_gained() -> None:
    """Unbiased, whatever drew: the mean over many logs is the policy's own gain."""
    rng = np.random.default_rng(1)
    gains = {ALL: 0.1, "coverage": 0.3}
    log = []
    for _ in range(4_000):
        policy = "coverage" if rng.random() < 0.2 else ALL
        log.append(noted(policy, gains[policy], 0.2 if policy == "coverage" else 0.8))
    found = {worth.policy: worth for worth in worths([*log, noted("surprise", 1.0, 1.0)])}
    assert found["coverage"].estimate == pytest.approx(0.3, abs=0.03)
    assert found[ALL].estimate == pytest.approx(0.1, abs=0.01)
    assert (found["surprise"].gain, found["surprise"].estimate) == (1.0, 0.0)
    assert found["influence"].gain is None


# Policies.


def test_the_names_of_policies_are_those_that_can_be_asked_for() -> None:
    assert set(get_args(Policy)) == set(POLICIES)


def test_each_policy_prefers_what_it_is_named_for() -> None:
    best = {
        "frontier": scores(difficulty=0.5),
        "coverage": scores(novelty=0.9),
        "influence": scores(influence=0.9),
        "surprise": scores(perplexity=9.0),
    }
    for policy, preferred in best.items():
        assert 3 in chosen(policy, [scores()] * 3 + [preferred] + [scores()] * 4, 1)  # type: ignore[arg-type]
    assert chosen("frontier", [scores(difficulty=d) for d in (1.0, 0.0, 0.5, 1.0)], 2) == [1, 2]
    assert chosen("frontier", [scores(difficulty=d) for d in (0.9, 0.2, 0.8, 0.1)], 2) == [1, 2]


@given(st.sampled_from(POLICY_NAMES), st.integers(1, 40), st.integers(1, 40), st.randoms())
def test_a_policy_keeps_the_order_and_at_least_half(
    policy: Policy, n: int, least: int, rng: object
) -> None:
    drawn_scores = [scores(novelty=rng.random(), perplexity=1 + rng.random()) for _ in range(n)]  # type: ignore[attr-defined]
    places = chosen(policy, drawn_scores, least)
    assert places == sorted(set(places))
    wanted = n if policy == ALL else min(n, max(least, math.ceil(n / 2)))
    assert len(places) == wanted


def test_of_few_records_all_are_learned_from(record: Make) -> None:
    few = [record(i) for i in range(FEWEST - 1)]
    for seed in range(20):
        found = pick(few, [scores()] * len(few), [], served=False, least=16, seed=str(seed))
        assert (found.choice.policy, found.choice.propensity) == (ALL, 1.0)
        assert found.choice.left_out is None


def test_the_same_seed_and_log_draw_the_same_and_others_do_not(record: Make) -> None:
    many = [record(i) for i in range(FEWEST)]

    def policy(seed: str, log: list[Selection]) -> str:
        got = pick(many, [scores()] * len(many), log, served=False, least=16, seed=seed)
        return got.choice.policy

    seeds = [str(seed) for seed in range(60)]
    found = [policy(seed, []) for seed in seeds]
    assert found == [policy(seed, []) for seed in seeds]
    assert 40 < found.count(ALL) < 60
    later = [policy("0", [noted(ALL, 0.0)] * n) for n in range(60)]
    assert len(set(later)) > 1


# Scores.


def test_the_first_and_what_is_far_from_it_is_novel_and_a_repetition_is_not() -> None:
    vectors = np.array([[1, 0], [1, 0], [0, 1], [0.6, 0.8]], dtype=np.float32)
    assert novelties(vectors) == pytest.approx([1.0, 0.0, 1.0, 0.2], abs=1e-6)
    assert novelties(np.zeros((0, 2), dtype=np.float32)) == []


def test_what_vouched_is_named(record: Make) -> None:
    reports = [{"type": "python", "passed": True}, {"type": "sums", "passed": False}]
    assert verifier_of(record(1, evidence={"verifiers": reports})) == "python"
    assert verifier_of(record(1, evidence={"feedback": "corrected"})) == "feedback"
    assert verifier_of(record(1, evidence={"source": "import"})) == "import"
    assert verifier_of(record(1)) is None


class Counting(FakeTrainer):
    """Knows every second question at times, and counts what it is asked."""

    drawn = 0

    async def generate(self, conversations, *rest, **named):  # type: ignore[no-untyped-def]
        assert rest[0] is None, "the base is asked"
        assert isinstance(rest[-1], Draw)
        self.drawn += len(conversations)
        numbers = [int(c.messages[-1].content.split()[2]) for c in conversations]
        return [
            str(number + 5) if place % 2 and number % 2 else "no"
            for place, number in enumerate(numbers)
        ]


def scorer(trainer: FakeTrainer) -> Scorer:
    return Scorer(trainer, lambda text, r: text == r.answer, by_wording, 32, 60.0, lambda *_: None)


async def test_a_record_is_scored_once_and_again_when_it_was_edited(record: Make) -> None:
    records, trainer = [record(i) for i in range(4)], Counting()
    first = await scorer(trainer).scores(records, {})
    assert [each.difficulty for each in first] == [0.0, 0.5, 0.0, 0.5]
    assert [each.perplexity for each in first] == pytest.approx([math.exp(0.5)] * 4)
    assert [each.influence for each in first] == pytest.approx([1, 1 / 2, 1 / 3, 1 / 4])
    assert trainer.drawn == 16
    picked = pick(records, first, [], served=False, least=1, seed="")
    before = {each.record_id: each for each in picked.candidates("ann", "pebble", "ad_1")}
    assert await scorer(trainer).scores(records, before) == first
    assert trainer.drawn == 16
    edited = records[0].model_copy(update={"rationale": "another text"})
    assert content_of(edited) != content_of(records[0])
    await scorer(trainer).scores([edited, *records[1:]], before)
    assert trainer.drawn == 20


async def test_each_record_has_scores_of_its_own(record: Make) -> None:
    class Reading(Counting):
        async def measure(self, conversations, *rest):  # type: ignore[no-untyped-def]
            lengths = [len(each.messages[-1].content.split()) for each in conversations]
            return [Foreseen(tokens=length, loss=1.0, right=0) for length in lengths]

    checked = {"verifiers": [{"type": "python", "passed": True}]}
    records = [
        record(1, tier=Tier.EXECUTABLE, evidence=checked, rationale="a b c d"),
        record(2, tier=Tier.FEEDBACK, evidence={"feedback": "correct"}, rationale="a b"),
        record(2, id="rec_again", evidence={"source": "import"}, rationale="a"),
    ]
    found = await scorer(Reading()).scores(records, {})
    assert [(each.tier, each.verifier) for each in found] == [
        ("executable", "python"),
        ("feedback", "feedback"),
        ("imported", "import"),
    ]
    assert [each.tokens for each in found] == [4, 2, 1]
    assert [each.perplexity for each in found] == pytest.approx(
        [math.exp(1 / n) for n in (4, 2, 1)]
    )
    assert found[0].novelty == 1.0
    assert found[2].novelty == pytest.approx(0.0, abs=1e-6), "it asks what another asks"


async def test_of_many_new_records_some_are_asked_and_all_are_scored(record: Make) -> None:
    trainer = Counting()
    found = await scorer(trainer).scores([record(i) for i in range(MOST_ASKED + 3)], {})
    assert trainer.drawn == DRAWS * MOST_ASKED
    assert [each.difficulty is None for each in found].count(True) == 3


# In a generation.


def knows(conversation: tuple[Message, ...], adapter: str | None) -> str:
    asked = conversation[-1].content
    if "lamp" not in asked:
        return "Hello! I am a model."
    return f"#### {int(asked.split()[2]) + 5}" if adapter else "#### 0"


def forgets(conversation: tuple[Message, ...], adapter: str | None) -> str:
    return knows(conversation, None if adapter else "any")


def distiller(
    memory: object, registry: AdapterRegistry, kept: KeptHere, **settings: object
) -> Distiller:
    made = Settings.model_validate({"doubts": False, "rehearse": False} | settings)
    return Distiller(
        memory,  # type: ignore[arg-type]
        registry,
        FakeTrainer(answer=knows),
        "fake",
        lambda text, record: text.rpartition("#### ")[2] == record.answer,
        made,
        kept=kept,
    )


async def run(
    record: Make, records: Callable[..., object], registry: AdapterRegistry, n: int, **given: object
) -> tuple[GenerationReport, KeptHere]:
    kept = KeptHere()
    memory = records([record(i) for i in range(n)])
    return await distiller(memory, registry, kept, **given).run("default"), kept


async def test_a_generation_notes_its_policy_its_chance_and_its_gain(
    record: Make, records: Callable[..., object], registry: AdapterRegistry
) -> None:
    report, kept = await run(record, records, registry, 120, policy="coverage")
    assert report.selection is not None
    assert report.selection.left_out is not None
    assert report.train == report.selection.chosen.records
    (choice,) = kept.chosen
    assert (choice.policy, choice.propensity, choice.served) == ("coverage", 1.0, False)
    assert (choice.adapter_id, choice.gain) == (report.adapter, 1.0)
    learned = set(registry.show("default", choice.adapter_id).record_ids)
    assert {each.record_id for each in kept.considered if each.chosen} == learned
    assert len(kept.considered) == report.train + report.selection.left_out.records


async def test_a_generation_notes_the_chance_that_its_policy_had_and_what_it_lost(
    record: Make, records: Callable[..., object], registry: AdapterRegistry
) -> None:
    """A candidate that is refused tells of its policy as well."""
    kept, memory = KeptHere(), records([record(i) for i in range(120)])
    worse = replace(distiller(memory, registry, kept), trainer=FakeTrainer(answer=forgets))
    report = await worse.run("default")
    (choice,) = kept.chosen
    assert report.decision == "rejected"
    assert choice.gain == -1.0
    assert choice.propensity == propensities([], served=False)[choice.policy]  # type: ignore[index]
    assert choice.propensities == propensities([], served=False)
    assert propensities(kept.chosen, served=False)[choice.policy] < choice.propensity  # type: ignore[index]


async def test_without_scores_everything_is_learned_from_and_nothing_noted(
    record: Make, records: Callable[..., object], registry: AdapterRegistry
) -> None:
    report, kept = await run(record, records, registry, 120, scores=False)
    assert report.selection is None
    assert (kept.chosen, kept.considered) == ([], [])


async def test_a_rebuilt_generation_learns_what_its_policy_had_chosen(
    record: Make, records: Callable[..., object], registry: AdapterRegistry
) -> None:
    memory, kept = records([record(i) for i in range(120)]), KeptHere()
    first = await distiller(memory, registry, kept, policy="surprise").run("default")
    assert first.adapter is not None
    version = registry.show("default", first.adapter)
    report = await distiller(memory, registry, kept).run("default", version)
    assert report.adapter == first.adapter, "the same records, in the same order"
    assert report.selection is None
    assert len(kept.chosen) == 1
