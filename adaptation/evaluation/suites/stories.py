"""Multi-step arithmetic stories: "Tom has 12 apples. He buys 7 more. ..."; a level is a step."""

from dataclasses import dataclass
from random import Random

from adaptation.evaluation.suites.solved import Solved, solved
from adaptation.evaluation.suites.suite import Generated, Group
from adaptation.evaluation.suites.words import ITEMS, NAMES

PRONOUNS = tuple((name, "She" if i % 2 else "He") for i, name in enumerate(NAMES))
"""The names stand in turn: a man's, a woman's."""


@dataclass(frozen=True)
class Scale:
    """How many things a story is about."""

    first: int
    """At first, at most."""
    change: int
    """Gained or lost at once, at most."""
    most: int
    """From here on there are no more gains, but for those of a pair."""


SMALL = Scale(60, 40, 150)
LARGE = Scale(99, 99, 230)
LARGE_LEVEL, LARGE_STEPS = 9, 6
"""The hardest level has larger numbers instead of more steps."""


def draw(rng: Random, level: int) -> Solved:
    """A story of `level` gains and losses."""
    scale, steps = (LARGE, LARGE_STEPS) if level == LARGE_LEVEL else (SMALL, level)
    (name, pronoun), (_, things) = rng.choice(PRONOUNS), rng.choice(ITEMS)
    have = rng.randint(2, scale.first)
    sentences, work = [f"{name} has {have} {things}."], list[str]()
    while len(work) < steps:
        paired = steps - len(work) >= 2 and rng.random() < 0.25
        events = _two_events(rng, have, scale) if paired else (_event(rng, have, scale),)
        for change, _ in events:
            work.append(f"{have}{change:+d}={have + change}")
            have += change
        who = rng.choice((name, name, f"Then {name}", pronoun))
        sentences.append(f"{who} {' and '.join(words for _, words in events)}.")
    closing = rng.choice(("How many {} does {} have?", "How many {} does {} have now?"))
    question = " ".join([*sentences, closing.format(things, name)])
    return solved(question, f"{'. '.join(work)}.", have, "stories")


def _event(rng: Random, have: int, scale: Scale) -> tuple[int, str]:
    """One gain or loss: the change, and the words that tell it."""
    if have < 5 or (rng.random() < 0.55 and have < scale.most):
        return _gain(rng, scale)
    return _loss(rng, have, scale)


def _two_events(rng: Random, have: int, scale: Scale) -> tuple[tuple[int, str], ...]:
    """A gain and a loss in one sentence."""
    gain = _gain(rng, scale)
    return gain, _loss(rng, have + gain[0], scale)


def _gain(rng: Random, scale: Scale) -> tuple[int, str]:
    n = rng.randint(2, scale.change)
    return n, f"{rng.choice(('buys', 'finds', 'gets', 'wins'))} {n} more"


def _loss(rng: Random, have: int, scale: Scale) -> tuple[int, str]:
    n = rng.randint(1, min(have, scale.change))
    said = rng.choice(("gives {} away", "loses {}", "sells {}", "gives away {}", "throws {} away"))
    return -n, said.format(n)


SUITE = Generated("stories", Group.IN_DISTRIBUTION, draw, range(1, LARGE_LEVEL + 1), LARGE_LEVEL)
