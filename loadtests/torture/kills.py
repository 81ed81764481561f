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
from pathlib import Path
from typing import Any

from loadtests.torture.acts import Acts
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
    under_way: int = 0
    """Kills that fell between the beginning of an act and its end."""
    acknowledged: int = 0
    faults: list[str] = field(default_factory=list)


def torture(
    kills: int,
    seed: int,
    place: Path,
    url: str | None,
    say: Callable[[str], None],
    only: str | None = None,
) -> Killed:
    """Kill so often, every scene in turn; stop at the first life with a fault."""
    found, scenes = Killed(), (only,) if only else SCENES
    life = 0
    while sum(found.kills.values()) < kills and not found.faults:
        scene = scenes[life % len(scenes)]
        number = min(LIFE, kills - sum(found.kills.values()))
        _live(scene, number, seed * 10_007 + life, place / f"life-{life}", url, found)
        life += 1
        say(
            f"{sum(found.kills.values())} kills, {found.under_way} within an act, "
            f"{found.acknowledged} acknowledged, {len(found.faults)} faults (life {life}: {scene})"
        )
    return found


def _live(scene: str, kills: int, seed: int, folder: Path, url: str | None, found: Killed) -> None:
    """Kill one process after the other on one folder; `migrate` begins each on an older copy."""
    chance = random.Random(seed)
    tenants = [f"ann-{seed}", f"bob-{seed}"]
    truth, copy = Truth(tenants), folder.with_name(f"{folder.name}-older")
    folder.mkdir(parents=True)
    if scene == "migrate":
        found.faults += _work("older", (folder, url, tenants, seed), CHECK_S, truth)
        folder.rename(copy)
    before = deepcopy(truth)
    for number in range(kills):
        if scene == "migrate":
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(copy, folder)
            truth = deepcopy(before)
        work_s = chance.random() ** 2 * MOST_WORK_S  # early points are likelier than late ones
        heard = truth.acknowledged
        given = (folder, url, tenants, seed * 1_009 + number)
        faults = _work(scene, given, work_s, truth)
        found.acknowledged += truth.acknowledged - heard
        found.kills[scene] += 1
        found.under_way += truth.open is not None
        if faults := faults or _look(folder, url, truth, scene):
            found.faults += [f"{scene}, life seed {seed}, kill {number}: {each}" for each in faults]
            break
    if not found.faults:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(copy, ignore_errors=True)
        shutil.rmtree(shared_of(folder), ignore_errors=True)


def _work(act: str, given: Any, work_s: float, truth: Truth) -> list[str]:
    """Let a process act for a time from its first word on, then kill it.

    Returns what is wrong where it failed before.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _quiet()
        _end_after(lambda: getattr(Acts(*given, writing), act)())
    os.close(writing)
    try:
        lines = _Lines(reading, truth)
        lines.until(lambda: lines.heard > 0, CHECK_S)
        lines.until(lambda: False, work_s)
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        lines.until(lambda: False, CHECK_S)
    finally:
        os.close(reading)
    failed = os.WIFEXITED(status) and os.WEXITSTATUS(status) != 0
    return [f"a process failed before it was killed, at {truth.open}"] if failed else []


class _Lines:
    """Reads what a process tells, as far as it came."""

    def __init__(self, pipe: int, truth: Truth) -> None:
        self._pipe, self._truth, self._rest = pipe, truth, b""
        self.heard = 0

    def until(self, enough: Callable[[], bool], limit_s: float) -> None:
        """Read for so long, until it is enough, or until the process has ended."""
        end = time.monotonic() + limit_s
        while not enough():
            left_s = end - time.monotonic()
            if left_s <= 0 or not select.select([self._pipe], [], [], left_s)[0]:
                return
            data = os.read(self._pipe, 1 << 16)
            if not data:
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
