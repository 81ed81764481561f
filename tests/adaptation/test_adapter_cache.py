"""Accepted adapters are found again by what they were made of, and go with what they learned."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from adaptation.learning import adapter_cache
from adaptation.learning.adapter_cache import (
    ABOUT,
    AdapterCache,
    Neighbourhood,
    drop_learned_from,
)
from adaptation.learning.training.adapter_files import CONFIG, WEIGHTS
from adaptation.learning.training.fake import write_zeros
from adaptation.learning.training.trainer import Recipe
from adaptation.report import AdapterReport
from adaptation.types import Adapter
from memory.memory import LongTermMemory
from memory.types import Draft, Message, Neighbour, State, Tier

REPORT = AdapterReport(
    id="ttt_1", parent=None, steps=8, loss=(1.0, 0.1), holdout_loss=(1.0, 0.5), accepted=True,
    reason="right",
)  # fmt: skip


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """An adapter as training leaves it."""
    folder = tmp_path / "made"
    folder.mkdir()
    write_zeros(folder, 8)
    return folder


def neighbours(memory: LongTermMemory, numbers: range = range(4)) -> list[Neighbour]:
    found = []
    for number in numbers:
        draft = Draft(
            tenant="default",
            messages=(Message(role="user", content=f"What is {number} lamp?"),),
            answer=str(number),
            rationale=f"#### {number}",
            tier=Tier.IMPORTED,
        )
        record = memory.save(draft).record
        found.append(Neighbour(record=record, similarity=0.9, embedding=np.zeros(2)))
    return found


def around(found: list[Neighbour], **changes: object) -> Neighbourhood:
    made_of = {"model": "m", "base": None, "recipe": Recipe(), **changes}
    return Neighbourhood.of("default", found, **made_of)  # type: ignore[arg-type]


def is_kept(cache: AdapterCache, of: Neighbourhood) -> bool:
    with cache.holding(of) as kept:
        return kept is not None and (kept.folder / WEIGHTS).is_file()


async def test_an_adapter_is_found_again_also_by_the_next_server(
    memory: LongTermMemory, made: Path, tmp_path: Path
) -> None:
    found = neighbours(memory)
    cache = AdapterCache(tmp_path / "kept", 10**6)
    assert not is_kept(cache, around(found))
    await cache.keep(around(found), made, 8, REPORT)
    for again in (cache, AdapterCache(tmp_path / "kept", 10**6)):
        with again.holding(around(found[::-1])) as kept:
            assert kept is not None
            assert (kept.rank, kept.report) == (8, REPORT)
            assert (kept.folder / CONFIG).read_text() == (made / CONFIG).read_text()


async def test_whatever_it_was_made_of_tells_it_from_others(memory: LongTermMemory) -> None:
    found = neighbours(memory)
    base = Adapter(name="c", id=1, path="", version="ad_1", rank=8)
    others = [
        around(found[:3]),
        around(found, model="n"),
        around(found, base=base),
        around(found, recipe=Recipe(steps=9)),
        Neighbourhood.of("acme", found, model="m", base=None, recipe=Recipe()),
    ]
    assert len({of.key for of in (around(found), *others)}) == 6


@pytest.mark.parametrize("change", ["erase", "quarantine", "edit"])
async def test_what_learned_from_a_record_goes_with_it(
    change: str, memory: LongTermMemory, made: Path, tmp_path: Path
) -> None:
    found, others = neighbours(memory), neighbours(memory, range(10, 14))
    cache = AdapterCache(tmp_path / "kept", 10**6)
    await cache.keep(around(found), made, 8, REPORT)
    await cache.keep(around(others), made, 8, REPORT)
    await cache.follow(memory, "default")
    assert len(cache) == 2
    changed = found[2].record.id
    if change == "erase":
        memory.forget("default", changed)
    elif change == "quarantine":
        memory.set_state("default", changed, State.QUARANTINED, "wrong")
    else:
        memory.edit("default", changed, "7", "#### 7")
    later = AdapterCache(tmp_path / "kept", 10**6)
    for each in (cache, later):
        await each.follow(memory, "default")
        assert not is_kept(each, around(found))
        assert is_kept(each, around(others))
    assert not (tmp_path / "kept" / around(found).key).exists()


async def test_of_a_tenant_whose_events_are_no_longer_followed_everything_is_looked_at_again(
    memory: LongTermMemory, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter_cache, "MOST_TENANTS", 2)
    found = neighbours(memory)
    cache = AdapterCache(tmp_path / "kept", 10**6)
    await cache.keep(around(found), made, 8, REPORT)
    await cache.follow(memory, "default")
    for number in range(5):
        await cache.follow(memory, f"tenant-{number}")
    assert len(cache._seen) == 2
    memory.forget("default", found[2].record.id)
    await cache.follow(memory, "default")
    assert not is_kept(cache, around(found))


async def test_a_record_erased_while_an_adapter_learned_from_it_takes_it_along(
    memory: LongTermMemory, made: Path, tmp_path: Path
) -> None:
    found = neighbours(memory)
    cache = AdapterCache(tmp_path / "kept", 10**6)
    await cache.follow(memory, "default")
    memory.forget("default", found[2].record.id)
    await cache.follow(memory, "default")  # another request sees it before the adapter is kept
    await cache.keep(around(found), made, 8, REPORT)
    await cache.follow(memory, "default")
    assert not is_kept(cache, around(found))


async def test_an_event_that_changes_no_content_deletes_nothing(
    memory: LongTermMemory, made: Path, tmp_path: Path
) -> None:
    found = neighbours(memory)
    cache = AdapterCache(tmp_path / "kept", 10**6)
    await cache.keep(around(found), made, 8, REPORT)
    await cache.follow(memory, "default")
    neighbours(memory)  # each confirms its record
    await cache.follow(memory, "default")
    assert is_kept(cache, around(found))


class Full(NamedTuple):
    """A cache that has room for two, and keeps two."""

    cache: AdapterCache
    first: Neighbourhood
    second: Neighbourhood
    third: Neighbourhood
    """Of one that is not kept yet."""


@pytest.fixture
async def full(memory: LongTermMemory, made: Path, tmp_path: Path) -> Full:
    size = sum((made / name).stat().st_size for name in (CONFIG, WEIGHTS))
    cache = AdapterCache(tmp_path / "kept", 2 * size)
    kept = Full(cache, *(around(neighbours(memory, range(n, n + 3))) for n in (0, 10, 20)))
    await cache.keep(kept.first, made, 8, REPORT)
    await cache.keep(kept.second, made, 8, REPORT)
    return kept


async def test_what_was_unused_for_longest_makes_room_but_not_what_is_held(
    full: Full, made: Path
) -> None:
    cache, first, second, third = full
    before = cache.bytes
    with cache.holding(first):
        pass
    with cache.holding(second) as held:
        await cache.keep(third, made, 8, REPORT)
        assert held is not None
        assert (held.folder / WEIGHTS).is_file()
    assert [is_kept(cache, of) for of in (first, second, third)] == [False, True, True]
    assert cache.bytes == before


async def test_what_was_used_last_stays_over_a_restart(
    full: Full, made: Path, tmp_path: Path
) -> None:
    cache, first, second, third = full
    assert is_kept(cache, first)
    again = AdapterCache(tmp_path / "kept", cache.bytes)
    await again.keep(third, made, 8, REPORT)
    assert [is_kept(again, of) for of in (first, second, third)] == [True, False, True]


async def test_too_large_nothing_allowed_or_half_written_is_not_kept(
    memory: LongTermMemory, made: Path, tmp_path: Path
) -> None:
    of = around(neighbours(memory))
    for allowed in (0, 10):
        cache = AdapterCache(tmp_path / "kept", allowed)
        await cache.keep(of, made, 8, REPORT)
        assert len(cache) == 0
    cache = AdapterCache(tmp_path / "kept", 10**6)
    await cache.keep(of, made, 8, REPORT)
    (tmp_path / "kept" / of.key / ABOUT).write_text("{")
    assert len(AdapterCache(tmp_path / "kept", 10**6)) == 0
    assert list((tmp_path / "kept").iterdir()) == []


async def test_what_learned_from_a_record_or_continues_a_retired_adapter_is_deleted_from_outside(
    memory: LongTermMemory, made: Path, tmp_path: Path
) -> None:
    found = neighbours(memory)
    root, model = tmp_path / "kept", tmp_path / "kept" / "weights"
    cache = AdapterCache(model, 10**6)
    first, second, third = (around(found[n : n + 2]) for n in (0, 1, 2))
    parents = (None, None, "ad_retired")
    for of, parent in zip((first, second, third), parents, strict=True):
        await cache.keep(of, made, 8, REPORT.model_copy(update={"parent": parent}))
    (model / "unfinished").mkdir()
    (model / "abandoned").mkdir()
    os.utime(model / "abandoned", (0, 0))
    erased = {found[0].record.id}
    assert drop_learned_from(root, "another tenant", erased, ["ad_retired"]) == ("abandoned",)
    gone = drop_learned_from(root, "default", erased, ["ad_retired"])
    assert set(gone) == {first.key, third.key}
    assert {each.name for each in model.iterdir()} == {second.key, "unfinished"}
    with cache.holding(first) as kept:
        assert kept is not None
        assert not kept.is_whole, "the server that keeps it finds that it is gone"
