"""Any family of reasoning-gym as a suite: `rg:chain_sum`, with its own generator and verifier.

Owns the way from a family's entries to questions and from replies to its scorer. reasoning-gym is
an extra (`whet[gym]`, part of `whet[eval]` too), imported when the first such suite is asked for.

An answer is right when the family's scorer gives it the full 1.0. What it gives for less (the right
value in the wrong form, one number of several) is meant to shape a reward, not to count as right.

A family is probed when its suite is asked for, and refused where its questions change from one
drawing to the next or its scorer gives wrong answers the full score (`probe.py`).

An answer that its scorer cannot judge is wrong: one too long or spelled to do more than state
something, one that makes the scorer raise, one that it cannot score within the time limit. But
where the scorer cannot judge the reference either, the fault is its own, and `verify` raises.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import partial
from itertools import chain
from random import Random
from typing import Any

from adaptation.evaluation.suites.errors import (
    MissingPackageError,
    ScorerError,
    TooFewQuestionsError,
    UnknownSuiteError,
)
from adaptation.evaluation.suites.inert import may_be_scored
from adaptation.evaluation.suites.probe import probe
from adaptation.evaluation.suites.scorer import Scorer, Source
from adaptation.evaluation.suites.solved import ANSWER_MARK, Solved, final_answer
from adaptation.evaluation.suites.split import Split, draw_distinct
from adaptation.evaluation.suites.suite import AUTO, Group
from memory.identity.answers import extract
from memory.identity.answers.deliberation import conclusion
from memory.identity.answers.options import AnswerOptions

PREFIX = "rg:"
CLOSING = f'End your reply with "{ANSWER_MARK}" and the answer.'
"""Stands below every question, since few families say where the answer should stand."""
ENTRIES_PER_SEED = 200
"""Some families cannot give more than their data set's size, so the stream re-seeds."""
NEED_OTHER_DATASETS = frozenset({"composite"})
REFERENCE_KEYS = ("possible_answer", "example_answer", "example_correct_answer")
"""Where the families with many right answers keep one of them."""

Entry = Mapping[str, Any]


@dataclass(frozen=True)
class Posed(Solved):
    """A question that keeps what its scorer needs to know."""

    source: Source = field(default=Source("", 1, 0), compare=False, repr=False)
    """The data set it is from."""
    number: int = field(default=0, compare=False, repr=False)
    """Number of the question's entry in the data set."""


@dataclass(frozen=True)
class ReasoningGym:
    """One family."""

    family: str
    levels: range
    group: Group = Group.EXTERNAL
    answer: AnswerOptions = AUTO
    default_level: int = 1
    worlds: int = 0
    scorer: Scorer = field(default_factory=Scorer, compare=False, repr=False)
    caveat: str | None = None
    """What whoever reads its results should know."""

    @property
    def name(self) -> str:
        """As `whet eval --suite` takes it."""
        return PREFIX + self.family

    def problems(
        self, n: int, *, split: Split, seed: int, level: int, world: int = 0
    ) -> list[Solved]:
        """`n` different questions; there is but one world, so its number says nothing."""
        rng = Random(f"{self.name} {split.name} {seed} {level}")
        stream = self._stream(level, rng)
        return draw_distinct(n, split, lambda _: next(stream), rng)

    def posed(self, source: Source, number: int) -> Posed:
        """An entry as a question."""
        try:
            text, answer, _ = self.scorer.draw(source, number)
        except ScorerError as error:
            raise TooFewQuestionsError(f"{self.name} cannot draw a question: {error}") from error
        question = f"{text.rstrip()}\n\n{CLOSING}"
        return Posed(question, ANSWER_MARK + answer, answer, self.name, (), source, number)

    def verify(self, problem: Solved, reply: str) -> bool:
        """Whether the family's scorer gives the reply's answer the full score.

        Raises `ScorerError` where it cannot score the reference either.
        """
        if not isinstance(problem, Posed):
            raise TypeError(f"{self.name} can only judge replies to its own questions")
        return any(self._is_right(problem, answer) for answer in readings(reply))

    def _is_right(self, problem: Posed, answer: str) -> bool:
        if not may_be_scored(self.family, answer):
            return False
        score = partial(self.scorer.score, problem.source, problem.number)
        try:
            return score(answer) >= 1.0
        except ScorerError:
            score(problem.answer)  # raises as well where the answer is not to blame
            return False

    def _stream(self, level: int, rng: Random) -> Iterator[Solved]:
        """The family's questions without end."""
        while True:
            source = Source(self.family, level, seed=rng.getrandbits(31))
            yield from map(partial(self.posed, source), range(ENTRIES_PER_SEED))


def suite_of(family: str, scorer: Scorer | None = None) -> ReasoningGym:
    """The suite of one family; raises `SuiteError`, also where it fails its probe."""
    known = families()
    if family not in known:
        alike = [PREFIX + name for name in get_close_matches(family, known)]
        hint = f"did you mean {' or '.join(alike)}? " if alike else ""
        listing = f"from {__name__} import families; print(*families())"
        raise UnknownSuiteError(
            f"reasoning-gym has no family {family!r}; {hint}To list all {len(known)}: "
            f'python -c "{listing}"'
        )
    scorer, levels = scorer or Scorer(), range(1, _highest_level(family) + 1)
    caveat = probe(scorer, Source(family, levels[0], seed=0))
    return ReasoningGym(family, levels, scorer=scorer, caveat=caveat)


def families() -> list[str]:
    """The names of all families."""
    return sorted(_factory().DATASETS.keys() - NEED_OTHER_DATASETS)


def readings(reply: str) -> list[str]:
    """The answers a reply can be taken to give: one mark, as it stands and without decoration.

    Without a mark it is the whole reply. An answer of several lines follows its mark to the end.
    """
    body = conclusion(reply)
    found = extract(reply, AnswerOptions())
    marked = [final_answer(body), found.text if found and found.structured else None]
    return list(dict.fromkeys(text for text in marked if text)) or [body.strip()]


def reference(entry: Entry) -> str:
    """One right answer; empty where the generator knows none."""
    metadata = entry["metadata"]
    candidates = chain([entry["answer"]], (metadata.get(key) for key in REFERENCE_KEYS))
    answer = next((answer for answer in candidates if answer is not None), "")
    return answer if isinstance(answer, str) else json.dumps(answer)


def data_set(source: Source) -> Any:
    """A data set of one difficulty; raises `TooFewQuestionsError` where its curriculum fails."""
    factory = _factory()
    family, level, seed = source
    settings: dict[str, Any] = {"seed": seed, "size": ENTRIES_PER_SEED}
    try:
        if factory.has_curriculum(family):
            curriculum = factory.create_curriculum(family)
            curriculum.set_global_level(level - 1)
            settings = vars(curriculum.generate_configuration(settings))
        return factory.create_dataset(family, **settings)
    except (AssertionError, ValueError) as error:
        raise TooFewQuestionsError(
            f"reasoning-gym cannot make level {level} of {family}: {error}"
        ) from error


def _highest_level(family: str) -> int:
    """Levels in the family's curriculum, 1 without one."""
    factory = _factory()
    if not factory.has_curriculum(family):
        return 1
    attributes = factory.create_curriculum(family).attributes.values()
    return max(len(attribute.levels) for attribute in attributes)


def _factory() -> Any:
    """reasoning-gym's registry, filled."""
    try:
        import reasoning_gym
    except ModuleNotFoundError as error:
        if error.name != "reasoning_gym":
            raise
        raise MissingPackageError(
            'the rg: suites need reasoning-gym: pip install "whet[gym]"'
        ) from error
    return reasoning_gym.factory
