"""Small talk, copying and tool use: who speaks, and what is said."""

from random import Random

import pytest

from adaptation.pebble.recipe import Mixture
from adaptation.pebble.talk import any_manner, copying, small_talk, tool_use

KINDS = Mixture().manner_kinds
seeds = pytest.mark.parametrize("seed", range(40))


@seeds
def test_user_and_assistant_take_turns_and_the_assistant_has_the_last_word(seed: int) -> None:
    for kind in KINDS:
        roles = [turn.role for turn in any_manner(Random(seed), {kind: 1.0}).turns]
        if roles[0] == "system":
            roles = roles[1:]
        assert roles == ["user", "assistant"] * (len(roles) // 2), kind


@seeds
def test_every_kind_of_manner_repeats_from_its_seed(seed: int) -> None:
    for kind in KINDS:
        assert any_manner(Random(seed), {kind: 1.0}) == any_manner(Random(seed), {kind: 1.0})


@seeds
def test_copying_returns_the_words_after_the_colon(seed: int) -> None:
    asked, reply = copying(Random(seed)).turns
    assert asked.text.partition(": ")[2] == reply.text


@seeds
def test_only_small_talk_leaves_declared_tools_alone(seed: int) -> None:
    conversation = tool_use(Random(seed))
    assert conversation.tools
    replies = [turn.text for turn in conversation.turns if turn.role == "assistant"]
    called = "<tool_call>" in replies[0]
    answered = any("<tool_response>" in turn.text for turn in conversation.turns)
    assert called or not answered
    if answered:
        assert replies[-1].startswith("The result is: ")


def test_small_talk_says_what_the_model_is() -> None:
    replies = {turn.text for seed in range(60) for turn in small_talk(Random(seed)).turns}
    assert any("whet-pebble" in reply for reply in replies)
