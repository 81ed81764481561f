"""A generation on the same records, timed in this build and in an older one, in turns."""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adaptation.evaluation.examples import import_lines
from adaptation.evaluation.suites import suite_named
from adaptation.evaluation.suites.split import Split
from adaptation.statistics import Interval
from loadtests import arguments
from loadtests.loop.place import Place
from loadtests.measure.claims import Claim
from loadtests.sound.builds import STARTER, THIS, Build, checked_out
from loadtests.sound.figures import ratio
from server.server_process import ROOT

MOST_TIME = 0.5
OLD, NOW = "before", "now"
FILE = "builds.jsonl"


class BuildFailedError(Exception):
    """A build could not do its generation."""


@dataclass(frozen=True)
class Timed:
    """Where the same records lie, and what is trained."""

    records: Path
    model: str
    embedder: str

    def taken(self, build: Build) -> dict[str, Any]:
        """Let a build distil them in a memory of its own; what `whet distill` alone took."""
        with tempfile.TemporaryDirectory(prefix="whet-loop-") as data:
            flags = ["--data-dir", data, "--embedder", self.embedder]
            whet(build, "memory", "import", str(self.records), *flags)
            report = Path(data) / "report.json"
            began, cpu = time.perf_counter(), _cpu_s()
            whet(build, "distill", "--model", self.model, "--json", str(report), *flags)
            took = {"seconds": time.perf_counter() - began, "cpu_s": _cpu_s() - cpu}
            found = json.loads(report.read_text("utf-8"))
            return {**took, "decision": found["decision"], "train": found["train"]}


def measure(args: argparse.Namespace, place: Place) -> None:
    """Time what is left to time, and keep it."""
    left = range(len(_rows(place)) // 2, args.rounds)
    if not left:
        return
    place.folder.mkdir(parents=True, exist_ok=True)
    timed = Timed(_records(args, place), arguments.trained_model(args), args.embedder)
    with checked_out(args.before) as old:
        for number in left:
            pair = [(OLD, old), (NOW, THIS)] if number % 2 == 0 else [(NOW, THIS), (OLD, old)]
            rows = [{"build": name, **timed.taken(build)} for name, build in pair]
            with (place.folder / FILE).open("a", encoding="utf-8") as file:
                file.writelines(json.dumps(row) + "\n" for row in rows)
            for row in rows:
                took = f"{row['seconds']:.0f} s, {row['cpu_s']:.0f} CPU s"
                print(f"{row['build']}: {took}, {row['decision']}", flush=True)


def claims(place: Place) -> list[Claim]:
    """Hold what was timed against the target; nothing where nothing was."""
    rows = _rows(place)
    if not rows:
        return []
    wall, told = _compared(rows, "seconds", "s")
    _, cores = _compared(rows, "cpu_s", "s of cores")
    target = f"≤ {MOST_TIME} × the seconds of the older build, on the same records"
    return [Claim("seconds of a generation", target, (told, cores), wall.value <= MOST_TIME)]


def _compared(rows: Sequence[dict[str, Any]], key: str, unit: str) -> tuple[Interval, str]:
    before, now = ([row[key] for row in rows if row["build"] == name] for name in (OLD, NOW))
    found = ratio(now, before)
    told = f"{_told(before)} {unit} before, {_told(now)} now: × {found.show('.2f')}"
    return found, told


def figures(place: Place) -> list[dict[str, Any]]:
    """Return every single figure."""
    return _rows(place)


def whet(build: Build, *words: str) -> None:
    """Run a command of a build; raises `BuildFailedError` with what it said."""
    command = [sys.executable, "-m", STARTER, str(build.folder), "server.cli", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BuildFailedError(f"{build.name}: whet {words[0]}: {done.stderr.strip()[-500:]}")


def _records(args: argparse.Namespace, place: Place) -> Path:
    """Write the records of the first generation of the first target."""
    suite = suite_named(args.suite[0])
    known = {"split": Split.MEMORY, "seed": args.seed, "level": suite.default_level}
    solved = suite.problems(args.first, world=args.world, **known)
    path = (place.folder / "records.jsonl").resolve()
    path.write_text(import_lines(solved, suite.name), "utf-8")
    return path


def _told(seconds: Sequence[float]) -> str:
    return ", ".join(f"{each:.0f}" for each in seconds)


def _cpu_s() -> float:
    """Return the seconds of cores that ended children took, and theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _rows(place: Place) -> list[dict[str, Any]]:
    path = place.folder / FILE
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
