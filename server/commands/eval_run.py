"""One run of `whet eval`: what it asks of whom, and where the answers are kept."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from adaptation.evaluation.arms import ARMS
from adaptation.evaluation.arms.arm import Settings as ArmSettings
from adaptation.evaluation.errors import UnfitArmError
from adaptation.evaluation.examples import Library
from adaptation.evaluation.measurable import measurable
from adaptation.evaluation.plan import Plan, make_plan
from adaptation.evaluation.results import Results, open_results
from adaptation.evaluation.runner import OnProgress, Runner
from adaptation.evaluation.suites.split import Split
from adaptation.evaluation.target import Target
from adaptation.evaluation.teaching import Teacher
from adaptation.policy import Policy
from server.commands.eval_choice import Choice
from server.commands.eval_versions import header_of, name_of
from server.config import Settings
from server.telling import spoken
from server.terminal import complain, console

FOLDER = "evaluations"
QUIET_S = 30.0
"""Between two words of progress where there is no terminal."""


def plan_of(choice: Choice, args: argparse.Namespace) -> Plan:
    """Draw the questions and examples that the command line asks for."""
    return make_plan(
        choice.suites,
        questions=args.questions,
        examples=args.examples,
        seed=args.seed,
        levels=choice.levels,
        worlds=args.worlds,
        split=Split.DEVELOPMENT if args.development else Split.EVALUATION,
    )


async def evaluate(
    choice: Choice, target: Target, settings: Settings, folder: Path, args: argparse.Namespace
) -> Results:
    """Ask everything that has not been answered yet, and return all of it."""
    plan = plan_of(choice, args)
    async with target:
        arms = _arms(choice, target, args)
        plan = await measurable(plan, target, complain)
        header = await header_of(plan, target, settings, args)
        name = name_of(header, args.difficulty)
        path = args.results or settings.data_dir / FOLDER / f"{name}.jsonl"
        results, writer = open_results(
            path, header, fresh=args.fresh, mix_versions=args.mix_versions
        )
        teacher = Teacher(target, name, keep=args.url is None)
        library = _library(arms, settings, folder)
        arm_settings = ArmSettings(args.votes, args.temperature, args.max_tokens)
        try:
            with _bar() as on_progress:
                runner = Runner(
                    plan, arms, target, library, teacher, arm_settings, args.parallel, on_progress
                )
                await runner.run(results, writer)
        finally:
            writer.close()
            if library is not None:
                library.close()
            console(stderr=True).print(f"kept in {path}", soft_wrap=True)
    return results


def _arms(choice: Choice, target: Target, args: argparse.Namespace) -> tuple[str, ...]:
    """The arms to ask, without those that this server cannot or must not do."""
    unfit = {arm: why for arm in choice.arms if (why := _unfit(arm, target, args))}
    if unfit and not choice.only_fit:
        raise UnfitArmError(f"arm {next(iter(unfit))}: {next(iter(unfit.values()))}")
    return tuple(arm for arm in choice.arms if arm not in unfit)


def _unfit(arm: str, target: Target, args: argparse.Namespace) -> str | None:
    """Why an arm cannot be asked."""
    if not ARMS[arm].needs_whet:
        return None
    if not target.is_whet:
        return f"{target.url} is not Whet"
    if ARMS[arm].needs_examples and args.url and not args.teach:
        return (
            f"it learns from examples, which --teach puts into the memory of {target.url} for the "
            "length of the run"
        )
    return None


def _library(arms: tuple[str, ...], settings: Settings, folder: Path) -> Library | None:
    """Only arms that show examples themselves need one here; it selects as the server does."""
    if any(ARMS[arm].needs_examples and not ARMS[arm].needs_whet for arm in arms):
        policy = Policy(
            candidates=settings.candidates,
            neighbours=settings.neighbours,
            min_similarity=settings.min_similarity,
        )
        return Library(folder / "library", settings.embedder, policy)
    return None


@contextmanager
def _bar() -> Iterator[OnProgress]:
    """One bar over all cases with the time left, on stderr; a pipe gets a line now and then."""
    stderr = console(stderr=True)
    columns = (
        TextColumn("{task.description:<28}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=stderr, disable=not stderr.is_terminal) as bar:
        task, told, last = bar.add_task("asking", total=None), "", -QUIET_S

        def on_progress(what: str, done: int, total: int) -> None:
            nonlocal told, last
            bar.update(task, description=what or "asking", completed=done, total=total)
            now = time.monotonic()
            if not stderr.is_terminal and what and (what != told or now - last > QUIET_S):
                told, last = what, now
                left_s = bar.tasks[task].time_remaining
                left = f", {spoken(left_s)} left" if left_s else ""
                complain(f"{done} of {total}{left}: {what}")

        yield on_progress
