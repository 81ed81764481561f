"""Guard: facts told in words come back as a JSON object with the named keys."""

import json
from random import Random
from typing import Any

from adaptation.evaluation.suites.solved import Solved
from adaptation.evaluation.suites.suite import Generated, Group, equal_by
from adaptation.evaluation.suites.words import CITIES, COLORS, ITEMS, NAMES
from memory.identity.answers.options import AnswerOptions

ANSWER = AnswerOptions(kind="json")


def draw(rng: Random, level: int) -> Solved:
    """An object of `level` + 1 keys."""
    name, facts = rng.choice(NAMES), _facts(rng)
    chosen = rng.sample(sorted(facts), level)
    told = f"{name} {' and '.join(facts[key][1] for key in chosen)}"
    value = {"name": name} | {key: facts[key][0] for key in chosen}
    keys = list(value)
    named = f"{', '.join(keys[:-1])} and {keys[-1]}"
    ask = rng.choice(
        (
            "Reply in JSON with keys {named}: {told}.",
            "Reply in JSON with the keys {named}: {told}.",
            "{told}. Reply in JSON with keys {named}.",
            "Write JSON with keys {named}: {told}.",
        )
    )
    text = json.dumps(value)
    return Solved(ask.format(named=named, told=told), text, text, "json_objects")


def _facts(rng: Random) -> dict[str, tuple[Any, str]]:
    """Key to (value, the words that tell it)."""
    age, city, color = rng.randint(1, 99), rng.choice(CITIES), rng.choice(COLORS)
    count, (item, items) = rng.randint(2, 99), rng.choice(ITEMS)
    return {
        "age": (age, f"is {age}"),
        "city": (city, f"lives in {city}"),
        "color": (color, f"likes {color}"),
        "count": (count, f"has {count} {items}"),
        "item": (item, f"wants a {item}"),
    }


CHECK = equal_by(ANSWER)
SUITE = Generated("json_objects", Group.GUARD, draw, range(1, 4), 2, CHECK, ANSWER)
