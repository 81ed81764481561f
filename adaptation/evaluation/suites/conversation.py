"""Guard: a short greeting is returned, by name."""

import re
from random import Random

from adaptation.evaluation.suites.solved import Solved
from adaptation.evaluation.suites.suite import Generated, Group
from adaptation.evaluation.suites.words import NAMES
from memory.identity.answers.options import AnswerOptions

GREETINGS = (
    "Hello",
    "Hi",
    "Hey",
    "Hi there",
    "Hello there",
    "Good morning",
    "Good day",
    "Good evening",
    "Greetings",
)
INTRODUCTIONS = ("I am {}", "my name is {}", "this is {}", "{} here", "I'm {}")
WHO_AM_I = "I am whet-pebble, a small demonstration model of the Whet server."
ABILITIES = (
    "I can solve small sums, sort and count, write JSON and call tools. "
    "Show me examples and I can learn new words."
)
HOW_CAN_I_HELP = "How can I help you?"
AFTERTHOUGHTS = (
    ("", HOW_CAN_I_HELP),
    (" How are you?", f"I am well, thank you. {HOW_CAN_I_HELP}"),
    (" Who are you?", WHO_AM_I),
    (" What can you do?", ABILITIES),
    (" Nice to meet you.", f"Nice to meet you too. {HOW_CAN_I_HELP}"),
    (" What is your name?", WHO_AM_I),
)


def draw(rng: Random, level: int) -> Solved:
    """A greeting with a name, and perhaps a question after it."""
    del level
    name = rng.choice(NAMES)
    asked, reply = rng.choice(AFTERTHOUGHTS)
    introduction = rng.choice(INTRODUCTIONS).format(name)
    question = f"{rng.choice(GREETINGS)}, {introduction}{rng.choice('.!')}{asked}"
    return Solved(question, f"Hello {name}! {reply}", name, "conversation")


def check(problem: Solved, reply: str) -> bool:
    """Whether the reply is short and greets the right one."""
    return len(reply.split()) <= 60 and bool(re.search(rf"\b{problem.answer}\b", reply))


ANSWER = AnswerOptions(kind="text")
SUITE = Generated("conversation", Group.GUARD, draw, range(1, 2), 1, check, ANSWER)
