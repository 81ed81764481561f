"""Which suites of a plan a server takes at all: what it refuses by its kind is no wrong answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from adaptation.evaluation.errors import UnfitArmError
from adaptation.evaluation.exchange import Request
from adaptation.evaluation.plan import Plan
from adaptation.evaluation.target import Target

ADVICE = "serve it with --enable-auto-tool-choice and --tool-call-parser, and evaluate that server"


async def measurable(plan: Plan, target: Target, tell: Callable[[str], object]) -> Plan:
    """Return the plan without the suites whose tools the server refuses, and tell why of each.

    Raises `UnfitArmError` where none is left.
    """
    refused = dict[str, str]()
    for suite in plan.suites:
        first = next(plan.of_suite(suite)).problems[0]
        if not first.tools:
            continue
        messages = [{"role": "user", "content": first.question}]
        request = Request(messages, temperature=0.0, seed=0, max_tokens=1, tools=first.tools)
        if (why := await target.refuses(request)) is not None:
            refused[suite.name] = f"{target.url} takes no tools ({why}): {ADVICE}"
    left = tuple(world for world in plan.worlds if world.suite.name not in refused)
    for name, why in refused.items():
        if not left:
            raise UnfitArmError(f"suite {name}: {why}")
        tell(f"suite {name} is left out: {why}")
    return replace(plan, worlds=left)
