"""Near guards: questions drawn near the trained records, with answers that nobody needs to give.

A wrong record spoils its neighbourhood first: one `What is 40 + 2?` → 43 among 64 examples of a
jargon left every fixed probe standing and broke 16 of 40 everyday sums. So the probes are drawn
where the training was: trained sums with other numbers and sums of the numbers that were trained
on, whose values can be computed; questions of the families that the trained ones look like, from
their generators; the tenant's own active records that no one trained on; and trained questions in
other words. What the base does not answer as the record does is no guard, as for all of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from random import Random
from types import MappingProxyType

from adaptation.conversation import Conversation, spoken
from adaptation.learning.candidates.scoring import Vectors, by_wording
from adaptation.learning.distillation.computed import gives, only_sum
from adaptation.learning.distillation.families import near_families
from adaptation.learning.distillation.form import numbers_in
from adaptation.learning.distillation.nearby import Neighbourhood, Trained
from adaptation.learning.distillation.plain_questions import strange, terms, words_of
from adaptation.learning.distillation.reworded import reworded
from adaptation.learning.distillation.select import Records, Selected
from adaptation.learning.neighbours import as_asked
from memory.identity.answers import agree, canonical, extract
from memory.identity.answers.arithmetic import value_and_numbers
from memory.identity.answers.options import AnswerOptions
from memory.text import folded
from memory.types import Message, Record, State, question_of

PER_SIGN = 20
"""Sums of each operation."""
PER_FAMILY = 16
MOST_OWN = 32
"""Records of the tenant that were not trained on."""
REWRITTEN = 24
"""Trained sums with other numbers."""
REWORDED = 24
"""Trained questions in other words."""
STEP = 9
"""By how much a number is changed."""
SIGNS = "+-*"
LARGEST = 99
OWN, WORDS = "own records", "other words"
"""Families whose answers are those of records: what the candidate learned, or may have."""


@dataclass(frozen=True)
class NearProbe:
    """A question near what was trained on, and its answer."""

    question: str
    answer: str
    family: str
    asked: Conversation | None = field(default=None, compare=False)
    """As it is asked, where that is more than a question."""

    @property
    def conversation(self) -> Conversation:
        """As it is asked."""
        return self.asked or spoken(Message(role="user", content=self.question))

    @property
    def is_taught(self) -> bool:
        """Whether its answer is a record's: else nobody gave it, and it is computed."""
        return self.family in (OWN, WORDS)

    def right(self, reply: str) -> bool:
        """Whether `reply` gives the answer."""
        if not self.is_taught:
            return gives(reply, self.answer, self.question)
        found = extract(reply, AnswerOptions())
        return found is not None and agree(found.key, canonical(self.answer))


def drawn_near(
    records: Records, tenant: str, chosen: Selected, vectors: Vectors, seed: int
) -> tuple[NearProbe, ...]:
    """Draw questions near what was chosen; of later draws only what is computed is asked."""
    known = {record.id for record in (*chosen.train, *chosen.holdout, *chosen.aside)}
    active = () if seed else records.walk(tenant, state=State.ACTIVE)
    others = (record for record in active if record.id not in known)
    near = None if vectors is by_wording else vectors
    rates = chosen.picked.rates if chosen.picked else {}
    return near_probes(chosen.train, others, seed, vectors=near, rates=rates)


def near_probes(
    train: Sequence[Trained],
    others: Iterable[Record],
    seed: int = 0,
    *,
    vectors: Vectors | None = None,
    rates: Mapping[str, float] = MappingProxyType({}),
) -> tuple[NearProbe, ...]:
    """Draw questions near `train`; `others` are active records that were not trained on.

    `vectors` tell what is near; without them words do. `rates` are pass rates of the base, by
    record, where they are known: what it never gets right is not reworded.
    """
    rng = Random(seed)
    trained = {record.question.strip() for record in train}
    near = Neighbourhood(train, vectors)
    drawn = chain(
        _rewritten(train, rng),
        _sums(train, rng),
        _of_families(near, seed),
        _own(near, others),
        _reworded([each for each in near.records if rates.get(each.id, 1.0) > 0], rng),
    )
    found = {probe.question: probe for probe in drawn if probe.question not in trained}
    return tuple(found.values())


