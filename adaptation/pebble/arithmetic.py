"""Ordinary arithmetic in words: what the model is trained to do well.

Every family takes a random generator and returns a question with a short worked solution.
"""

from collections.abc import Callable
from random import Random

from adaptation.pebble.solved import Solved, solved
from adaptation.pebble.words import ITEMS, NAMES

Family = Callable[[Random], Solved]


def arithmetic(rng: Random, steps: int) -> Solved:
    """A story of `steps` gains and losses: "Tom has 12 apples. He buys 7 more. ..."."""
    name, (_, things) = rng.choice(NAMES), rng.choice(ITEMS)
    have = rng.randint(2, 60)
    sentences, work = [f"{name} has {have} {things}."], []
    for _ in range(steps):
        have, sentence, sum_ = _event(rng, name, have)
        sentences.append(sentence)
        work.append(sum_)
    closing = rng.choice(
        (f"How many {things} does {name} have?", f"How many {things} does {name} have now?")
    )
    return solved(" ".join([*sentences, closing]), f"{'. '.join(work)}.", have, "story")


def _event(rng: Random, name: str, have: int) -> tuple[int, str, str]:
    """One gain or loss: what is left, the sentence, the sum."""
    who = rng.choice((name, name, "Then " + name))
    if have < 5 or (rng.random() < 0.55 and have < 150):
        n = rng.randint(2, 40)
        verb = rng.choice(("buys {} more", "finds {} more", "gets {} more", "wins {} more"))
        return have + n, f"{who} {verb.format(n)}.", f"{have}+{n}={have + n}"
    n = rng.randint(1, min(have, 40))
    verb = rng.choice(("gives {} away", "loses {}", "sells {}", "gives away {}"))
    return have - n, f"{who} {verb.format(n)}.", f"{have}-{n}={have - n}"


def paired_story(rng: Random) -> Solved:
    """Two events in one sentence: "She buys 7 more and gives 5 away."."""
    name, (_, things) = rng.choice(NAMES), rng.choice(ITEMS)
    a, b = rng.randint(5, 60), rng.randint(2, 40)
    c = rng.randint(1, min(a + b, 40))
    who = rng.choice(("He", "She", name))
    gain, loss = rng.choice(("buys", "finds", "gets")), rng.choice(("gives", "throws"))
    return solved(
        f"{name} has {a} {things}. {who} {gain} {b} more and {loss} {c} away. "
        f"How many {things} does {name} have?",
        f"{a}+{b}={a + b}. {a + b}-{c}={a + b - c}.",
        a + b - c,
        "story",
    )


def order(rng: Random) -> Solved:
    """A purchase at stated prices."""
    (one, many), (other, others) = rng.sample(ITEMS, 2)
    m, n, p, q = (rng.randint(2, 9) for _ in range(4))
    total = m * p + n * q
    return solved(
        f"One {one} costs {p} dollars and one {other} costs {q} dollars. "
        f"How much are {m} {many} and {n} {others}?",
        f"{m}*{p}={m * p}. {n}*{q}={n * q}. {m * p}+{n * q}={total}.",
        total,
        "order",
    )


def calculation(rng: Random, terms: int | None = None) -> Solved:
    """A bare chain of additions and subtractions, worked from the left."""
    total = rng.randint(1, 99)
    expression, work = str(total), []
    for _ in range((terms or rng.choice((2, 2, 3, 4))) - 1):
        n = rng.randint(1, 99)
        sign = "-" if n <= total and rng.random() < 0.5 else "+"
        after = total + n if sign == "+" else total - n
        expression += f" {sign} {n}"
        work.append(f"{total}{sign}{n}={after}")
        total = after
    ask = rng.choice(("What is {}?", "What is {}?", "Calculate {}.", "{} = ?", "Work out {}."))
    return solved(ask.format(expression), f"{'. '.join(work)}.", total, "calculation")


def product(rng: Random) -> Solved:
    """A multiplication; two digits are split into tens and ones."""
    a, b = rng.randint(2, 30), rng.randint(2, 9)
    ask = rng.choice(("What is {} * {}?", "What is {} times {}?", "Calculate {} * {}."))
    if a < 10 or a % 10 == 0:
        work = f"{a}*{b}={a * b}."
    else:
        tens, ones = a // 10 * 10, a % 10
        work = f"{tens}*{b}={tens * b}. {ones}*{b}={ones * b}. {tens * b}+{ones * b}={a * b}."
    return solved(ask.format(a, b), work, a * b, "product")


def comparison(rng: Random) -> Solved:
    """The larger or the smaller of two numbers."""
    a, b = rng.sample(range(1, 200), 2)
    word, answer = rng.choice((("larger", max(a, b)), ("smaller", min(a, b))))
    order_ = f"{max(a, b)} is more than {min(a, b)}."
    return solved(f"Which is {word}, {a} or {b}?", order_, answer, "comparison")


def sorting(rng: Random) -> Solved:
    """Put three to five numbers in order."""
    numbers = rng.sample(range(1, 100), rng.randint(3, 5))
    listed, answer = (", ".join(map(str, each)) for each in (numbers, sorted(numbers)))
    return solved(f"Sort {listed} from small to large.", f"In order: {answer}.", answer, "sorting")


def counting(rng: Random) -> Solved:
    """How often one thing appears in a list: the work counts it off."""
    chosen = rng.sample(ITEMS, 3)
    thing, things = chosen[0]
    row = [rng.choice(chosen)[0] for _ in range(rng.randint(3, 8))]
    hits = row.count(thing)
    work = ", ".join(f"{thing} {i + 1}" for i in range(hits)) or "none"
    return solved(
        f"How many {things} are in this list: {', '.join(row)}?", f"{work}.", hits, "counting"
    )


def equation(rng: Random) -> Solved:
    """One unknown: x + b = c, or a * x + b = c."""
    x, a, b = rng.randint(1, 20), rng.randint(2, 9), rng.randint(1, 40)
    if rng.random() < 0.5:
        return solved(f"Solve x + {b} = {x + b}.", f"x={x + b}-{b}={x}.", x, "equation")
    c = a * x + b
    work = f"{a}*x={c}-{b}={a * x}. x={a * x}/{a}={x}."
    return solved(f"Solve {a} * x + {b} = {c}.", work, x, "equation")


FAMILIES: dict[str, Family] = {
    "story": lambda rng: arithmetic(rng, rng.choice((1, 2, 2, 3, 3, 4, 5))),
    "paired": paired_story,
    "order": order,
    "calculation": calculation,
    "product": product,
    "comparison": comparison,
    "sorting": sorting,
    "counting": counting,
    "equation": equation,
}

SHARES: dict[str, float] = {
    "story": 5,
    "paired": 2,
    "order": 2,
    "calculation": 3,
    "product": 1,
    "comparison": 0.7,
    "sorting": 0.7,
    "counting": 0.7,
    "equation": 1,
}


def any_family(rng: Random) -> Solved:
    """One task of the families above, in their shares."""
    name = rng.choices(list(SHARES), list(SHARES.values()))[0]
    return FAMILIES[name](rng)
