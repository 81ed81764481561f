"""A results file: what was measured of what, one JSON line a trial, appended as they come in.

The first line says everything needed to repeat the run. A run that was cut off goes on where it
stopped, and never mixes with one that measured something else.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from pydantic import ValidationError

from adaptation.evaluation.errors import ResultsError
from adaptation.evaluation.trial import Case, Trial
from memory.types import Frozen

FORMAT = 1


class Header(Frozen):
    """What was measured: two files may be compared by it, and continued only if all is equal."""

    format: int = FORMAT
    model: str
    """Name the server gives it."""
    model_version: str
    """Hash of the weights where they are known, else the server's own words."""
    adapter: str | None = None
    """Version of the distilled adapter in force; None is the base."""
    server: str
    """`whet` with its version, or what another server calls itself."""
    code_version: tuple[str, ...]
    """Of the ruler: Whet's version, with the commit of a checkout; each that a part was run by."""
    data_version: dict[str, str]
    """Hash of each suite's questions and answers."""
    seed: int
    questions: int
    """Asked of every suite."""
    levels: dict[str, int]
    split: str
    examples: int
    """Solved ones for each world."""
    worlds: int | None = None
    """Of every shifted suite; None is the suite's own number."""
    temperature: float
    votes: int
    max_tokens: int
    parallel: int
    """Requests under way at once: latencies depend on it."""


@dataclass
class Results:
    """A run's header and trials; those from the file first."""

    header: Header
    trials: list[Trial] = field(default_factory=list)

    def done(self) -> set[Case]:
        """The cases that need not be asked again; failed requests are."""
        return {
            trial.case for trial in self.trials if not (trial.error or "").startswith("request")
        }

    def of_arm(self, suite: str, arm: str) -> list[Trial]:
        """An arm's trials of a suite in the order of worlds and numbers."""
        mine = [t for t in self.trials if t.case.suite == suite and t.case.arm == arm]
        return sorted(mine, key=lambda t: (t.case.world, t.case.number))

    def suites(self) -> list[str]:
        """Names in the order they were first met."""
        return list(dict.fromkeys(trial.case.suite for trial in self.trials))

    def arms(self, suite: str | None = None) -> list[str]:
        """Names in the order they were first met."""
        mine = (t.case for t in self.trials if suite is None or t.case.suite == suite)
        return list(dict.fromkeys(case.arm for case in mine))


def load(path: Path) -> Results:
    """Read a results file; a last line that was cut off is left out, a repeated case replaces.

    Raises `ResultsError` where it is none.
    """
    try:
        first, *lines = path.read_text("utf-8").splitlines()
        header = Header.model_validate_json(first)
        trials = {trial.case: trial for trial in _trials(lines)}
    except OSError as error:
        raise ResultsError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, ValidationError) as error:
        raise ResultsError(f"{path} is not a results file of `whet eval`") from error
    return Results(header, list(trials.values()))


def _trials(lines: list[str]) -> Iterable[Trial]:
    for number, line in enumerate(lines, 1):
        try:
            yield Trial.model_validate_json(line)
        except ValidationError:
            if number < len(lines):
                raise


class ResultsWriter:
    """Appends trials; every one is on its way to the disk before the next is asked."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def append(self, trial: Trial) -> None:
        """Write one line."""
        self._file.write(trial.model_dump_json() + "\n")
        self._file.flush()

    def close(self) -> None:
        """Flush to the disk and close."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()


def open_results(path: Path, header: Header, *, fresh: bool) -> tuple[Results, ResultsWriter]:
    """Begin a file or go on with it; raises `ResultsError` where it holds another measurement."""
    results = Results(header)
    if path.exists() and not fresh:
        results = load(path)
        different = [name for name in differences(results.header, header) if name != "code_version"]
        if different:
            raise ResultsError(
                f"{path} measured something else ({', '.join(different)}): "
                "name another --results FILE, or start over with --fresh"
            )
        results.header = _widened(results.header, header)
    whole = path.with_name(f"{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        whole.write_text(
            "".join(f"{line.model_dump_json()}\n" for line in (results.header, *results.trials))
        )
        whole.replace(path)
        return results, ResultsWriter(path.open("a", encoding="utf-8"))
    except OSError as error:
        raise ResultsError(f"{path} cannot be written: {error.strerror}") from error


def _widened(old: Header, new: Header) -> Header:
    """The header of a run that goes on, perhaps with more suites and another ruler."""
    return old.model_copy(
        update={
            "levels": old.levels | new.levels,
            "data_version": old.data_version | new.data_version,
            "code_version": tuple(dict.fromkeys(old.code_version + new.code_version)),
        }
    )


def differences(first: Header, second: Header) -> list[str]:
    """Names of the fields in which two runs differ."""
    ours, theirs = (json.loads(header.model_dump_json()) for header in (first, second))
    return [name for name in ours if _same_part(name, ours[name], theirs[name]) is False]


def _same_part(name: str, one: Any, other: Any) -> bool:
    """Dictionaries need agree only on the suites both have: a run may be widened."""
    if isinstance(one, dict) and isinstance(other, dict):
        return all(one[key] == other[key] for key in one.keys() & other.keys())
    return bool(one == other)
