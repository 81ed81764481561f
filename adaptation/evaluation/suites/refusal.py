"""Guard: what cannot be known is not answered: a story without its numbers, a fact of the world."""

import re
from random import Random

from adaptation.evaluation.suites.solved import Solved
from adaptation.evaluation.suites.suite import Generated, Group
from adaptation.evaluation.suites.words import CITIES, ITEMS, NAMES, TOPICS
from memory.identity.answers.options import AnswerOptions

DO_NOT_KNOW = "Sorry, I do not know that. I am only a small demonstration model."
NOT_SAID = "Sorry, I do not know that. The question does not say how many {} {} has at first."
REFUSED = re.compile(
    r"\b(?:sorry|unknown|unable|impossible|cannot|can't|no way|"
    r"(?:do(?:es)? not|don't|doesn't) (?:know|say|tell|state|mention|have enough)|"
    r"(?:not|isn't) (?:enough|possible|given|said|stated|mentioned|known))\b",
    re.IGNORECASE,
)
UNANSWERABLE = (
    "What is the capital of {city}?",
    "Who is the mayor of {city}?",
    "Who invented {topic}?",
    "Tell me about {topic}.",
    "Why do people like {topic}?",
    "Write a poem about {topic}.",
    "Write a story about {topic}.",
    "What is the best book about {topic}?",
    "What will the weather be in {city} tomorrow?",
    "How old is {name}?",
    "Where does {name} live?",
    "What is the meaning of life?",
    "Explain {topic} to me.",
    "What do you think about {topic}?",
    "Is {city} larger than {other}?",
    "How far is it from {city} to {other}?",
    "When was {city} founded?",
    "What is the news today?",
    "How does a computer work?",
    "Can you recommend a film?",
    "Does {name} like {topic}?",
    "When did {name} move to {city}?",
    "What does {name} think about {city}?",
    "How many {things} are there in {city}?",
    "Which {topic} are best in {city}?",
)


def draw(rng: Random, level: int) -> Solved:
    """A question nobody, or only somebody else, can answer."""
    del level
    return _unknown(rng) if rng.random() < 0.5 else _unsaid(rng)


def _unknown(rng: Random) -> Solved:
    city, other = rng.sample(CITIES, 2)
    question = rng.choice(UNANSWERABLE).format(
        city=city,
        other=other,
        topic=rng.choice(TOPICS),
        name=rng.choice(NAMES),
        things=rng.choice(ITEMS)[1],
    )
    return Solved(question, DO_NOT_KNOW, "unknown", "refusal")


def _unsaid(rng: Random) -> Solved:
    """A story that does not say what there is at first."""
    name, (_, things) = rng.choice(NAMES), rng.choice(ITEMS)
    some = rng.choice(("some", "a few", "many"))
    change = rng.choice(("buys {} more", "gives {} away", "loses {}", "finds {} more", "sells {}"))
    closing = rng.choice(("How many {} does {} have?", "How many {} does {} have now?"))
    question = (
        f"{name} has {some} {things}. {name} {change.format(rng.randint(2, 40))}. "
        f"{closing.format(things, name)}"
    )
    return Solved(question, NOT_SAID.format(things, name), "unknown", "refusal")


def check(problem: Solved, reply: str) -> bool:
    """Whether the reply says that it cannot know, and gives no answer all the same."""
    del problem
    return refuses(reply)


def refuses(reply: str) -> bool:
    """Return whether a reply refuses, whatever was asked."""
    return bool(REFUSED.search(reply.replace("’", "'"))) and "####" not in reply


ANSWER = AnswerOptions(kind="text")
SUITE = Generated("refusal", Group.GUARD, draw, range(1, 2), 1, check, ANSWER)
