"""The gate's own errors: adapters that answer nothing right and are accepted, gains it refuses.

Adapters of development worlds, trained well, too briefly and too hot, answer questions that no gate
sees, so what each is worth is known; then the gate judges it by other held-out questions, many
times over.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from random import Random

from rich.console import Console
from rich.table import Table

from adaptation.evaluation.suites.suite import Group
from adaptation.learning.neighbours import RESERVE
from adaptation.learning.training.gate import judge_losses
from adaptation.learning.training.process import ProcessTrainer
from adaptation.learning.training.recipes import recipe_for
from adaptation.learning.training.trainer import Recipe, TrainingJob
from adaptation.learning.tuning.task import Question, Task, of_worlds
from adaptation.learning.tuning.trying import longest_reply
from adaptation.policy import Policy
from adaptation.statistics import flips
from loadtests import arguments
from loadtests.measure.gate import GAINS, HARMS, NEITHER, USELESS, Judged, acceptance, of_kind
from server.terminal import phases, write_json

EXAMPLES = """\
examples:
  python -m loadtests.bench_gate                           the built-in model, some minutes
  python -m loadtests.bench_gate --model smollm2 --worlds 1     half an hour on two cores
"""
HELD_OUT = Policy().holdout
TIMEOUT_S = 3_600.0


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, keep."""
    args = _arguments(argv)
    judged = asyncio.run(_measured(args))
    _print(judged)
    figures = {"model": args.model, "adapters": [asdict(each) for each in judged]}
    write_json(figures, str(args.out))
    print(f"kept in {args.out}")
    return 0


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = arguments.parser("bench_gate", __doc__, EXAMPLES)
    arguments.add_worlds(parser, "bench-gate", worlds=3, questions=24)
    parser.add_argument(
        "--in-distribution", action="store_true", help="add what the model knows in part already"
    )
    return parser.parse_args(argv)


async def _measured(args: argparse.Namespace) -> list[Judged]:
    trainer = ProcessTrainer(arguments.trained_model(args))
    groups = [Group.SHIFTED, *([Group.IN_DISTRIBUTION] if args.in_distribution else [])]
    tasks = [
        task
        for group in groups
        for task in of_worlds(args.worlds, args.questions, HELD_OUT + RESERVE, group)
    ]
    judged: list[Judged] = []
    try:
        await trainer.start()
        recipes = _recipes(recipe_for(trainer.parameters))
        with phases() as advance:
            for task in tasks:
                judged += await _of_task(trainer, task, recipes)
                advance("adapters judged", len(judged), len(tasks) * len(recipes))
    finally:
        await trainer.close()
    return judged


def _recipes(usual: Recipe) -> Mapping[str, Recipe]:
    def changed(**changes: float) -> Recipe:
        return usual.model_copy(update=changes)

    return {
        "usual": usual,
        "an eighth of the steps": changed(steps=max(1, usual.steps // 8)),
        "one step": changed(steps=1),
        "ten times the rate": changed(learning_rate=min(1.0, 10 * usual.learning_rate)),
    }


async def _of_task(
    trainer: ProcessTrainer, task: Task, recipes: Mapping[str, Recipe]
) -> list[Judged]:
    questions = [*task.questions, *task.held_out_questions]
    base = await _marks(trainer, task, questions, None)
    return [
        await _judged(trainer, task, name, recipe, questions, base)
        for name, recipe in recipes.items()
    ]


async def _judged(
    trainer: ProcessTrainer,
    task: Task,
    name: str,
    recipe: Recipe,
    questions: Sequence[Question],
    base: Sequence[bool],
) -> Judged:
    asked = len(task.questions)
    with tempfile.TemporaryDirectory(prefix="whet-gate-") as folder:
        job = TrainingJob(
            conversations=task.learned,
            holdout=task.held_out[:HELD_OUT],
            recipe=recipe,
            output_dir=folder,
        )
        result = await trainer.train(job, TIMEOUT_S)
        adapted = await _marks(trainer, task, questions, folder)
    by_losses = judge_losses(result).accepted
    helped, hurt = flips(base[:asked], adapted[:asked])
    share = acceptance(base[asked:], adapted[asked:], HELD_OUT, Random(0))
    return Judged(
        task=task.name,
        recipe=name,
        base=sum(base[:asked]),
        adapted=sum(adapted[:asked]),
        helped=helped,
        hurt=hurt,
        asked=asked,
        accepted=share if by_losses else 0.0,
        accepted_by_losses=by_losses,
    )


async def _marks(
    trainer: ProcessTrainer, task: Task, questions: Sequence[Question], adapter: str | None
) -> list[bool]:
    prompts = [question.conversation for question in questions]
    replies = await trainer.generate(prompts, adapter, longest_reply([task]), TIMEOUT_S)
    return [q.is_right(reply) for q, reply in zip(questions, replies, strict=True)]


def _print(judged: Sequence[Judged]) -> None:
    table = Table("adapters that", "n", "accepted", "95 % interval", "by losses alone", box=None)
    for kind in (USELESS, GAINS, HARMS, NEITHER):
        mine = [each for each in judged if each.kind == kind]
        if (found := of_kind(judged, kind)) is None:
            table.add_row(kind, "0", "", "", "")
            continue
        share, interval = found
        by_losses = sum(each.accepted_by_losses for each in mine)
        bounds = f"{interval.low:.1%} to {interval.high:.1%}"
        table.add_row(kind, str(len(mine)), f"{share:.1%}", bounds, f"{by_losses / len(mine):.0%}")
    Console(markup=False, highlight=False).print(table)


if __name__ == "__main__":
    sys.exit(main())
