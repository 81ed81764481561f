"""SIGKILL at random points of write, snapshot, compact, migrate, promote and release, then a look.

Every process is a fork of this one, which opens no memory and starts no thread itself: a kill costs
what its work costs, not the imports. Where a kill falls depends on the machine as well: a seed
repeats what was done, and which share of the time was given to it.
"""

from __future__ import annotations

import json
import logging
import os
import random
import select
import shutil
import signal
import time
import traceback
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from math import inf
from pathlib import Path

from loadtests.torture.acts import Acts
from loadtests.torture.databases import Databases
from loadtests.torture.place import opened
from loadtests.torture.releasing import release_faults, shared_of
from loadtests.torture.truth import Kept, Truth
from memory.store.scope import EVERYONE

SCENES = ("write", "snapshot", "compact", "migrate", "promote", "release")
LIFE = 25
"""Kills that one folder lives through."""
MOST_WORK_S = 0.25
"""Of a process, from its first line on; a kill falls somewhere in it."""
CHECK_S = 300.0


@dataclass
class Killed:
    """What the kills came to."""

    kills: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SCENES, 0))
    servers: int = 0
    """Kills that took a process of the database's server along."""
    under_way: int = 0
    """Kills that fell between the beginning of an act and its end."""
    acknowledged: int = 0
    faults: list[str] = field(default_factory=list)


