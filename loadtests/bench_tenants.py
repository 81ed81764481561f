"""`make bench-tenants`: what one greedy tenant costs three modest ones, with fair turns or without.

Modest tenants ask one request at a time, the greedy one many. Each policy of the engine's scheduler
has a server of its own; rounds with and without the greedy tenant take turns on it.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import httpx
import numpy as np
from rich.console import Console
from rich.table import Table

from adaptation.evaluation import questions
from loadtests import arguments
from loadtests.measure import load
from server.models.catalogue import BUILT_IN
from server.server_process import ROOT, WHET, ServerFailedError, running
from server.terminal import write_json

MODEST = ("ann", "bob", "cleo")
GREEDY = "greedy"
POLICIES = {"fair turns": "priority", "by arrival": "fcfs"}
TARGET_P99, TARGET_JAIN = 1.25, 0.95
EXAMPLES = """\
examples:
  python -m loadtests.bench_tenants                       some minutes
  python -m loadtests.bench_tenants --rounds 5 --flags="--max-num-seqs 16"
"""


@dataclass
class Figures:
    """What one policy came to; a value for each round."""

    policy: str
    p50: list[float] = field(default_factory=list)
    """Of modest requests, with the greedy tenant by without."""
    p99: list[float] = field(default_factory=list)
    jain: list[float] = field(default_factory=list)
    """Of the tokens that four tenants got that all wanted more."""
    greedy_tokens_per_s: list[float] = field(default_factory=list)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, keep."""
    args = _arguments(argv)
    console = Console(stderr=True, markup=False, highlight=False)
    try:
        found = [_measured(name, policy, args, console) for name, policy in POLICIES.items()]
    except (ServerFailedError, httpx.HTTPError) as error:
        print(f"bench-tenants: {error}", file=sys.stderr)
        return 1
    _print(found)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    write_json([asdict(each) for each in found], str(args.out))
    print(f"kept in {args.out}")
    return 0


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = arguments.parser("bench_tenants", __doc__, EXAMPLES)
    parser.add_argument("--rounds", type=int, default=3, help="of each policy (default: 3)")
    parser.add_argument("--requests", type=int, default=30, help="of a modest tenant in a round")
    parser.add_argument("--at-once", type=int, default=64, help="requests of the greedy tenant")
    parser.add_argument("--flags", type=str.split, default=[], help="more flags of both servers")
    usual = ROOT / "results" / "tenants.json"
    parser.add_argument("--out", type=Path, default=usual, help="file of figures")
    return parser.parse_args(argv)


def _measured(name: str, policy: str, args: argparse.Namespace, console: Console) -> Figures:
    found = Figures(name)
    with TemporaryDirectory(prefix="whet-tenants-") as folder:
        flags = ("--data-dir", folder, "--scheduling-policy", policy, *args.flags)
        with running(WHET, console, *flags) as server:
            keys = _keys(server.url)
            asyncio.run(_round(server.url, keys, args, -1, Figures("warm-up")))
            for number in range(args.rounds):
                console.print(f"{name}, round {number + 1} of {args.rounds}")
                asyncio.run(_round(server.url, keys, args, number, found))
    return found


def _keys(url: str) -> Mapping[str, str]:
    """Make a key for each tenant; the operator's, the first, makes the others."""
    with httpx.Client(base_url=url) as http:
        made = http.post("/v1/admin/keys", json={"role": "admin"}).raise_for_status().json()
        http.headers["authorization"] = f"Bearer {made['key']}"
        answers = {
            tenant: http.post("/v1/admin/keys", json={"tenant": tenant}).raise_for_status()
            for tenant in (*MODEST, GREEDY)
        }
    return {tenant: answer.json()["key"] for tenant, answer in answers.items()}


async def _round(
    url: str, keys: Mapping[str, str], args: argparse.Namespace, number: int, found: Figures
) -> None:
    async with httpx.AsyncClient(base_url=url, timeout=300.0, limits=httpx.Limits()) as http:
        tenants = Tenants(http, keys, number)
        alone = await tenants.modest(args.requests)
        flood = [asyncio.create_task(tenants.go_on(GREEDY)) for _ in range(args.at_once)]
        await asyncio.sleep(1.0)
        tenants.tokens.clear()
        began = time.perf_counter()
        beside = await tenants.modest(args.requests)
        found.greedy_tokens_per_s.append(tenants.tokens[GREEDY] / (time.perf_counter() - began))
        found.p50.append(median(beside) / median(alone))
        found.p99.append(float(np.quantile(beside, 0.99) / np.quantile(alone, 0.99)))
        each = args.at_once // 4
        flood += [asyncio.create_task(tenants.go_on(name)) for name in MODEST for _ in range(each)]
        await asyncio.sleep(2.0)
        tenants.tokens.clear()
        await asyncio.sleep(10.0)
        found.jain.append(jain([tenants.tokens.get(name, 0) for name in (*MODEST, GREEDY)]))
        for task in flood:
            task.cancel()
        await asyncio.gather(*flood, return_exceptions=True)


class Tenants:
    """Four customers, and the tokens each was given."""

    def __init__(self, http: httpx.AsyncClient, keys: Mapping[str, str], seed: int) -> None:
        self._http, self._keys = http, keys
        asked = questions.everyday(64, seed % 100)
        self._bodies = [load.body(f"{BUILT_IN}:plain", each.question, seed) for each in asked]
        self._number = 0
        self.tokens: dict[str, int] = {}

    async def modest(self, requests: int) -> list[float]:
        """Have each modest tenant ask one request after another; return all their seconds."""
        taken = await asyncio.gather(*(self._in_turn(name, requests) for name in MODEST))
        return [seconds for each in taken for seconds in each]

    async def go_on(self, tenant: str) -> None:
        """Ask without an end."""
        while True:
            await self._one(tenant)

    async def _in_turn(self, tenant: str, requests: int) -> list[float]:
        return [await self._one(tenant) for _ in range(requests)]

    async def _one(self, tenant: str) -> float:
        self._number += 1
        asked = self._bodies[self._number % len(self._bodies)]
        began = time.perf_counter()
        answer = await self._http.post(
            "/v1/chat/completions",
            json={**asked, "adaptation": {"memory": {"write": False}}},
            headers={"authorization": f"Bearer {self._keys[tenant]}"},
        )
        answer.raise_for_status()
        given = answer.json()["usage"]["completion_tokens"]
        self.tokens[tenant] = self.tokens.get(tenant, 0) + given
        return time.perf_counter() - began


def jain(shares: Sequence[float]) -> float:
    """Return Jain's index of fairness (Jain, Chiu and Hawe 1984): 1 where all shares are equal,
    1/n where one has everything."""
    squares = len(shares) * sum(share**2 for share in shares)
    return sum(shares) ** 2 / squares if squares else 0.0


def _print(found: Sequence[Figures]) -> None:
    table = Table("turns", "modest p50, ×", "modest p99, ×", "Jain", "greedy tokens/s", box=None)
    for each in found:
        table.add_row(
            each.policy, *map(_spread, (each.p50, each.p99, each.jain, each.greedy_tokens_per_s))
        )
    console = Console(markup=False, highlight=False)
    console.print(table)
    fair = found[0]
    met = median(fair.p99) <= TARGET_P99 and median(fair.jain) >= TARGET_JAIN
    console.print(f"p99 ≤ {TARGET_P99} × and Jain ≥ {TARGET_JAIN}: {'met' if met else 'MISSED'}")


def _spread(values: Sequence[float]) -> str:
    return f"{median(values):.3g} ({min(values):.3g} to {max(values):.3g})"


if __name__ == "__main__":
    sys.exit(main())
