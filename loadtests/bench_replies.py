"""`make bench-replies`: replies of a generation by the trainer's decoder, and by vLLM's batches.

Both processes stand beside each other and answer in turns: everyday prompts greedily, and several
draws of each, of the base and of an adapter. Told are seconds, seconds of cores and the tokens that
came; how long each takes to start, and how many greedy replies are the same.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import psutil
from rich.console import Console
from rich.table import Table

from adaptation.conversation import Conversation, spoken
from adaptation.learning.distillation.replay import PROMPTS
from adaptation.learning.training.process import ProcessTrainer, ResidentTrainer
from adaptation.learning.training.trainer import Draw, Generated, Recipe, TrainingJob
from adaptation.statistics import geometric_mean
from loadtests import arguments
from memory.types import Message
from server.jobs.kinds.distill import make_replier
from server.jobs.of_base import OfBase
from server.terminal import phases, write_json

EXAMPLES = """\
examples:
  python -m loadtests.bench_replies                     the built-in model, three minutes
  python -m loadtests.bench_replies --model smollm2 --rounds 2
"""
TOKENS, TIMEOUT_S = 96, 3_600.0
TRAINER, VLLM = "trainer", "vllm"
STEPS = 4
"""Of the adapter that is asked: any will do that changes the model."""
Ways = dict[str, ResidentTrainer]


@dataclass(frozen=True)
class Turn:
    """What one process took for one lot of replies."""

    way: str
    asked: str
    seconds: float
    cpu_s: float
    tokens: int
    texts: tuple[str, ...]


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, keep."""
    args = _arguments(argv)
    starts, turns = asyncio.run(_measured(args))
    found = [{k: v for k, v in asdict(turn).items() if k != "texts"} for turn in turns]
    told = {"model": args.model, "starts": starts, "turns": found, "same": _same(turns)}
    write_json(told, str(args.out))
    _print(starts, turns)
    print(f"kept in {args.out}")
    return 0


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = arguments.parser("bench_replies", __doc__, EXAMPLES)
    arguments.add_model(parser, "bench-replies")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each (default: 3)")
    parser.add_argument("--prompts", type=int, default=len(PROMPTS), help="everyday ones (all)")
    parser.add_argument("--draws", type=int, default=4, help="of each prompt (default: 4)")
    return parser.parse_args(argv)


async def _measured(args: argparse.Namespace) -> tuple[dict[str, Sequence[float]], list[Turn]]:
    model = arguments.trained_model(args)
    ways: Ways = {TRAINER: ProcessTrainer(model), VLLM: make_replier(OfBase(model=model), "auto")}
    prompts = [spoken(Message(role="user", content=each)) for each in PROMPTS[: args.prompts]]
    try:
        starts = {name: await _started(way) for name, way in ways.items()}
        with tempfile.TemporaryDirectory(prefix="whet-replies-") as folder, phases() as advance:
            await _trained(ways[TRAINER], prompts, folder)
            turns: list[Turn] = []
            for number in range(args.rounds):
                turns += await _round(ways, prompts, folder, args.draws)
                advance("rounds", number + 1, args.rounds)
    finally:
        await asyncio.gather(*(way.close() for way in ways.values()))
    return starts, turns


async def _started(way: ResidentTrainer) -> Sequence[float]:
    """Return seconds, and seconds of cores."""
    began = time.perf_counter()
    await way.start()
    return time.perf_counter() - began, _cpu_s(way)


async def _trained(trainer: ResidentTrainer, prompts: Sequence[Conversation], folder: str) -> None:
    answer = Message(role="assistant", content="It is as it is.")
    learned = tuple(Conversation(messages=(*each.messages, answer)) for each in prompts[:8])
    recipe = Recipe(steps=STEPS, min_loss=0.0)
    job = TrainingJob(conversations=learned, recipe=recipe, output_dir=folder)
    await trainer.train(job, TIMEOUT_S)


async def _round(
    ways: Ways, prompts: Sequence[Conversation], adapter: str, draws: int
) -> list[Turn]:
    found = []
    for under, folder in (("base", None), ("adapter", adapter)):
        for how, draw, times in (("greedy", None, 1), (f"{draws} draws", Draw(), draws)):
            for name, way in ways.items():
                before = _cpu_s(way)
                asked = [*prompts] * times
                told = await way.timed(asked, folder, TOKENS, TIMEOUT_S, draw=draw)
                found.append(_turn(name, f"{under}, {how}", told, _cpu_s(way) - before))
    return found


def _turn(way: str, asked: str, told: Generated, cpu_s: float) -> Turn:
    return Turn(way, asked, told.seconds, cpu_s, told.tokens, told.texts)


def _cpu_s(way: ResidentTrainer) -> float:
    """Return the processor time of a process, and of those that it started."""
    assert way.pid is not None
    process = psutil.Process(way.pid)
    times = [each.cpu_times() for each in (process, *process.children(recursive=True))]
    return sum(each.user + each.system for each in times)


def _of(turns: Sequence[Turn], way: str, asked: str) -> list[Turn]:
    return [turn for turn in turns if (turn.way, turn.asked) == (way, asked)]


def _same(turns: Sequence[Turn]) -> dict[str, list[int]]:
    """Return of each lot of greedy replies how many are the same, and of how many."""
    found = {}
    for asked in dict.fromkeys(turn.asked for turn in turns if "greedy" in turn.asked):
        pairs = [_of(turns, way, asked)[0].texts for way in (TRAINER, VLLM)]
        same = sum(one == other for one, other in zip(*pairs, strict=True))
        found[asked] = [same, len(pairs[0])]
    return found


def _print(starts: dict[str, Sequence[float]], turns: Sequence[Turn]) -> None:
    columns = ("", "trainer: s", "of cores", "tokens", "vLLM: s", "of cores", "tokens", "ratio")
    table = Table(*columns, "of cores", box=None, pad_edge=False)
    rows = [f"{each:.1f}" for way in (TRAINER, VLLM) for each in (*starts[way], 0.0)]
    table.add_row("start", *rows)
    for asked in dict.fromkeys(turn.asked for turn in turns):
        lots = [_of(turns, way, asked) for way in (TRAINER, VLLM)]
        shown = [
            f"{_mean(lot, what):.2f}" for lot in lots for what in ("seconds", "cpu_s", "tokens")
        ]
        ratios = [_ratio(*lots, what) for what in ("seconds", "cpu_s")]
        table.add_row(asked, *shown, *ratios)
    Console(width=120).print(table)
    for asked, (same, among) in _same(turns).items():
        print(f"{asked}: {same} of {among} replies are the same")


def _mean(lot: Sequence[Turn], what: str) -> float:
    return sum(float(getattr(turn, what)) for turn in lot) / len(lot)


def _ratio(one: Sequence[Turn], other: Sequence[Turn], what: str) -> str:
    """Tell vLLM's share of what the trainer takes a token: the mean of turns, and its interval."""
    each = zip(one, other, strict=True)
    found = geometric_mean(
        [getattr(b, what) / b.tokens / (getattr(a, what) / a.tokens) for a, b in each]
    )
    return f"{found.value:.2f} ({found.low:.2f} to {found.high:.2f})"


if __name__ == "__main__":
    sys.exit(main())
