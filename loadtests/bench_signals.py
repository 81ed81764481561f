"""Ways to train that papers recommend, each beside Whet's own, on the same examples and questions.

Each trains on development worlds and answers their questions greedily, in this process: no gate, no
vote. A signal is worth keeping where it helps on both models.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from random import Random

import torch
from rich.console import Console
from rich.table import Table

from adaptation.conversation import Conversation
from adaptation.errors import TrainerError
from adaptation.learning.service import adapter_io
from adaptation.learning.service.base import Base
from adaptation.learning.service.decoding import generate
from adaptation.learning.training.chat import Template
from adaptation.learning.training.recipes import recipe_for
from adaptation.learning.tuning.task import Task, of_worlds
from adaptation.learning.tuning.trying import longest_reply
from adaptation.statistics import paired, wilson
from loadtests import arguments
from loadtests.measure.signals import SHOWN, SIGNALS, Signal, behind, train
from server.terminal import phases, write_json

EXAMPLES = """\
examples:
  python -m loadtests.bench_signals                   the built-in model, half an hour
  python -m loadtests.bench_signals --model smollm2 --worlds 1 --questions 12     two hours
"""
EXAMPLES_LEARNED = 16
"""With as many as a request trains on whet-pebble answers nearly everything: nothing could help."""
ALONE, BEHIND = "alone", f"behind {SHOWN} neighbours"
OURS = SIGNALS[0].name


@dataclass(frozen=True)
class Row:
    """How one signal answered the questions of one task."""

    signal: str
    asked: str
    """How: alone, or behind neighbours."""
    task: str
    right: tuple[bool, ...]
    steps: int


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, keep."""
    args = _arguments(argv)
    tasks = [
        replace(task, learned=task.learned[: args.examples])
        for task in of_worlds(args.worlds, args.questions)
    ]
    torch.set_flush_denormal(True)  # as the trainer does
    base = Base.load(arguments.trained_model(args), Template(), "cpu")
    rows: list[Row] = []
    with phases() as advance:
        signals = [each for each in SIGNALS if each.name in (args.only or [each.name, OURS])]
        for task in tasks:
            for signal in (None, *signals):
                rows += _tried(base, task, signal)
                advance("trainings", len({(row.task, row.signal) for row in rows}), None)
            write_json({"model": args.model, "rows": [asdict(row) for row in rows]}, str(args.out))
    _print(rows)
    print(f"kept in {args.out}")
    return 0


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = arguments.parser("bench_signals", __doc__, EXAMPLES)
    arguments.add_worlds(parser, "bench-signals", worlds=4, questions=24)
    names = [signal.name for signal in SIGNALS]
    parser.add_argument(
        "--examples",
        type=int,
        default=EXAMPLES_LEARNED,
        help=f"solved neighbours to learn from (default: {EXAMPLES_LEARNED})",
    )
    parser.add_argument("--only", nargs="+", choices=names, help="signals (default: all)")
    return parser.parse_args(argv)


def _tried(base: Base, task: Task, signal: Signal | None) -> Iterator[Row]:
    """Train as the signal says (None: not at all), and ask."""
    name, steps = "no training" if signal is None else signal.name, 0
    ways = [ALONE, BEHIND] if signal is None or signal.behind else [ALONE]
    with tempfile.TemporaryDirectory(prefix="whet-signals-") as folder:
        if signal is not None:
            recipe = recipe_for(base.n_parameters)
            adapter = adapter_io.fresh(base, recipe.rank, recipe.seed)
            try:
                steps = train(base, adapter, task, signal, recipe).steps
            except TrainerError as error:
                print(f"{name}, {task.name}: {error}", file=sys.stderr)
            adapter_io.write(adapter, base, folder)
        for way in ways:
            right = _answered(base, task, folder if signal is not None else None, way)
            yield Row(name, way, task.name, right, steps)


def _answered(base: Base, task: Task, adapter: str | None, way: str) -> tuple[bool, ...]:
    prompts = [_put(task, question.conversation, way) for question in task.questions]
    most = longest_reply([task])
    never = threading.Event()
    replies = generate(base, prompts, adapter, most, never, lambda done, total: None).texts
    return tuple(q.is_right(reply) for q, reply in zip(task.questions, replies, strict=True))


def _put(task: Task, asked: Conversation, way: str) -> Conversation:
    if way == ALONE:
        return asked
    return behind(asked, Random(asked.messages[0].content).sample(task.learned, SHOWN))


def _print(rows: Sequence[Row]) -> None:
    table = Table("training", "asked", "right", "95 %", "helped, hurt", "p", "steps", box=None)
    ours = _marks(rows, OURS, ALONE)
    for name, way in dict.fromkeys((row.signal, row.asked) for row in rows):
        mine = [row for row in rows if (row.signal, row.asked) == (name, way)]
        right = _marks(rows, name, way)
        found, beside = wilson(sum(right), len(right)), paired(ours, right)
        table.add_row(
            name,
            way,
            f"{sum(right) / len(right):.1%}",
            f"{found.low:.0%} to {found.high:.0%}",
            f"{beside.helped}, {beside.hurt}",
            f"{beside.p_value:.3f}",
            f"{sum(row.steps for row in mine) / len(mine):.0f}",
        )
    Console(markup=False, highlight=False).print(table)


def _marks(rows: Sequence[Row], signal: str, way: str) -> list[bool]:
    return [mark for row in rows if (row.signal, row.asked) == (signal, way) for mark in row.right]


if __name__ == "__main__":
    sys.exit(main())
