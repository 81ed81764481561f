"""What a generation aims at: a suite of the proving ground, whose development questions judge it.

`SUITE` or, of a suite of private worlds, `SUITE/WORLD`, as tasks of imported examples are called;
without a world its development worlds. Questions that `whet eval` measures by are none of these:
a hash of its text puts each question into one split (`suites.split`), whatever world drew it. Nor
are questions that a record of the tenant asks, which may have been learned from.

Questions have ids like records, so that the budget of the run counts how often each has judged.

Once what is served answers nearly all of them, those of the next level judge, where there is one.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from hashlib import blake2b

from adaptation.errors import DistillationError
from adaptation.evaluation.suites import Suite, SuiteError, UnknownSuiteError, suite_named
from adaptation.evaluation.suites.errors import ScorerError
from adaptation.evaluation.suites.reasoning_gym import PREFIX
from adaptation.evaluation.suites.solved import Solved
from adaptation.evaluation.suites.split import Split
from adaptation.evaluation.suites.suite import FIRST_TRAINING_WORLD, WORLD_SEEDS, up_to
from adaptation.learning.candidates.scoring import Vectors
from adaptation.learning.distillation.budget import MOST_USES, OF_TARGET
from adaptation.learning.distillation.judging import Grade
from adaptation.learning.distillation.select import cluster, position
from adaptation.learning.monitors.saturation import is_saturated
from memory.types import Message, Record, State, Tier
from memory.versions.judgements import Judgement

DRAWN = 1_408
"""Questions at most: those of two generations that ask all they may, so that they take turns."""
LANDMARKS = 64
"""Questions by which it is told how near a record is."""
DRAWN_AT = datetime(2000, 1, 1, tzinfo=UTC)
_FAMILY = re.compile(re.escape(PREFIX) + r"[a-z0-9_]+")
_WORLD = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True)
class Target:
    """A suite, or a world of it."""

    name: str
    suite: Suite
    level: int
    """How difficult its questions are."""
    problems: Mapping[str, Solved]
    """By id, in an order that mixes worlds."""

    def questions(self, tenant: str) -> tuple[Record, ...]:
        """Return its questions as records, which no memory holds."""
        return tuple(_record(tenant, name, each) for name, each in self.problems.items())

    def fresh(
        self, tenant: str, known: Iterable[Record], uses: Mapping[str, int], seen: Collection[str]
    ) -> tuple[Record, ...]:
        """Return the questions that may judge, the least used first.

        Those that a record of `known` asks, that are `seen`, or that judged `MOST_USES` times may
        not.
        """
        asked = {cluster(record) for record in known}
        may = [
            question
            for question in self.questions(tenant)
            if question.id not in seen
            and uses.get(question.id, 0) < MOST_USES
            and cluster(question) not in asked
        ]
        return tuple(sorted(may, key=lambda question: uses.get(question.id, 0)))

    def is_saturated(self, judged: Iterable[Judgement]) -> bool:
        """Whether its questions, as they are drawn here, were once nearly all answered."""
        return any(
            is_saturated(each) and self.problems.keys() >= set(each.record_ids) for each in judged
        )

    def nearness(self, records: Sequence[Record], vectors: Vectors) -> list[float]:
        """Return the cosine of each record to the question of the target most like it."""
        if not records:
            return []
        of_target = vectors(self.questions(records[0].tenant)[:LANDMARKS])  # (m, d)
        found: list[float] = (vectors(records) @ of_target.T).max(axis=1).tolist()  # (n,)
        return found

    def grading(self, grade: Grade) -> Grade:
        """Return the suite's verifier for its own questions, and `grade` for all others."""

        def right(text: str, record: Record) -> bool:
            problem = self.problems.get(record.id)
            if problem is None:
                return grade(text, record)
            try:
                return self.suite.verify(problem, text)
            except ScorerError:  # it cannot judge its own reference: nobody gains by the question
                return False

        return right

    def require_enough(self, questions: Sequence[Record], least: int) -> None:
        """Raise `DistillationError` where too few may judge."""
        if len(questions) < least:
            raise DistillationError(
                f"{len(questions)} of {len(self.problems)} development questions of "
                f"{self.name} may judge, and a generation needs {least}: none judges more than "
                f"{MOST_USES} generations, nor what a record asks or a parent was judged by"
            )


def check_name(name: str) -> tuple[str, tuple[int, ...]]:
    """Return the suite that a target names, and its worlds; raises `SuiteError`.

    Families of reasoning-gym are looked for by `target_named`.
    """
    if _FAMILY.fullmatch(name):
        return name, (0,)
    suite, slash, world = name.partition("/")
    if suite.startswith(PREFIX):
        raise UnknownSuiteError(f"{name!r} is no family of reasoning-gym: say {PREFIX}FAMILY")
    found = suite_named(suite)
    if not slash:
        return suite, tuple(WORLD_SEEDS[Split.DEVELOPMENT][: found.worlds]) or (0,)
    if not found.worlds:
        raise SuiteError(f"suite {suite} has no worlds: say {suite}, without /{world}")
    if not _WORLD.fullmatch(world) or int(world) >= FIRST_TRAINING_WORLD:
        raise SuiteError(
            f"{name!r} is no world: say {suite}/N with N below {FIRST_TRAINING_WORLD}, as tasks of "
            "imported examples are called"
        )
    return suite, (int(world),)


def target_named(name: str, level: int | None = None, *, most: int = DRAWN) -> Target:
    """Draw the development questions of a target, `most` at most; raises `SuiteError`.

    `level` is their difficulty; None: that of an evaluation.
    """
    suite_name, worlds = check_name(name)
    suite = suite_named(suite_name)
    level = suite.default_level if level is None else level
    draw = partial(up_to, most // len(worlds), suite, split=Split.DEVELOPMENT, seed=0, level=level)
    drawn = [problem for world in worlds for problem in draw(world=world)]
    problems = {_id(suite_name, each): each for each in drawn}
    in_order = {key: problems[key] for key in sorted(problems, key=position)}
    return Target(name, suite, level, in_order)


def hard_enough(target: Target, judged: Sequence[Judgement]) -> Target:
    """Return the target at the first level, from its own on, that is not saturated.

    Where there is none, it stays at the last level that has questions.
    """
    while target.level < target.suite.levels[-1] and target.is_saturated(judged):
        harder = target_named(target.name, target.level + 1)
        if not harder.problems:
            break
        target = harder
    return target


def _id(suite: str, problem: Solved) -> str:
    said = f"{suite}\0{problem.task}\0{problem.question}"
    return f"{OF_TARGET}{blake2b(said.encode(), digest_size=8).hexdigest()}"


def _record(tenant: str, name: str, problem: Solved) -> Record:
    return Record(
        id=name,
        tenant=tenant,
        task=problem.task,
        messages=(Message(role="user", content=problem.question),),
        request={"tools": [dict(tool) for tool in problem.tools]} if problem.tools else {},
        answer=problem.answer,
        rationale=problem.rationale,
        tier=Tier.IMPORTED,
        state=State.ACTIVE,
        created_at=DRAWN_AT,
    )
