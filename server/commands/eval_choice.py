"""The suites and arms that a command line of `whet eval` names, at which difficulty.

A wrong name is told before anything heavy is imported.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from server.terminal import UsageError

if TYPE_CHECKING:
    from adaptation.evaluation.suites import Suite


@dataclass(frozen=True)
class Choice:
    """What the command line asked for."""

    suites: tuple[Suite, ...]
    arms: tuple[str, ...]
    levels: dict[str, int]
    only_fit: bool
    """Leave out arms that the server cannot do; else they are an error."""


def choice_of(args: argparse.Namespace) -> Choice:
    """Suites and arms by their names; raises `UsageError` with the known ones."""
    from adaptation.evaluation.arms import ARMS, DEFAULT_ARMS
    from adaptation.evaluation.suites.errors import UnknownSuiteError

    try:
        suites = tuple(_suites(args.suites))
    except UnknownSuiteError as error:
        raise UsageError(str(error)) from error
    arms = tuple(dict.fromkeys(args.arms or DEFAULT_ARMS))
    everything = "all" in arms
    if unknown := [arm for arm in arms if arm not in ARMS and arm != "all"]:
        raise UsageError(f"no arm {unknown[0]!r}: choose one of {', '.join(ARMS)}, or all")
    levels = {suite.name: _level(suite, args) for suite in suites}
    if everything:
        arms = tuple(arm for arm in ARMS if arm != "plain")
    return Choice(suites, arms, levels, only_fit=everything or not args.arms)


def _suites(names: Sequence[str] | None) -> Sequence[Suite]:
    from adaptation.evaluation.suites import SUITES, suite_named

    if not names:
        return list(SUITES.values())
    groups = {suite.group.replace(" ", "-") for suite in SUITES.values()}
    chosen: dict[str, Suite] = {}
    for name in names:
        members = [s for s in SUITES.values() if s.group.replace(" ", "-") == name]
        for suite in members if name in groups else [suite_named(name)]:
            chosen.setdefault(suite.name, suite)
            if suite.caveat:
                print(f"whet: {suite.name}: {suite.caveat}", file=sys.stderr)
    return list(chosen.values())


def _level(suite: Suite, args: argparse.Namespace) -> int:
    """The difficulty asked for; the nearest there is, unless the suite was asked for by name."""
    level: int = args.difficulty or suite.default_level
    if suite.name in (args.suites or ()) and level not in suite.levels:
        known = f"{suite.levels[0]} to {suite.levels[-1]}"
        raise UsageError(f"suite {suite.name} has difficulties {known}, not {level}")
    return min(max(level, suite.levels[0]), suite.levels[-1])
