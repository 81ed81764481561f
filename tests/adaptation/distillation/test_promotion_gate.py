from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adaptation.errors import DistillationError
from adaptation.learning.distillation.budget import IDLE, History
from adaptation.learning.distillation.evidence import evidence, mixture
from adaptation.learning.distillation.gate import Verdict, decide, look
from adaptation.learning.distillation.guarding import compare
from adaptation.learning.distillation.guards import PROBES, GuardOutcome
from memory.versions.judgements import Judgement

GRADES = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40)
STAKE = History().stake(0.05)


def judgement(*, promoted: bool = False, train: int = 48, **more: object) -> Judgement:
    fields: dict[str, object] = {
        "tenant": "default",
        "base_model": "fake",
        "adapter_id": "ad_1",
        "promoted": promoted,
        "alpha": 0.025,
        "e_value": 1.0,
        "helped": 0,
        "hurt": 0,
        "before": 0.5,
        "after": 0.5,
        "train": train,
        "seconds": 1.0,
        "record_ids": ("rec_1",),
    }
    return Judgement.model_validate(fields | more)


@given(GRADES)
def test_promotion_means_evidence_beyond_the_stake(pairs: list[tuple[bool, bool]]) -> None:
    current, candidate = zip(*pairs, strict=True)
    decision = decide(current, candidate, 0, (), STAKE)
    assert decision.promote == (decision.e_value >= 1 / STAKE)
    assert decision.helped > decision.hurt or not decision.promote
    assert decision.reasons


@given(st.integers(0, 60), st.integers(0, 60))
def test_a_bet_on_a_coin_is_fair(helped: int, hurt: int) -> None:
    """A martingale: what it has come to is the mean of what either next pair makes of it."""
    after = (mixture(helped + 1, hurt) + mixture(helped, hurt + 1)) / 2
    assert after == pytest.approx(mixture(helped, hurt), rel=1e-6)


@pytest.mark.parametrize("pairs", [3, 8, 20, 40])
def test_the_last_look_expects_no_more_than_its_stake(pairs: int) -> None:
    chances = [1.0]
    for _ in range(pairs):  # Pascal's triangle, halved
        chances = [(a + b) / 2 for a, b in zip([0, *chances], [*chances, 0], strict=True)]
    values = (evidence(k, pairs - k, STAKE, is_last=True) for k in range(pairs + 1))
    assert sum(p * e for p, e in zip(chances, values, strict=True)) <= 1 + 1e-9


def test_seven_clean_gains_suffice_for_the_first_generation_and_six_do_not() -> None:
    before = [False] * 8
    assert decide(before, [True] * 7 + [False], 0, (), STAKE).promote
    assert not decide(before, [True] * 6 + [False] * 2, 0, (), STAKE).promote


def test_what_is_clear_is_not_asked_further_and_what_is_vain_neither() -> None:
    wrong, right = [False] * 32, [True] * 32
    assert look(wrong, right, 400, STAKE) is Verdict.BETTER
    assert look(right, wrong, 400, STAKE) is Verdict.FUTILE
    assert (
        look(wrong[:8] + right[:8], right[:8] + wrong[:6] + right[:2], 9, STAKE) is Verdict.FUTILE
    )
    assert look([False, True] * 8, [True, False] + [False, True] * 7, 400, STAKE) is Verdict.GO_ON
    assert look(wrong[:4], [True] * 4, 0, STAKE) is Verdict.OVER


def test_an_objection_vetoes_a_gain() -> None:
    decision = decide([False] * 9, [True] * 9, 0, ("1 guard probes were lost: Hello!",), STAKE)
    assert not decision.promote
    assert "Hello!" in decision.reasons[0]


def test_idle_generations_together_stake_no_more_than_the_budget() -> None:
    stakes = [History([judgement()] * n).stake(0.05) for n in range(1_000)]
    assert sum(stakes) == pytest.approx(0.05 - History([judgement()] * 1_000).left(0.05))
    gained = [judgement(promoted=True)] * 5
    assert History(gained).stake(0.05) == stakes[0], "a promotion gets its stake back"


def test_ten_useless_generations_are_rarely_promoted() -> None:
    """Few runs, so that it is quick; `make bench-gate-run` has thousands."""
    rng, runs, false = Random(1), 100, 0
    for _ in range(runs):
        judged: list[Judgement] = []
        for _ in range(10):
            before = [rng.random() < 0.5 for _ in range(60)]
            after = [mark ^ (rng.random() < 0.4) for mark in before]
            alpha = History(judged).stake(0.05)
            judged.append(judgement(promoted=decide(before, after, 0, (), alpha).promote))
        false += any(each.promoted for each in judged)
    assert false <= 10  # 5 expected at most: more than 10 come with a chance of 1 %


def test_a_run_halts_after_two_generations_in_vain_until_there_is_more_to_learn_from() -> None:
    idle = History([judgement(promoted=True), *[judgement()] * IDLE])
    with pytest.raises(DistillationError, match="--anyway"):
        idle.refuse_idle(48)
    idle.refuse_idle(60)
    History([judgement(), judgement(promoted=True)]).refuse_idle(48)


