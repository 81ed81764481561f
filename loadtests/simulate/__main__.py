"""What the model predicts: of local replicas, beside what they came to, and of a thousand machines.

`python -m loadtests.simulate` measures one, two and three replicas here as `loadtests.scale` does,
or takes what was measured from `--measured`, simulates the same, and prints the error. Then it
prints what grows how from one machine to a thousand, at prices that are given.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from statistics import median
from typing import Any

from adaptation.statistics import Interval
from loadtests.measure.result import Result, Target
from loadtests.scale import part, replicas
from loadtests.scale.site import Plan
from loadtests.scale.tenants import CANARIES
from loadtests.simulate.costs import FILE, Costs, load
from loadtests.simulate.growth import MACHINES, Demand, Prices, Row, rows
from loadtests.simulate.model import Outcome, Site, Work, simulate

BOUND = 0.15
SEED = 1


def measure(args: argparse.Namespace) -> Result:
    """Simulate what was measured, and what was not."""
    costs = load(args.costs)
    if args.measured:
        measured = json.loads(args.measured.read_text("utf-8"))["figures"]
    else:
        measured = replicas.measure(args).figures
    plan = Plan(**measured["plan"])
    predicted = {count: predict(costs, plan, count, args.seed) for count in replicas.COUNTS}
    prices = Prices(args.machine_price, args.database_price)
    machines = (1, 10, 100) if args.quick else args.machines
    grown = list(
        rows(costs, seed=args.seed, prices=prices, demand=Demand(args.demand), machines=machines)
    )
    print(table(grown))
    return _result(costs, measured, predicted, grown, prices)


def predict(costs: Costs, plan: Plan, count: int, seed: int) -> Outcome:
    """Return what so many local replicas come to: one host, a sample's time is waiting."""
    cores = int(costs.machine["cores"])
    site = Site(count, 1, cores, plan.places, plan.sample_s, 0.0, database_cores=cores)
    work = Work(plan.clients * count, len(CANARIES), tokens=1.0)
    window_s = plan.rounds * plan.window_s
    return simulate(costs, site, work, seed=seed, warm_s=plan.warm_s, window_s=window_s)


def _result(
    costs: Costs,
    measured: Mapping[str, Any],
    predicted: Mapping[int, Outcome],
    grown: Sequence[Row],
    prices: Prices,
) -> Result:
    targets, lines = [], []
    for count, outcome in predicted.items():
        found = [t["requests_per_s"] for t in measured["turns"] if t["replicas"] == count]
        errors = [abs(outcome.requests_per_s / each - 1) for each in found]
        error = abs(outcome.requests_per_s / median(found) - 1)
        interval = Interval(error, min(error, *errors), max(error, *errors))
        name = f"{count} replicas, prediction's error against the median"
        targets.append(Target(name, BOUND, "at most", interval))
        lines.append(
            (
                f"{count} replicas, requests/s",
                f"predicted {outcome.requests_per_s:.2f}, measured {median(found):.2f} "
                f"({min(found):.2f} to {max(found):.2f}); limit: {outcome.limit}",
            )
        )
    figures = {
        "costs": costs.model_dump(),
        "predicted": {str(count): asdict(each) for count, each in predicted.items()},
        "prices": asdict(prices),
        "growth": [asdict(each) for each in grown],
    }
    note = (
        "Costs are those of `loadtests/simulate/costs.json`, measured one at a time and not from "
        "these rounds. Brackets: the errors and the rates of single rounds."
    )
    return Result("simulation", "the model against local replicas", lines, figures, targets, note)


def table(grown: Sequence[Row]) -> str:
    """Return what grows as Markdown."""
    head = (
        "| machines | databases | votes/s | p50, s | most used | votes/$ | adaptations/s "
        "| adaptations/$ | tenants | records | $/h |"
    )
    lines = [head, "|--:|--:|--:|--:|---|--:|--:|--:|--:|--:|--:|"]
    for row in grown:
        votes = row.votes
        lines.append(
            f"| {row.site.replicas:,} | {row.site.databases} | {votes.requests_per_s:,.1f} "
            f"| {votes.seconds[0]:.1f} | {votes.limit} {votes.used[votes.limit]:.0%} "
            f"| {row.requests_per_dollar:,.0f} | {row.trained.adaptations_per_s:,.2f} "
            f"| {row.adaptations_per_dollar:,.0f} | {row.tenants:,} | {row.records / 1e6:,.0f} M "
            f"| {row.dollars_per_hour:,.2f} |"
        )
    return "\n".join(lines) + "\n"


def _add(parser: argparse.ArgumentParser) -> None:
    replicas.add_flags(parser)
    usual = {each.name: each.default for each in fields(Prices)}
    parser.add_argument("--costs", type=Path, default=FILE, help=f"default: {FILE.name}")
    parser.add_argument("--measured", type=Path, help="what loadtests.scale.replicas wrote")
    parser.add_argument("--machines", type=int, nargs="+", default=MACHINES)
    parser.add_argument("--machine-price", type=float, default=usual["machine"], help="$ an hour")
    parser.add_argument("--database-price", type=float, default=usual["database"], help="$ an hour")
    parser.add_argument("--demand", type=float, default=1.0, help="requests a minute of a tenant")
    parser.add_argument("--seed", type=int, default=SEED)


if __name__ == "__main__":
    sys.exit(part.run("simulation", __doc__, measure, add=_add, module="simulate"))
