from hypothesis import given
from hypothesis import strategies as st

from adaptation.learning.distillation.gate import decide
from adaptation.learning.distillation.guards import PROBES, GuardOutcome, compare

GRADES = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40)


@given(GRADES)
def test_promotion_means_a_significant_gain(pairs: list[tuple[bool, bool]]) -> None:
    current, candidate = zip(*pairs, strict=True)
    decision = decide(current, candidate, None, 0.05)
    assert decision.promote == (decision.helped > decision.hurt and decision.p_value < 0.05)
    assert decision.reasons


def test_five_clean_gains_suffice_and_four_do_not() -> None:
    before = [False] * 8
    assert decide(before, [True] * 5 + [False] * 3, None, 0.05).promote
    assert not decide(before, [True] * 4 + [False] * 4, None, 0.05).promote


def test_lost_guards_veto_a_gain() -> None:
    decision = decide([False] * 9, [True] * 9, GuardOutcome(4, ("Hello!",)), 0.05)
    assert not decision.promote
    assert "Hello!" in decision.reasons[0]


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
