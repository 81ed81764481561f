"""Stragglers of votes: what cutting them saves, and what it costs, under each factor.

The model answers thirty everyday first messages and word problems many times, without an engine.
Then votes are held over these samples, in many orders: waiting for all of them, and with each
factor. `cut` is the share of the votes that cut a sample, `to the bound` of those that wait for one
up to the most tokens that it may have; `tokens` and `wait` are shares of what votes take that wait.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
import torch
from pydantic import TypeAdapter
from rich.console import Console
from rich.table import Table

from adaptation.conversation import spoken
from adaptation.evaluation.suites import SUITES
from adaptation.evaluation.suites.split import Split
from adaptation.learning.service.base import Base
from adaptation.learning.service.continuing import replies
from adaptation.learning.service.decoding import stops
from adaptation.learning.service.reply import Asked
from adaptation.learning.training.chat import Template
from adaptation.learning.training.trainer import Draw
from adaptation.statistics import Interval
from loadtests import arguments
from loadtests.measure.stragglers import Drawn, Question, Row, Voted, row, until_it_repeats, voted
from memory.embedding.embedder import create_embedder
from memory.types import Message
from server.terminal import phases, write_json
from tests.e2e.test_first_messages import MESSAGES, is_sensible

EXAMPLES = """\
examples:
  python -m loadtests.bench_stragglers                    the built-in model, minutes
  python -m loadtests.bench_stragglers --model smollm2    half an hour on an idle core
"""
FACTORS = (2.0, 4.0, 8.0, 16.0)
EVERYDAY, PROBLEMS = "everyday", "word problems"
SUITE = "stories"
AT_ONCE = 16
"""Questions whose samples are drawn beside each other."""
SAMPLES = TypeAdapter(dict[str, tuple[Drawn, ...]])
IsRight = Callable[[str], bool]


def main(argv: Sequence[str] | None = None) -> int:
    """Draw what has not been drawn, vote, print, keep."""
    args = _arguments(argv)
    questions = _drawn(args)
    found = {
        kind: asyncio.run(_votes([each for each in questions if each.kind == kind], args.votes))
        for kind in dict.fromkeys(each.kind for each in questions)
    }
    figures = {kind: [asdict(row) for row in rows] for kind, rows in found.items()}
    for kind, rows in found.items():
        _print(f"{kind}, {args.model}", rows)
    write_json({"model": args.model, "votes": args.votes, "kinds": figures}, str(args.out))
    print(f"kept in {args.out}")
    return 0


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = arguments.parser("bench_stragglers", __doc__, EXAMPLES)
    arguments.add_model(parser, "bench-stragglers")
    parser.add_argument("--problems", type=int, default=20, help="word problems (default: 20)")
    parser.add_argument("--samples", type=int, default=8, help="of each question (default: 8)")
    parser.add_argument("--most-tokens", type=int, default=512, help="of a sample (default: 512)")
    parser.add_argument("--votes", type=int, default=10, help="on each question (default: 10)")
    parser.add_argument("--temperature", type=float, default=0.8, help="(default: 0.8)")
    parser.add_argument("--seed", type=int, default=1, help="of the samples (default: 1)")
    parser.add_argument(
        "--drawn", type=Path, metavar="FILE", help="where samples are kept, and gone on with"
    )
    return parser.parse_args(argv)


def _asked(problems: int) -> dict[str, tuple[str, IsRight]]:
    """Return the kind of each question, and who judges a reply."""
    asked: dict[str, tuple[str, IsRight]] = {
        message: (EVERYDAY, partial(is_sensible, message)) for message in MESSAGES
    }
    suite = SUITES[SUITE]
    for solved in suite.problems(problems, split=Split.DEVELOPMENT, seed=0, level=1):
        asked[solved.question] = (PROBLEMS, partial(suite.verify, solved))
    return asked


def _drawn(args: argparse.Namespace) -> list[Question]:
    """Return all questions with their samples, drawn now where they are not kept."""
    asked = _asked(args.problems)
    known = {}
    if args.drawn is not None and args.drawn.exists():
        known = SAMPLES.validate_json(args.drawn.read_bytes())
    missing = [question for question in asked if question not in known]
    if missing:
        base = Base.load(arguments.trained_model(args), Template(), "cpu")
    with phases() as advance:
        for start in range(0, len(missing), AT_ONCE):
            now = missing[start : start + AT_ONCE]
            known |= dict(zip(now, _samples(base, now, args), strict=True))
            if args.drawn is not None:
                args.drawn.write_bytes(SAMPLES.dump_json(known))
            advance("questions answered", start + len(now), len(missing))
    return [
        Question(kind, question, known[question], judge)
        for question, (kind, judge) in asked.items()
    ]


def _samples(
    base: Base, questions: Sequence[str], args: argparse.Namespace
) -> list[tuple[Drawn, ...]]:
    """Draw the samples of some questions beside each other."""
    conversations = [spoken(Message(role="user", content=each)) for each in questions]
    prompts = [base.chat.encode(each) for each in conversations for _ in range(args.samples)]
    draw = Draw(temperature=args.temperature, seed=args.seed)
    asked = Asked(prompts, args.most_tokens, stops(base), draw, threading.Event())
    found: list[Drawn] = [Drawn(0, "", has_ended=True, is_bounded=False)] * len(prompts)
    with torch.inference_mode():
        for place, ids in replies(base, asked):
            cut = until_it_repeats(ids)
            text = base.chat.tokenizer.decode(cut, skip_special_tokens=True)
            is_bounded = len(ids) == args.most_tokens and cut is ids
            has_ended = cut is ids and not is_bounded
            found[place] = Drawn(len(cut) + has_ended, text, has_ended, is_bounded)
    each = args.samples
    return [tuple(found[start : start + each]) for start in range(0, len(found), each)]


async def _votes(questions: Sequence[Question], votes: int) -> list[Row]:
    """Hold votes on questions of one kind, and set each factor beside waiting."""
    known: dict[str, np.ndarray] = {}
    embedder = create_embedder("minilm")

    async def embed(texts: Sequence[str]) -> np.ndarray:
        new = [text for text in dict.fromkeys(texts) if text not in known]
        if new:
            known.update(zip(new, embedder.embed(new), strict=True))
        return np.stack([known[text] for text in texts])

    async def held(factor: float | None) -> list[Voted]:
        return [
            await voted(question, factor, order, embed)
            for question in questions
            for order in range(votes)
        ]

    waiting = await held(None)
    factors = {"none": None} | {f"{factor:g}": factor for factor in FACTORS}
    return [row(name, await held(factor), waiting) for name, factor in factors.items()]


def _print(title: str, rows: Sequence[Row]) -> None:
    table = Table(title=f"\n{title}", title_justify="left", box=None)
    names = ("factor", "cut", "to the bound", "tokens", "wait", "other text", "right", "right lost")
    for name in names:
        table.add_column(name, justify="right")
    for each in rows:
        costs = (each.with_cuts, each.bounded, each.tokens, each.wait)
        found = (each.changed, each.right, each.lost)
        table.add_row(each.factor, *map(_percent, costs), *map(_percent, found))
    Console(width=None if sys.stdout.isatty() else 160).print(table)


def _percent(share: Interval) -> str:
    return f"{share.value:.1%} ({100 * share.low:.0f} to {100 * share.high:.0f})"


if __name__ == "__main__":
    sys.exit(main())
