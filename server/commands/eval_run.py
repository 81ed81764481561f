"""One run of `whet eval`: the server it starts, what it measures, and where that is kept."""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from adaptation.evaluation.arms import ARMS, DEFAULT_ARMS
from adaptation.evaluation.arms.arm import Settings as ArmSettings
from adaptation.evaluation.errors import UnfitArmError
from adaptation.evaluation.examples import Library
from adaptation.evaluation.plan import Plan, make_plan
from adaptation.evaluation.results import Header, Results, open_results
from adaptation.evaluation.runner import OnProgress, Runner
from adaptation.evaluation.target import Target
from adaptation.pebble import model_path
from adaptation.policy import Policy
from adaptation.suites import Suite
from adaptation.suites.split import Split
from memory.embedder import create_embedder
from memory.memory import LongTermMemory
from server.config import DEFAULT_TENANT, Settings
from server.console import complain, console
from server.engine_defaults import BUILT_IN
from server.server_process import ROOT, WHET, running

FOLDER = "evaluations"


@dataclass(frozen=True)
class Choice:
    """What the command line asked for."""

    suites: tuple[Suite, ...]
    arms: tuple[str, ...]
    """Empty: those of the defaults that the server can do."""
    levels: dict[str, int]


@contextmanager
def own_server(
    model: str | None, adapter: str | None, settings: Settings, folder: Path
) -> Iterator[str]:
    """Serve a model on a memory of its own, through `adapter` if one is named; yields the URL."""
    data_dir = folder / "server"
    if adapter is not None:
        _promote_copy(adapter, settings, data_dir)
    named = [model] if model and model != BUILT_IN else []
    flags = ["--data-dir", str(data_dir), "--embedder", settings.embedder]
    with running(WHET, console(stderr=True), *named, *flags) as server:
        yield server.url


def _promote_copy(adapter: str, settings: Settings, data_dir: Path) -> None:
    """Serve a version from a registry of our own: the user's aliases stay as they are."""
    embedder = create_embedder("hashing")  # not a text is embedded
    theirs = LongTermMemory.open(settings.data_dir, embedder)
    try:
        version = theirs.adapters.alias(DEFAULT_TENANT, adapter) or theirs.adapters.show(
            DEFAULT_TENANT, adapter
        )
        ours = LongTermMemory.open(data_dir, embedder)
        try:
            copy = ours.adapters.register(
                Path(version.path),
                tenant=DEFAULT_TENANT,
                base_model=version.base_model,
                parent=None,
                rank=version.rank,
                metrics={},
                record_ids=(),
            )
            ours.adapters.promote(DEFAULT_TENANT, copy.id)
        finally:
            ours.close()
    finally:
        theirs.close()


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
        arms = _arms(choice.arms, target)
        header = await _header(plan, target, args)
        path = args.results or settings.data_dir / FOLDER / _name(header, args.difficulty)
        results, writer = open_results(path, header, fresh=args.fresh)
        library = _library(arms, settings, folder)
        arm_settings = ArmSettings(args.votes, args.temperature, args.max_tokens)
        try:
            with _bar() as on_progress:
                runner = Runner(
                    plan, arms, target, library, arm_settings, args.parallel, on_progress
                )
                await runner.run(results, writer)
        finally:
            writer.close()
            if library is not None:
                library.close()
            console(stderr=True).print(f"kept in {path}", soft_wrap=True)
    return results


def _arms(wanted: tuple[str, ...], target: Target) -> tuple[str, ...]:
    arms = wanted or tuple(a for a in DEFAULT_ARMS if target.is_whet or not ARMS[a].needs_whet)
    if not target.is_whet and (unfit := [arm for arm in arms if ARMS[arm].needs_whet]):
        raise UnfitArmError(f"{target.url} is not Whet: it cannot do {', '.join(unfit)}")
    return arms


def _library(arms: tuple[str, ...], settings: Settings, folder: Path) -> Library | None:
    """Only arms that show examples themselves need one here."""
    if any(ARMS[arm].needs_examples and not ARMS[arm].needs_whet for arm in arms):
        return Library(folder / "library", settings.embedder, Policy())
    return None


async def _header(plan: Plan, target: Target, args: argparse.Namespace) -> Header:
    return Header(
        model=target.model,
        model_version=_model_version(target.model, own=args.url is None),
        adapter=await _champion(target),
        server=await _server(target),
        code_version=(_code_version(),),
        data_version=plan.data_version(),
        seed=args.seed,
        questions=args.questions,
        levels={world.suite.name: world.level for world in plan.worlds},
        split=plan.split.name.lower(),
        examples=args.examples,
        worlds=args.worlds,
        temperature=args.temperature,
        votes=args.votes,
        max_tokens=args.max_tokens,
        parallel=args.parallel,
    )


def _model_version(model: str, *, own: bool) -> str:
    """Hash of the built-in weights; of another model its name is all that is known."""
    if not own or model != BUILT_IN:
        return model
    weights = sorted(model_path().glob("*.safetensors"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in weights)).hexdigest()[:12]


async def _champion(target: Target) -> str | None:
    if not target.is_whet:
        return None
    versions = (await target.whet("GET", "/v1/adapters"))["data"]
    return next((v["id"] for v in versions if "champion" in v["aliases"]), None)


async def _server(target: Target) -> str:
    """What answers: Whet or not, and the engine's version where it says so."""
    try:
        async with httpx.AsyncClient(timeout=10) as client:
            engine = (await client.get(f"{target.url}/version")).json()["version"]
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        engine = "of unknown version"
    return f"{'whet on vllm' if target.is_whet else 'server'} {engine}"


def _code_version() -> str:
    """Of this ruler: the package's version, and the commit of a checkout."""
    try:
        version = importlib.metadata.version("whet")
    except importlib.metadata.PackageNotFoundError:
        version = "checkout"
    words = ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"]
    try:
        found = subprocess.run(words, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return version
    commit = found.stdout.strip()
    return f"{version}+{commit}" if found.returncode == 0 and commit else version


def _name(header: Header, difficulty: int | None) -> str:
    """A name that the same measurement finds again; suites and arms may be added to it."""
    kept = header.model_dump_json(exclude={"data_version", "levels", "code_version"})
    model = "".join(c if c.isalnum() or c in "-." else "-" for c in header.model)
    return f"{model}-{hashlib.sha256(f'{kept}{difficulty}'.encode()).hexdigest()[:8]}.jsonl"


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
        task = bar.add_task("asking", total=None)
        last = ""

        def on_progress(what: str, done: int, total: int) -> None:
            nonlocal last
            bar.update(task, description=what or "asking", completed=done, total=total)
            if not stderr.is_terminal and what and what != last:
                last = what
                complain(f"{done} of {total}: {what}")

        yield on_progress
