"""A results file: what was measured of what, one JSON line a trial, appended as they come in.

Its header says everything needed to repeat the run; one that went on has several, and the last
holds. A run that was cut off goes on where it stopped, and never mixes with another measurement.
"""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from pydantic import Field

from adaptation.evaluation.errors import ResultsError
from adaptation.evaluation.trial import Case, Trial
from memory.types import Frozen

FORMAT = 1
HEADER_START = b'{"format":'
KEPT = "what was measured is kept, and the same command goes on from there"


class Header(Frozen):
    """What was measured: two files may be compared by it, and continued only if all is equal."""

    format: int = FORMAT
    model: str
    """Name the server gives it."""
    model_version: str
    """Hash of the weights where they are known, else the server's own words."""
    adapter: str | None = None
    """Version of the distilled adapter in force; None is the base."""
    url: str | None = None
    """Address of a server that ran already; None: one started for this."""
    server: str
    """Whether it is Whet, and the version of its engine where it says so."""
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
    """Worlds of every shifted suite; None: the suite's own number."""
    temperature: float
    votes: int
    max_tokens: int
    parallel: int
    """Requests under way at once: latencies depend on it."""
    settings: dict[str, str] = Field(default_factory=dict)
    """Whet's, where they are not the defaults: of the server started for this, and of the selection
    of neighbours."""


@dataclass
class Results:
    """A run's header and trials; those from the file first."""

    header: Header
    trials: list[Trial] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._unjudged = {trial.case for trial in self.trials if trial.error is not None}

    def done(self) -> set[Case]:
        """The cases that need not be asked again; what could not be judged is."""
        return {trial.case for trial in self.trials} - self._unjudged

    def add(self, trial: Trial) -> None:
        """Take in a trial; it replaces one of the same case that could not be judged."""
        if trial.case in self._unjudged:
            self._unjudged.remove(trial.case)
            self.trials = [old for old in self.trials if old.case != trial.case]
        self.trials.append(trial)

    def of_arm(self, suite: str, arm: str) -> list[Trial]:
        """An arm's trials of a suite in the order of worlds and numbers."""
        mine = [t for t in self.trials if t.case.suite == suite and t.case.arm == arm]
        return sorted(mine, key=lambda t: (t.case.world, t.case.number))

    def suites(self) -> list[str]:
        """Names in the order they were first met."""
        return list(dict.fromkeys(trial.case.suite for trial in self.trials))

    def arms(self) -> list[str]:
        """Names in the order they were first met."""
        return list(dict.fromkeys(trial.case.arm for trial in self.trials))


def load(path: Path) -> Results:
    """Read a results file; a last line that was cut off is left out, a repeated case replaces.

    Raises `ResultsError` where it is none.
    """
    try:
        return _read(path.read_bytes())
    except OSError as error:
        raise ResultsError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:  # pydantic's, and of bytes that are no text
        raise ResultsError(f"{path} is not a results file of `whet eval`") from error


def _read(content: bytes) -> Results:
    """Lines end with a line feed and nothing else: replies may hold other separators."""
    headers: list[Header] = []
    trials: dict[Case, Trial] = {}
    for line in content.split(b"\n")[:-1]:
        if line.startswith(HEADER_START):
            headers.append(Header.model_validate_json(line))
        else:
            trial = Trial.model_validate_json(line)
            trials[trial.case] = trial
    if not headers:
        raise ValueError("no header")
    return Results(headers[-1], list(trials.values()))


class ResultsWriter:
    """Appends trials; every one is on its way to the disk before the next is asked."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def append(self, trial: Trial) -> None:
        """Write one line; raises `ResultsError` where there is no room."""
        try:
            self._file.write(trial.model_dump_json() + "\n")
            self._file.flush()
        except OSError as error:
            raise ResultsError(f"{self._file.name}: {error.strerror}; {KEPT}") from error

    def close(self) -> None:
        """Flush to the disk and close."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()


def open_results(
    path: Path, header: Header, *, fresh: bool, mix_versions: bool = False
) -> tuple[Results, ResultsWriter]:
    """Begin a file or go on with it, alone; raises `ResultsError` where it holds something else.

    `mix_versions` allows a part to have been measured by other code; both are then noted.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a", encoding="utf-8")
    except OSError as error:
        raise ResultsError(f"{path} cannot be written: {error.strerror}") from error
    try:
        _lock(file, path)
        results = _begun(path, header, fresh, mix_versions)
        file.truncate(0 if fresh else path.read_bytes().rfind(b"\n") + 1)  # a line cut off
        file.write(results.header.model_dump_json() + "\n")
        file.flush()
    except BaseException:
        file.close()
        raise
    return results, ResultsWriter(file)


def _lock(file: TextIO, path: Path) -> None:
    """Hold the file until it is closed: two runs would overwrite each other's answers."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise ResultsError(f"another run writes to {path}: wait for it to end") from error


def _begun(path: Path, header: Header, fresh: bool, mix_versions: bool) -> Results:
    """What the file holds, if that is a part of the same measurement."""
    if fresh or path.stat().st_size == 0:
        return Results(header)
    results = load(path)
    different = differences(results.header, header)
    if mix_versions:
        different = [name for name in different if name != "code_version"]
    if different:
        hint = " or go on with --mix-versions" if different == ["code_version"] else ""
        raise ResultsError(
            f"{path} measured something else ({', '.join(different)}): "
            f"name another --results FILE, start over with --fresh{hint}"
        )
    results.header = _widened(results.header, header)
    return results


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
    return [name for name in ours if not _same_part(name, ours[name], theirs[name])]


def _same_part(name: str, one: Any, other: Any) -> bool:
    """What is said of suites need agree only on those both have: a run may be widened."""
    if name == "code_version":
        return set(other) <= set(one)
    if name in ("levels", "data_version"):
        return all(one[key] == other[key] for key in one.keys() & other.keys())
    return bool(one == other)