def _rewritten(train: Sequence[Trained], rng: Random) -> Iterator[NearProbe]:
    """Yield trained sums with other numbers: a family apart, as training teaches their form."""
    strange = _strange_terms(train)
    sums = [(record.question, found) for record in train if (found := only_sum(record.question))]
    chosen = rng.sample(sums, min(len(sums), REWRITTEN))
    for question, found in chosen * (REWRITTEN // max(1, len(chosen))):
        a, sign, b = int(found[1]), found[2], int(found[3])
        if not _terms(found) & strange:
            near = (_moved(a, rng), _moved(b, rng))
            expression = _written(max(near), sign, min(near))
            asked = question[: found.start()] + expression + question[found.end() :]
            yield NearProbe(asked, _value(expression), f"sums with {sign} as trained")


def _sums(train: Sequence[Trained], rng: Random) -> Iterator[NearProbe]:
    """Yield everyday sums, where what was trained on puts several numbers together."""
    several = [numbers for record in train if len(numbers := numbers_in(record.question)) > 1]
    if not several:
        return
    pool = [number for number in chain.from_iterable(several) if number <= LARGEST]
    strange = _strange_terms(train)
    for sign in SIGNS:
        if terms(sign, ("what", "is")) & strange:
            continue
        for place in range(PER_SIGN):
            a, b = rng.randint(1, LARGEST), rng.randint(1, LARGEST)
            if pool and place % 2:
                a, b = rng.choice(pool), rng.choice(pool)
            if sign == "*":
                a, b = a % 12 + 1, b % 12 + 1
            expression = _written(max(a, b), sign, min(a, b))
            yield NearProbe(f"What is {expression}?", _value(expression), f"sums with {sign}")


def _of_families(near: Neighbourhood, seed: int) -> Iterator[NearProbe]:
    for family, problem in near_families(near.reaches, PER_FAMILY, seed):
        yield NearProbe(problem.question, problem.answer, family)


def _own(near: Neighbourhood, others: Iterable[Record]) -> Iterator[NearProbe]:
    """Yield the nearest of the tenant's records that were not trained on."""
    for record in near.nearest(others, MOST_OWN):
        yield NearProbe(record.question, record.answer, OWN, as_asked(record))


def _reworded(train: Sequence[Record], rng: Random) -> Iterator[NearProbe]:
    """Yield trained questions in other words, with the records' answers."""
    for record in rng.sample(train, min(len(train), REWORDED)):
        asked = as_asked(record)
        if not asked.is_raw and (turns := reworded(record, rng)) is not None:
            yield NearProbe(question_of(turns), record.answer, WORDS, asked.of(turns))


def _strange_terms(train: Sequence[Trained]) -> set[str]:
    """Return the signs, and words beside them, that mean something else to this tenant."""
    sums = ((record, found) for record in train if (found := only_sum(record.question)))
    return strange(
        (term, agree(canonical(record.answer), canonical(_value(found[0]))))
        for record, found in sums
        for term in _terms(found)
    )


def _terms(found: re.Match[str]) -> frozenset[str]:
    """Return the sign of a sum that a question asks for, and its words beside it."""
    return terms(found[2], words_of(folded(found.string)))


def _moved(number: int, rng: Random) -> int:
    return max(0, number + rng.randint(-STEP, STEP))


def _written(a: int, sign: str, b: int) -> str:
    return f"{a} {sign} {b}"


def _value(expression: str) -> str:
    found = value_and_numbers(expression)
    assert found is not None, expression
    return str(found[0])