def test_a_family_of_near_guards_that_is_lost_is_told() -> None:
    lost = ("What is 1 + 1?", "What is 2 + 2?")
    outcome = GuardOutcome(60, lost, {"sums with +": (2, 15), "sums with -": (0, 45)})
    assert not outcome.near_held
    assert outcome.told == "2 of 15 sums with +, such as What is 1 + 1?; What is 2 + 2?"
    assert GuardOutcome(60, lost, {"sums with +": (2, 30), "sums with -": (0, 30)}).near_held
    assert GuardOutcome(5, lost[:1], {"own records": (1, 5)}).near_held


def test_what_is_lost_by_chance_is_held_against_what_is_gained_of_the_same_family() -> None:
    def held(lost: int, known: int, **gained: int) -> bool:
        families = {"sums": (lost, known), "products": (0, 20)}
        return GuardOutcome(known + 20, ("?",) * lost, families, gained).near_held

    assert held(3, 5, sums=5)
    assert not held(3, 5)
    assert not held(3, 5, products=20)
    assert not held(5, 19, sums=1), "a tenth and chance are not added up"
    assert held(6, 8, sums=2), "one always may be, and chance beside it"
    assert not held(7, 8, sums=2)
    told = GuardOutcome(5, ("?",) * 3, {"sums": (3, 5)}, {"sums": 4}).told
    assert told.startswith("3 of 5 sums (4 others gained)")


@pytest.mark.parametrize(
    ("lost", "known"), [(15, 91), (18, 73), (16, 94), (23, 94), (16, 89), (0, 58), (1, 54)]
)
def test_what_was_measured_of_strong_adapters_is_told_apart(lost: int, known: int) -> None:
    """As `docs/gate.md` has it; at most one answer was gained."""
    for gained in (0, 1):
        outcome = GuardOutcome(known, ("?",) * lost, {"sums": (lost, known)}, {"sums": gained})
        assert outcome.near_held == (lost <= 1)


@pytest.mark.parametrize(
    ("before", "after", "least", "most"),
    [
        (0.25, 0.25, 0.75, 1.0),  # erratic, and as good: with losses alone 1 % passed
        (0.25, 0.05, 0.0, 0.05),
        (0.5, 0.2, 0.0, 0.05),
        (0.95, 0.95, 0.9, 1.0),
        (0.95, 0.8, 0.0, 0.1),
    ],
)
def test_near_guards_let_the_erratic_pass_and_not_the_worse(
    before: float, after: float, least: float, most: float
) -> None:
    rng, trials = Random(0), 400

    def passes() -> bool:
        families, gained, known, lost = {}, {}, 0, 0
        for family in "abc":
            pairs = [(rng.random() < before, rng.random() < after) for _ in range(30)]
            both = sum(was and not now for was, now in pairs), sum(was for was, _ in pairs)
            families[family], gained[family] = both, sum(now and not was for was, now in pairs)
            lost, known = lost + both[0], known + both[1]
        return GuardOutcome(known, ("?",) * lost, families, gained).near_held

    assert least <= sum(passes() for _ in range(trials)) / trials <= most


def test_one_probe_that_is_gained_does_not_make_up_for_a_family_of_far_ones() -> None:
    outcome = GuardOutcome(40, ("?",) * 5, {"tools": (5, 7), "JSON": (0, 33)}, {"tools": 1})
    assert outcome.spoilt == ("5 of 7 tools (1 others gained)",)


def test_a_probe_is_lost_where_the_reply_is_no_answer_any_more() -> None:
    known = PROBES[:2]
    outcome = compare(known, {PROBES[0]: "####", PROBES[1]: "You are welcome!"})
    assert (outcome.before, outcome.lost, outcome.held) == (2, ("Hello!",), False)
    assert compare(known, {PROBES[0]: "Hello there", PROBES[1]: "You are welcome!"}).held


def test_every_probe_is_right_for_a_plain_right_reply() -> None:
    replies = [
        *("Hello!", "You are welcome!", "I am a model.", "12+7=19.\n#### 19", "#### 18"),
        *("5+7=12", "It is 12.", "Hi!", "I'm a model.", "Bye!", "83", "48", "54", "39", "19"),
        *("19", "37", "22", "14", "71", "Paris.", "It is blue.", "Yes.", '{"a": 1}'),
    ]
    assert all(probe.right(reply) for probe, reply in zip(PROBES, replies, strict=True))


@pytest.mark.parametrize(
    ("question", "reply"),
    [
        ("Which is larger, 17 or 71?", "17 is a larger number than 71."),
        ("Which is smaller, 40 or 14?", "40 is smaller than 14."),
        ("Thank you!", "I can help with a math problem or a story."),
    ],
)
def test_a_wrong_reply_that_names_the_right_one_is_not_right(question: str, reply: str) -> None:
    (probe,) = (each for each in PROBES if each.question == question)
    assert not probe.right(reply)


def test_a_comparison_may_name_both() -> None:
    (probe,) = (each for each in PROBES if each.question.startswith("Which is smaller"))
    assert probe.right("14 is smaller than 40.")
    assert probe.right("40 is more than 14.\n#### 14")
