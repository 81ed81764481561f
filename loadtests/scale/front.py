"""What a voted request costs the front: processor time, beside an older build.

Both builds are whole servers over HTTP; their engine is a stand-in that has its tokens ready and
counts its own time, which is taken off. Everything else of the server's processes counts: vLLM's
client, its renderer and its reading of tokens too. Requests of both kinds are sent in turns, round
by round, to servers that stay up.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import httpx
import psutil
from rich.console import Console

from loadtests.measure.result import Result, Target
from loadtests.scale import part
from loadtests.sound.builds import STARTER, THIS, Build, NoBuildError, checked_out
from loadtests.sound.figures import spread
from server.server_process import Launch, Server, running

BEFORE = "f7c789bb"
"""The last build before costs of a front were looked at."""
AT_MOST = 0.5
SCRIPT = Path(__file__).with_name("stand_in.py")
PROSE_TOKENS = 384
"""`max_tokens` by which the stand-in knows that prose is asked for."""
REQUESTS, QUICK, ROUNDS = 16, 4, 5
AT_ONCE = 4
RECORDS = 64
SETTLED_S = 1.0
"""What is done after an answer is done by then."""
TIMEOUT_S = 600.0
KINDS: dict[str, dict[str, Any]] = {
    "numbers": {"max_tokens": 512},
    "prose": {"max_tokens": PROSE_TOKENS, "n": 8},
}
"""What is asked: votes on numbers end as the rule will, eight texts in prose are all returned."""


class Cost(NamedTuple):
    """Of one request, on average."""

    front_ms: float
    stand_in_ms: float
    samples: float
    tokens: float


@dataclass(frozen=True)
class Front:
    """A server over a stand-in."""

    build: Build
    embedder: str
    server: Server
    told: Path

    def cost(self, kind: str, requests: int) -> Cost:
        """Send requests of a kind; what each cost."""
        before, own = self._spent_s(), self._stand_in_s()
        reports = asyncio.run(_asked(self.server.url, KINDS[kind], requests))
        time.sleep(SETTLED_S)
        spent, own = self._spent_s() - before, self._stand_in_s() - own
        return Cost(
            1e3 * (spent - own) / requests,
            1e3 * own / requests,
            mean(report["samples"]["started"] for report in reports),
            mean(sum(report["tokens"].values()) for report in reports),
        )

    def _stand_in_s(self) -> float:
        return float(self.told.read_text()) if self.told.exists() else 0.0

    def _spent_s(self) -> float:
        spent = 0.0
        for process in self.server.family():
            with contextlib.suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                spent += times.user + times.system
        return spent


Costs = dict[tuple[str, str], list[tuple[Cost, Cost]]]
"""By embedder and kind, round by round: of the older build, and of this one."""


def measure(args: argparse.Namespace) -> Result:
    """Set both builds beside each other."""
    embedders = ("hashing",) if args.quick else ("hashing", "minilm")
    requests, rounds = (QUICK, 1) if args.quick else (REQUESTS, args.rounds)
    console, costs = Console(stderr=True, markup=False, highlight=False), Costs()
    try:
        with ExitStack() as stack:
            old = stack.enter_context(checked_out(args.before))
            for embedder in embedders:
                pair = [
                    stack.enter_context(_served(build, embedder, console)) for build in (old, THIS)
                ]
                _rounds(pair, rounds, requests, costs, console)
    except NoBuildError as error:
        raise RuntimeError(str(error)) from error
    return _result(costs, args.before, requests)


@contextmanager
def _served(build: Build, embedder: str, console: Console) -> Iterator[Front]:
    launch = Launch(build.name, (STARTER, str(build.folder), str(SCRIPT)), ready="/ready")
    with TemporaryDirectory(prefix="whet-told-") as folder:
        told = Path(folder) / "seconds"
        asked = ("--embedder", embedder, "--prose-tokens", str(PROSE_TOKENS))
        flags = (*asked, "--told", str(told))
        with running(launch, console, *flags) as server:
            front = Front(build, embedder, server, told)
            _import_records(server.url)
            for kind in KINDS:
                front.cost(kind, 2 * AT_ONCE)  # the first ones warm up
            yield front


def _rounds(
    pair: Sequence[Front], rounds: int, requests: int, costs: Costs, console: Console
) -> None:
    for number in range(rounds):
        for kind in KINDS:
            turns = pair if number % 2 == 0 else list(reversed(pair))
            found = {front.build.name: front.cost(kind, requests) for front in turns}
            before, now = (found[front.build.name] for front in pair)
            costs.setdefault((pair[0].embedder, kind), []).append((before, now))
            console.print(
                f"round {number + 1} of {rounds}, {pair[0].embedder}, {kind}: "
                f"{before.front_ms:.1f} ms before, {now.front_ms:.1f} now"
            )


def _import_records(url: str) -> None:
    lines = "\n".join(
        f'{{"question": "Ann has {n} boxes of 12 apples. How many?", "answer": "{12 * n}"}}'
        for n in range(RECORDS)
    )
    httpx.post(f"{url}/v1/memory/import", content=lines, timeout=TIMEOUT_S).raise_for_status()


async def _asked(url: str, more: dict[str, Any], requests: int) -> list[dict[str, Any]]:
    """Ask different questions, a few at a time; return the reports."""
    places, began = asyncio.Semaphore(AT_ONCE), time.time_ns()
    async with httpx.AsyncClient(base_url=url, timeout=TIMEOUT_S) as http:

        async def one(number: int) -> dict[str, Any]:
            asked = f"On day {began + number} Tom has {number} apples and buys 7 more. How many?"
            body = {
                "model": "whet-pebble:consistency",
                "messages": [{"role": "user", "content": asked}],
            }
            async with places:
                response = await http.post("/v1/chat/completions", json=body | more)
            response.raise_for_status()
            report: dict[str, Any] = response.json()["adaptation"]
            return report

        return await asyncio.gather(*map(one, range(requests)))


def _result(costs: Costs, before: str, requests: int) -> Result:
    targets = [
        Target(
            f"front's processor time a vote: {kind}, {embedder} embedder, now / {before}",
            AT_MOST,
            "at most",
            spread([now.front_ms / then.front_ms for then, now in pairs]),
        )
        for (embedder, kind), pairs in costs.items()
    ]
    rows = [
        (f"{kind}, {embedder}: {name}", _told([each[place] for each in pairs]))
        for (embedder, kind), pairs in costs.items()
        for place, name in enumerate((before, "now"))
    ]
    note = (
        f"Rounds of {requests} requests of each kind, {AT_ONCE} at once, in turns with {before};"
        " medians, in brackets all that was found. The stand-in's own time is taken off."
    )
    figures = {f"{embedder} {kind}": pairs for (embedder, kind), pairs in costs.items()}
    return Result("front", "The front's own cost", rows, figures, targets, note)


def _told(costs: Sequence[Cost]) -> str:
    found = spread([each.front_ms for each in costs])
    samples, tokens = (median(each[place] for each in costs) for place in (2, 3))
    return f"{found.show('.1f')} ms for {samples:.1f} samples of {tokens / samples:.0f} tokens"


def _flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"default: {ROUNDS}")
    parser.add_argument("--before", default=BEFORE, metavar="COMMIT", help=f"default: {BEFORE}")


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, keep."""
    return part.run("front", __doc__, measure, argv, _flags)


if __name__ == "__main__":
    sys.exit(main())
