"""Three replicas against one over one PostgreSQL: requests/s, lost and foreign answers.

`python -m loadtests.scale.replicas`. One, two and three servers take turns behind a balancer, in
several rounds of one run, under as many clients for each, which is more than it has places for. The
engine is a fake that waits, so that a replica is bounded by its places and not by cores that all of
them share; what cores were used is told beside it. A turn of all that warms them up is not counted.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from statistics import median
from typing import Any

from adaptation.statistics import Interval, geometric_mean
from loadtests.measure.result import Result, Target
from loadtests.postgres import ABSENT, programs
from loadtests.scale import part
from loadtests.scale.site import SAMPLE_S, Plan, Site, Turn, site
from loadtests.scale.tenants import figures, replies_of

COUNTS = (1, 2, 3)
BOUND = 2.7


def measure(args: argparse.Namespace) -> Result:
    """Measure by the plan that the command line asks for."""
    return measured(replace(Plan.of(quick=args.quick), sample_s=args.sample_s))


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags that `measure` reads."""
    told = "a sample waits so long; longer where others use the cores, so that they bound nothing"
    parser.add_argument(
        "--sample-s", type=float, default=SAMPLE_S, help=f"{told} (default: {SAMPLE_S:g})"
    )


def measured(plan: Plan) -> Result:
    """Start everything, take turns, and count; raises RuntimeError without PostgreSQL."""
    if programs() is None:
        raise RuntimeError(ABSENT)
    return asyncio.run(_measured(plan))


async def _measured(plan: Plan) -> Result:
    async with site(max(COUNTS), plan) as found:
        await found.turn(max(COUNTS))
        found.turns.clear()
        for number in range(plan.rounds):
            for count in COUNTS if number % 2 == 0 else reversed(COUNTS):
                await found.turn(count)
                print(f"round {number + 1} of {plan.rounds}: {_told(found.turns[-1])}", flush=True)
        if not all(turn.requests_per_s for turn in found.turns):
            raise RuntimeError(f"a window without an answer, load {os.getloadavg()[0]:.0f}")
        for tenant, replica in itertools.product(found.tenants, found.replicas):
            await tenant.look(replica.port)
    return _result(plan, found)


def _result(plan: Plan, found: Site) -> Result:
    replies = replies_of(found.tenants)
    unanswered = sum(each.status != 200 for each in replies)
    counted = figures(found.tenants) | {"unanswered": unanswered}
    by_count = {n: [each for each in found.turns if each.replicas == n] for n in COUNTS}
    gains = {n: _gain(by_count[n], by_count[1]) for n in COUNTS[1:]}
    targets = [
        Target("three replicas against one, requests/s", BOUND, "at least", gains[3], "×"),
        _none("requests without an answer", unanswered),
        _none("acknowledged records that a replica does not have", counted["lost"]),
        _none("answers and records with the other tenant's canary", counted["foreign"]),
    ]
    rows = [("two replicas against one, requests/s", f"{gains[2].show()} ×")]
    rows += [("one replica, of what its places allow", f"{_share(plan, by_count[1], counted):.0%}")]
    rows += [(f"{n} of them, medians", _medians(turns)) for n, turns in by_count.items()]
    rows += [(name, str(value)) for name, value in counted.items()]
    title = f"one, two and three replicas over one PostgreSQL, {plan.rounds} rounds in turns"
    kept = {
        "plan": asdict(plan),
        "turns": [asdict(each) for each in found.turns],
        **counted,
    }
    return Result("replicas", title, rows, kept, targets, _note(plan))


def _note(plan: Plan) -> str:
    return (
        f"The engine is a fake: a sample waits {plan.sample_s:g} s and takes no core; a replica "
        f"has {plan.places} places. {plan.clients} clients for each, of two tenants, ask "
        "one question after another; each is answered by a vote, verified and saved. "
        "So this measures what the front, the memory and the database bear, and no engine. "
        "Intervals: Student's, of the logs of the rounds' ratios."
    )


def _share(plan: Plan, alone: Sequence[Turn], counted: Mapping[str, int]) -> float:
    """Return which part of its bound one replica reached: far below 1, others had the cores, and
    ratios to it tell nothing."""
    allowed = plan.places * counted["requests"] / (counted["samples"] * plan.sample_s)
    return median(each.requests_per_s for each in alone) / allowed


def _none(name: str, number: int) -> Target:
    return Target(name, 0.0, "at most", Interval(float(number), float(number), float(number)))


def _gain(turns: Sequence[Turn], alone: Sequence[Turn]) -> Interval:
    """Return the ratio of requests/s to that of one replica in the same round."""
    pairs = zip(turns, alone, strict=True)
    return geometric_mean([more.requests_per_s / one.requests_per_s for more, one in pairs])


def _medians(turns: Sequence[Turn]) -> str:
    middle: Mapping[str, Any] = {
        key: median(asdict(each)[key] for each in turns) for key in asdict(turns[0])
    }
    return _told(Turn(**middle))


def _told(turn: Turn) -> str:
    return (
        f"{turn.requests_per_s:.2f} requests/s; cores: front {turn.front_cores:.2f}, database "
        f"{turn.database_cores:.2f}, clients {turn.clients_cores:.2f}; load {turn.load:.1f}"
    )


if __name__ == "__main__":
    sys.exit(part.run("replicas", __doc__, measure, add=add_flags))
