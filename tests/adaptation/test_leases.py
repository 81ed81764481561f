"""Leases: a name for one adapter at a time, an id and a folder for one adapter ever."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from adaptation.learning.leases import CHAMPION_IDS, PREFIX, AdapterLeases


async def test_ids_and_folders_are_never_reused_and_names_are(tmp_path: Path) -> None:
    leases = AdapterLeases(1, root=tmp_path)
    seen = []
    for _ in range(3):
        async with leases.lease() as lease:
            assert lease.folder.is_dir()
            seen.append(lease)
    assert len({lease.id for lease in seen}) == len({lease.folder for lease in seen}) == 3
    assert len({lease.name for lease in seen}) == 1


async def test_a_name_is_waited_for_while_another_holds_it(tmp_path: Path) -> None:
    leases = AdapterLeases(1, root=tmp_path)
    first = await leases.acquire()
    waiting = asyncio.create_task(leases.acquire())
    await asyncio.sleep(0)
    assert not waiting.done()
    leases.release(first)
    assert (await waiting).name == first.name


async def test_a_failing_block_gives_its_lease_and_files_back(tmp_path: Path) -> None:
    leases = AdapterLeases(1, root=tmp_path)

    async def fail() -> None:
        async with leases.lease() as lease:
            (lease.folder / "weights").write_text("x")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    assert not list(leases._root.iterdir())
    assert leases.free == 1


async def test_a_cancelled_wait_takes_no_name(tmp_path: Path) -> None:
    leases = AdapterLeases(1, root=tmp_path)
    held = await leases.acquire()
    waiting = asyncio.create_task(leases.acquire())
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    leases.release(held)
    assert leases.free == 1


def test_what_a_killed_server_left_is_removed_and_what_a_running_one_holds_is_not(
    tmp_path: Path,
) -> None:
    dead, alive = tmp_path / f"{PREFIX}999999999-x", tmp_path / f"{PREFIX}{os.getpid()}-x"
    for folder in (dead, alive):
        folder.mkdir()
        (folder / "weights").write_text("x")
    AdapterLeases(1, root=tmp_path)
    assert not dead.exists()
    assert alive.exists()


async def test_the_wait_is_estimated_from_how_long_names_were_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr("adaptation.learning.leases.time.monotonic", lambda: now)
    leases = AdapterLeases(2, root=tmp_path)
    first, second = [await leases.acquire() for _ in range(2)]
    assert leases.expected_wait_s == 0.0, "nothing is known yet"
    now += 6.0
    leases.release(first)
    assert leases.expected_wait_s == 0.0, "one is free"
    third = leases.take()
    assert third is not None
    assert leases.take() is None
    assert leases.expected_wait_s == 6.0 / 2
    waiting = asyncio.create_task(leases.acquire())
    await asyncio.sleep(0)
    assert leases.expected_wait_s == 2 * 6.0 / 2
    leases.release(second)
    leases.release(third)
    leases.release(await waiting)
    assert leases.free == 2


def test_two_pools_share_no_name_and_no_id(tmp_path: Path) -> None:
    ours = AdapterLeases(2, root=tmp_path)
    champions = AdapterLeases(2, root=tmp_path, name="whet-champion", first_id=CHAMPION_IDS)
    taken = [pool.take() for pool in (ours, champions) for _ in range(2)]
    assert len({lease.name for lease in taken if lease}) == 4
    assert len({lease.id for lease in taken if lease}) == 4
