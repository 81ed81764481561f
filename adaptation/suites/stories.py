"""Multi-step arithmetic stories: "Tom has 12 apples. He buys 7 more. ..."; a level is a step."""

from random import Random

from adaptation.suites.solved import Solved, solved
from adaptation.suites.suite import Generated, Group
from adaptation.suites.words import ITEMS, NAMES

PRONOUNS = tuple((name, "She" if i % 2 else "He") for i, name in enumerate(NAMES))
"""The names stand in turn: a man's, a woman's."""
MOST = 150
"""Gains stop here, so that sums keep to three digits."""


def draw(rng: Random, level: int) -> Solved:
    """A story of `level` gains and losses."""
    (name, pronoun), (_, things) = rng.choice(PRONOUNS), rng.choice(ITEMS)
    have = rng.randint(2, 60)
    sentences, work = [f"{name} has {have} {things}."], list[str]()
    while len(work) < level:
        paired = level - len(work) >= 2 and rng.random() < 0.25
        events = (_event(rng, have),) if not paired else _two_events(rng, have)
        for change, _ in events:
            work.append(f"{have}{change:+d}={have + change}")
            have += change
        who = rng.choice((name, name, f"Then {name}", pronoun))
        sentences.append(f"{who} {' and '.join(words for _, words in events)}.")
    closing = rng.choice(("How many {} does {} have?", "How many {} does {} have now?"))
    question = " ".join([*sentences, closing.format(things, name)])
    return solved(question, f"{'. '.join(work)}.", have, "stories")


def _event(rng: Random, have: int) -> tuple[int, str]:
    """One gain or loss: the change, and the words that tell it."""
    if have < 5 or (rng.random() < 0.55 and have < MOST):
        return _gain(rng)
    return _loss(rng, have)


def _two_events(rng: Random, have: int) -> tuple[tuple[int, str], tuple[int, str]]:
    """A gain and a loss in one sentence."""
    gain = _gain(rng)
    return gain, _loss(rng, have + gain[0])


def _gain(rng: Random) -> tuple[int, str]:
    n = rng.randint(2, 40)
    return n, f"{rng.choice(('buys', 'finds', 'gets', 'wins'))} {n} more"


def _loss(rng: Random, have: int) -> tuple[int, str]:
    n = rng.randint(1, min(have, 40))
    said = rng.choice(("gives {} away", "loses {}", "sells {}", "gives away {}", "throws {} away"))
    return -n, said.format(n)


SUITE = Generated("stories", Group.IN_DISTRIBUTION, draw, range(1, 9), 6)
