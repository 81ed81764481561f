"""`make bench-answers`: reading and comparing answers, beside math-verify alone in the same run.

Both are put the corpus of `tests/memory/identity/answers`: read a reply, compare the value with the
one a person reads in it. Then what long replies, votes and hostile texts cost us.
"""

from __future__ import annotations

import gc
import logging
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from random import Random

from math_verify import parse, verify
from rich.console import Console
from rich.table import Table

from adaptation.types import Sample
from adaptation.voting.tally import Tally
from loadtests import arguments
from memory.identity.answers import Answer, agree, canonical, extract
from memory.identity.answers.options import AnswerOptions
from server.terminal import write_json
from tests.memory.identity.answers.corpus import Reply, replies
from tests.memory.identity.answers.pairs import equal_pairs, unequal_pairs

EXAMPLES = """\
examples:
  python -m loadtests.bench_answers                     the table of docs/answers.md
  python -m loadtests.bench_answers --json FILE         and as JSON
"""
MATH, AUTO = AnswerOptions(kind="math"), AnswerOptions()
LONG_CHARS = 16_384
VOTES = 64
REPEATS = 300
HOSTILE_CHARS = 1_000_000
HOSTILE = {
    "nested braces": "\\boxed{" * (HOSTILE_CHARS // 7),
    "one line of digits": "7" * HOSTILE_CHARS,
    "one line of sums": "1+" * (HOSTILE_CHARS // 2),
    "mixed scripts": "３，½x²≤∞–答案是" * (HOSTILE_CHARS // 12),
    "brackets": "([{<" * (HOSTILE_CHARS // 4),
    "marks": "the answer is " * (HOSTILE_CHARS // 14),
}


@dataclass(frozen=True)
class Scored:
    """One reader on the replies of the corpus."""

    name: str
    per_second: float
    wrong: int
    """Another value than the reply gives."""
    missed: int
    total: int


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = arguments.parser("bench_answers", __doc__, EXAMPLES)
    parser.add_argument("--json", metavar="FILE", nargs="?", const="-", help="write the figures")
    args = parser.parse_args(argv)
    logging.disable()
    asked = [reply for reply in replies() if not reply.kind]
    ours, theirs = _scored("whet", _whet, asked), _scored("math-verify", _math_verify, asked)
    gc.collect()
    gc.freeze()  # math-verify's modules are in the server's worker processes, not in its own
    costs = {
        f"reading a reply of {LONG_CHARS} characters": _percentiles(_long_replies(asked)),
        f"counting a vote of {VOTES}": _percentiles(_votes(asked)),
    }
    hostile = {name: _timed(partial(extract, text, AUTO)) for name, text in HOSTILE.items()}
    pairs = _pairs()
    if args.json != "-":
        _print(Console(), (ours, theirs), costs, hostile, pairs)
    figures = {
        "readers": [vars(ours), vars(theirs)],
        "ms": costs,
        "hostile_s": hostile,
        "pairs": pairs,
    }
    write_json(figures, args.json)
    return 0


def _whet(reply: Reply) -> str:
    found = extract(reply.text, MATH)
    if found is None:
        return "none"
    return "right" if agree(found.key, canonical(reply.value)) else "other"


def _math_verify(reply: Reply) -> str:
    found = parse(reply.text)
    if not found:
        return "none"
    return "right" if verify(_gold(reply.value), found) else "other"


@cache
def _gold(value: str) -> list[object]:
    """A reference in the form math-verify likes best; parsed once, as Whet's are."""
    found: list[object] = parse(f"${value}$") or parse(value)
    return found


def _scored(name: str, judge: Callable[[Reply], str], asked: Sequence[Reply]) -> Scored:
    judge(asked[0])  # what is loaded on first use is no reading
    began = time.thread_time()
    verdicts = [judge(reply) for reply in asked]
    seconds = time.thread_time() - began
    wrong = missed = 0
    for reply, verdict in zip(asked, verdicts, strict=True):
        has_value = reply.value != "none"
        wrong += verdict == "other" or (verdict == "right" and not has_value)
        missed += verdict == "none" and has_value
    return Scored(name, len(asked) / seconds, wrong, missed, len(asked))


def _long_replies(asked: Sequence[Reply]) -> list[float]:
    """Milliseconds to read each of many replies with a long way to their end."""
    rng = Random(0)
    steps = [
        reply.text for reply in asked if "boxed" not in reply.text and "answer" not in reply.text
    ]
    found = []
    for place in range(REPEATS):
        reply, way = asked[place * len(asked) // REPEATS], ""
        while len(way) < LONG_CHARS - len(reply.text):
            way += rng.choice(steps) + "\n"
        text = way[: LONG_CHARS - len(reply.text) - 1] + "\n" + reply.text
        found.append(1000 * _timed(partial(extract, text, AUTO)))
    return found


def _votes(asked: Sequence[Reply]) -> list[float]:
    """Milliseconds to count a whole vote of answers that were read: 64 texts, as they come."""
    rng = Random(0)
    read = [(reply, found) for reply in asked if (found := extract(reply.text, AUTO))]
    votes = [rng.choices(read, k=VOTES) for _ in range(REPEATS)]
    return [1000 * _timed(partial(_counted, vote)) for vote in votes]


def _counted(vote: Sequence[tuple[Reply, Answer]]) -> Tally:
    tally = Tally()
    for index, (reply, answer) in enumerate(vote):
        tally.add(Sample(index, reply.text, 1, "stop"), answer)
    return tally


def _timed(work: Callable[[], object]) -> float:
    """Seconds of this thread: other programs on the machine do not count."""
    began = time.thread_time()
    work()
    return time.thread_time() - began


def _percentiles(values: Iterable[float]) -> dict[str, float]:
    cuts = statistics.quantiles(values, n=100)
    return {"p50": round(cuts[49], 3), "p99": round(cuts[98], 3)}


def _pairs() -> dict[str, int]:
    equal, unequal = equal_pairs(2000), unequal_pairs(5000)
    return {
        "equal": len(equal),
        "split": sum(canonical(one) != canonical(other) for one, other in equal),
        "unequal": len(unequal),
        "merged": sum(canonical(one) == canonical(other) for one, other in unequal),
    }


def _print(
    console: Console,
    readers: Sequence[Scored],
    costs: dict[str, dict[str, float]],
    hostile: dict[str, float],
    pairs: dict[str, int],
) -> None:
    table = Table("reader", "replies/s", "wrong value", "no value", "of")
    for each in readers:
        table.add_row(
            each.name, f"{each.per_second:,.0f}", f"{each.wrong}", f"{each.missed}", f"{each.total}"
        )
    console.print(table)
    table = Table("what", "p50", "p99")
    for name, cost in costs.items():
        table.add_row(name, f"{cost['p50']:.2f} ms", f"{cost['p99']:.2f} ms")
    for name, seconds in hostile.items():
        table.add_row(f"{HOSTILE_CHARS:,} characters: {name}", f"{seconds:.3f} s", "")
    console.print(table)
    console.print(
        f"{pairs['merged']} of {pairs['unequal']} unequal pairs merge, "
        f"{pairs['split']} of {pairs['equal']} equal pairs split"
    )


if __name__ == "__main__":
    sys.exit(main())