def torture(
    kills: int,
    seed: int,
    place: Path,
    databases: Databases,
    say: Callable[[str], None],
    only: str | None = None,
    limit_s: float = inf,
) -> Killed:
    """Kill so often, every scene in turn; stop at the first life with a fault, or after a time."""
    end = time.monotonic() + limit_s
    found, scenes = Killed(), (only,) if only else SCENES
    each = min(LIFE, -(-kills // len(scenes)))
    life = 0
    while sum(found.kills.values()) < kills and not found.faults and time.monotonic() < end:
        scene = scenes[life % len(scenes)]
        number = min(each, kills - sum(found.kills.values()))
        Life(scene, seed * 10_007 + life, place / f"life-{life}", databases, found).live(number)
        life += 1
        say(
            f"{sum(found.kills.values())} kills, {found.under_way} within an act, "
            f"{found.acknowledged} acknowledged, {len(found.faults)} faults (life {life}: {scene})"
        )
    return found


class Life:
    """One memory, and the processes that work on it until they are killed."""

    def __init__(
        self, scene: str, seed: int, folder: Path, databases: Databases, found: Killed
    ) -> None:
        self._scene, self._seed, self._folder = scene, seed, folder
        self._databases, self._found = databases, found
        self._tenants = [f"ann-{seed}", f"bob-{seed}"]
        self._truth = Truth(self._tenants)
        self._url = databases.new()

    def live(self, kills: int) -> None:
        """Kill one process after the other; `migrate` begins each on a copy of an older memory."""
        chance = random.Random(self._seed)
        self._folder.mkdir(parents=True)
        if self._scene == "migrate":
            self._found.faults += self._work("older", self._seed, CHECK_S)
            self._folder.rename(self._older_folder)
        older, before = self._url, deepcopy(self._truth)
        for number in range(kills):
            if self._scene == "migrate":
                self._begin_again(older, before)
            work_s = chance.random() ** 2 * MOST_WORK_S  # early points are likelier than late ones
            if faults := self._killed(self._seed * 1_009 + number, work_s):
                told = f"{self._scene}, life seed {self._seed}, kill {number}"
                self._found.faults += [f"{told}: {each}" for each in faults]
                return  # what there is of it stays, to be looked at
        for url in {older, self._url}:
            self._databases.drop(url)
        for folder in (self._folder, self._older_folder, shared_of(self._folder)):
            shutil.rmtree(folder, ignore_errors=True)

    @property
    def _older_folder(self) -> Path:
        return self._folder.with_name(f"{self._folder.name}-older")

    def _begin_again(self, older: str | None, before: Truth) -> None:
        if self._url != older:
            self._databases.drop(self._url)
        self._url = self._databases.new(older)
        shutil.rmtree(self._folder, ignore_errors=True)
        shutil.copytree(self._older_folder, self._folder)
        self._truth = deepcopy(before)

    def _killed(self, seed: int, work_s: float) -> list[str]:
        """Have one process work and die; return what is wrong then."""
        heard = self._truth.acknowledged
        faults = self._work(self._scene, seed, work_s)
        self._found.acknowledged += self._truth.acknowledged - heard
        self._found.kills[self._scene] += 1
        self._found.under_way += self._truth.open is not None
        return faults or _look(self._folder, self._url, self._truth, self._scene)

    def _work(self, act: str, seed: int, work_s: float) -> list[str]:
        """Let a process act for a time from its first word on, then kill it.

        Returns what is wrong where it failed before.
        """
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            _quiet()
            acts = (self._folder, self._url, self._tenants, seed, writing)
            _end_after(lambda: getattr(Acts(*acts), act)())
        os.close(writing)
        try:
            lines = _Lines(reading, self._truth)
            lines.until(lambda: lines.heard > 0, CHECK_S)
            lines.until(lambda: False, work_s)
            if lines.goes_on:
                self._found.servers += self._databases.kill(child, self._url)
            _, status = os.waitpid(child, 0)
            lines.until(lambda: False, CHECK_S)
        finally:
            os.close(reading)
        failed = os.WIFEXITED(status) and os.WEXITSTATUS(status) != 0
        return [f"a process failed before it was killed, at {self._truth.open}"] if failed else []


class _Lines:
    """Reads what a process tells, as far as it came."""

    def __init__(self, pipe: int, truth: Truth) -> None:
        self._pipe, self._truth, self._rest = pipe, truth, b""
        self.heard = 0
        self.goes_on = True
        """Whether the process may still say something: it has not ended by itself."""

    def until(self, enough: Callable[[], bool], limit_s: float) -> None:
        """Read for so long, until it is enough, or until the process has ended."""
        end = time.monotonic() + limit_s
        while not enough():
            left_s = end - time.monotonic()
            if left_s <= 0 or not select.select([self._pipe], [], [], left_s)[0]:
                return
            data = os.read(self._pipe, 1 << 16)
            if not data:
                self.goes_on = False
                return
            *lines, self._rest = (self._rest + data).split(b"\n")
            for line in lines:
                self._truth.hear(json.loads(line))
                self.heard += 1


def _look(folder: Path, url: str | None, truth: Truth, scene: str) -> list[str]:
    """Have a process open what was left, and compare; the truth learns what became of the rest."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _quiet()
        _end_after(lambda: _compare(folder, url, truth, scene, writing))
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        told = pipe.read()
    os.waitpid(child, 0)
    if not told:
        return ["the memory could not be opened or read: see the trace above"]
    said = json.loads(told)
    truth.records = {key: Kept(*each) for key, each in said["records"].items()}
    truth.champions, truth.open = said["champions"], None
    faults: list[str] = said["faults"]
    return faults


def _compare(folder: Path, url: str | None, truth: Truth, scene: str, pipe: int) -> None:
    releases = scene == "release"
    memory = opened(folder, url, shared_of(folder) if releases else None)
    said = {
        "faults": truth.faults(memory),
        "records": {key: [k.tenant, k.asked, k.state] for key, k in truth.records.items()},
        "champions": truth.champions,
    }
    if releases:
        said["faults"] += release_faults(memory, truth.tenants, folder)
    if url is None:
        with memory._database.reading(EVERYONE) as connection:
            whole = connection.exec_driver_sql("PRAGMA integrity_check").scalar()
        said["faults"] += [] if whole == "ok" else [f"SQLite: {whole}"]
    memory.close()
    with os.fdopen(pipe, "wb") as out:
        out.write(json.dumps(said).encode())


def _quiet() -> None:
    """What a memory tells of copies and damaged files is expected here."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    logging.disable(logging.CRITICAL)


def _end_after(work: Callable[[], None]) -> None:
    """Do the work of a fork, and end it without what its parent does at its end."""
    status = 0
    try:
        work()
    except BaseException:  # noqa: BLE001 (the fork ends here)
        traceback.print_exc()
        status = 1
    os._exit(status)
