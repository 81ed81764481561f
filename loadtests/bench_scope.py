"""The champion's scope: which questions get it, and what that is worth.

Champions of development worlds, trained as `whet distill` trains them, and the base answer fresh
questions of the world and everyday ones (sums, stories, JSON, tools, manners). Under each threshold
it is known what every question would have been answered with.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from rich.console import Console
from rich.table import Table

from adaptation.conversation import Conversation, spoken
from adaptation.evaluation.suites import SUITES
from adaptation.evaluation.suites.errors import TooFewQuestionsError
from adaptation.evaluation.suites.solved import Solved
from adaptation.evaluation.suites.split import Split
from adaptation.evaluation.suites.suite import Group, Suite
from adaptation.learning.distillation.replay import PROMPTS, rehearsals
from adaptation.learning.training.process import ProcessTrainer
from adaptation.learning.training.recipes import distillation_recipe
from adaptation.learning.training.trainer import TrainingJob
from adaptation.learning.tuning.task import FIRST_WORLD
from loadtests import arguments
from loadtests.measure.scope import Answered, worth
from memory.embedding.embedder import Embedder, create_embedder
from memory.types import Message
from server.terminal import phases, write_json

EXAMPLES = """\
examples:
  python -m loadtests.bench_scope                          the built-in model, some minutes
  python -m loadtests.bench_scope --embedder hashing       the thresholds of another embedder
"""
EVERYDAY = (Group.IN_DISTRIBUTION, Group.GUARD)
THRESHOLDS = {"all": -1.0} | {f"{least:.2f}": least for least in (0.5, 0.6, 0.65, 0.7, 0.75, 0.8)}
MOST_TOKENS = 128
TIMEOUT_S = 3_600.0


@dataclass(frozen=True)
class Asked:
    """A question and the suite that judges the reply."""

    suite: Suite
    solved: Solved

    @property
    def conversation(self) -> Conversation:
        """The question alone."""
        return spoken(Message(role="user", content=self.solved.question))


@dataclass(frozen=True)
class World:
    """What a champion is made of, and what it and the base are asked."""

    name: str
    learned: tuple[Solved, ...]
    asked: tuple[Asked, ...]


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, keep."""
    args = _arguments(argv)
    found = asyncio.run(_measured(args))
    target = [each for world, answered in found.items() for each in answered if _is_of(each, world)]
    everyday = [
        each for world, answered in found.items() for each in answered if not _is_of(each, world)
    ]
    _print("fresh questions of what was learned", target)
    _print("everyday questions", everyday)
    figures = {world: [asdict(each) for each in answered] for world, answered in found.items()}
    write_json({"model": args.model, "embedder": args.embedder, "worlds": figures}, str(args.out))
    print(f"kept in {args.out}")
    return 0


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = arguments.parser("bench_scope", __doc__, EXAMPLES)
    arguments.add_worlds(parser, "bench-scope", worlds=2, questions=20)
    parser.add_argument("--records", type=int, default=64, help="learned of each (default: 64)")
    parser.add_argument("--embedder", default="minilm", help="as `whet serve` takes it")
    return parser.parse_args(argv)


def _is_of(answered: Answered, world: str) -> bool:
    return answered.suite == world.partition("/")[0]


def _worlds(count: int, records: int, questions: int) -> list[World]:
    shifted = [suite for suite in SUITES.values() if suite.group is Group.SHIFTED]
    everyday = [
        Asked(suite, solved)
        for suite in SUITES.values()
        if suite.group in EVERYDAY
        for solved in _drawn(suite, questions, Split.DEVELOPMENT, 0)
    ]
    return [
        World(
            f"{suite.name}/{seed}",
            tuple(_drawn(suite, records, Split.MEMORY, seed)),
            (
                *(Asked(suite, each) for each in _drawn(suite, questions, Split.DEVELOPMENT, seed)),
                *everyday,
            ),
        )
        for seed in range(FIRST_WORLD, FIRST_WORLD + count)
        for suite in shifted
    ]


def _drawn(suite: Suite, count: int, split: Split, world: int) -> list[Solved]:
    """Draw questions: as many as the suite has where it has fewer."""
    given = {"split": split, "seed": 0, "level": suite.default_level, "world": world}
    try:
        return suite.problems(count, **given)
    except TooFewQuestionsError as error:
        return suite.problems(error.available, **given)


async def _measured(args: argparse.Namespace) -> Mapping[str, list[Answered]]:
    worlds = _worlds(args.worlds, args.records, args.questions)
    embedder = create_embedder(args.embedder)
    trainer = ProcessTrainer(arguments.trained_model(args))
    found: dict[str, list[Answered]] = {}
    try:
        await trainer.start()
        prompts = [spoken(Message(role="user", content=prompt)) for prompt in PROMPTS]
        said = await _replies(trainer, prompts, None)
        base: dict[str, str] = {}
        with phases() as advance:
            for world in worlds:
                found[world.name] = await _of_world(trainer, embedder, world, said, base)
                advance("champions", len(found), len(worlds))
    finally:
        await trainer.close()
    return found


async def _of_world(
    trainer: ProcessTrainer,
    embedder: Embedder,
    world: World,
    said: Sequence[str],
    base: dict[str, str],
) -> list[Answered]:
    """`said` are the base's replies to `PROMPTS`; `base` gathers those to questions."""
    prompts = [asked.conversation for asked in world.asked]
    new = [asked for asked in world.asked if asked.solved.question not in base]
    replies = await _replies(trainer, [asked.conversation for asked in new], None)
    base |= {asked.solved.question: reply for asked, reply in zip(new, replies, strict=True)}
    with tempfile.TemporaryDirectory(prefix="whet-scope-") as folder:
        job = TrainingJob(
            conversations=(*map(_solution, world.learned), *rehearsals(said, len(world.learned))),
            recipe=distillation_recipe(trainer.parameters, len(world.learned)),
            output_dir=folder,
        )
        await trainer.train(job, TIMEOUT_S)
        champion = await _replies(trainer, prompts, folder)
    learned = embedder.embed([each.question for each in world.learned])  # (r, d)
    questions = embedder.embed([asked.solved.question for asked in world.asked])  # (n, d)
    similarities = (questions @ learned.T).max(axis=1)  # (n,)
    return [
        Answered(
            suite=asked.suite.name,
            similarity=float(similarity),
            base=asked.suite.verify(asked.solved, before),
            champion=asked.suite.verify(asked.solved, after),
            alike=before == after,
        )
        for asked, similarity, after in zip(world.asked, similarities, champion, strict=True)
        for before in [base[asked.solved.question]]
    ]


def _solution(solved: Solved) -> Conversation:
    reply = Message(role="assistant", content=solved.rationale)
    return spoken(Message(role="user", content=solved.question), reply)


async def _replies(
    trainer: ProcessTrainer, prompts: Sequence[Conversation], adapter: str | None
) -> list[str]:
    return await trainer.generate(prompts, adapter, MOST_TOKENS, TIMEOUT_S)


def _print(title: str, answered: Sequence[Answered]) -> None:
    table = Table("least", "champion's", "right", "changed", box=None, title=title)
    for label, least in (THRESHOLDS | {"none": 2.0}).items():
        table.add_row(label, *(f"{share:.1%}" for share in worth(answered, least)))
    Console(markup=False, highlight=False).print(table, f"n = {len(answered)}\n")


if __name__ == "__main__":
    sys.exit(main())
