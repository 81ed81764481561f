"""Stored responses: their tenant's own, whole or not at all, and gone when erased or too old."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text as sql

from memory.embedding.hashing import HashingEmbedder
from memory.errors import ConflictError, NotFoundError, StorageUnavailableError
from memory.history.items import Item
from memory.history.responses import ResponseStore
from memory.history.retention import Retention
from memory.history.stored_response import StoredResponse, Written
from memory.memory import LongTermMemory
from memory.store.group_commit import GroupCommit
from memory.text import trace
from memory.types import Completion, Draft, Message, Tier

MUCH = 10**9


def said(words: str, item_id: str = "msg_1", role: str = "user") -> Item:
    part = {"type": "input_text", "text": words}
    content = {"id": item_id, "type": "message", "role": role, "content": [part]}
    return Item(item_id, content, trace(words))


def written(
    response_id: str = "resp_1",
    tenant: str = "ann",
    status: str = "completed",
    asked: str = "One?",
    answer: str = "Yes.",
    **more: Any,
) -> Written:
    output = said(answer, f"out_{response_id}", "assistant")
    body = {"id": response_id, "status": status, "output": [dict(output.content)]}
    made = StoredResponse(id=response_id, tenant=tenant, status=status, body=body, **more)
    return Written(made, (said(asked, f"msg_{response_id}"),), (output,))


def test_a_response_comes_back_as_it_was_and_to_its_tenant_alone(memory: LongTermMemory) -> None:
    store = memory.responses
    store.keep(written())
    assert store.get("ann", "resp_1").body == written().response.body
    (item,) = store.items("ann", "resp_1", 10, None, "desc")
    assert item == said("One?", "msg_resp_1")
    asks: list[Callable[[str], Any]] = [
        lambda who: store.get(who, "resp_1"),
        lambda who: store.items(who, "resp_1", 10, None, "asc"),
        lambda who: store.chain(who, "resp_1", MUCH),
        lambda who: store.cancel(who, "resp_1"),
        lambda who: store.delete(who, "resp_1"),
    ]
    for ask in asks:
        with pytest.raises(NotFoundError):
            ask("bob")
    assert not store.hold("bob", "resp_1")
    store.delete("ann", "resp_1")
    for ask in asks:
        with pytest.raises(NotFoundError):
            ask("ann")


def test_a_chain_is_all_that_was_asked_and_answered_the_oldest_first(
    memory: LongTermMemory,
) -> None:
    store = memory.responses
    for number in range(1, 6):
        before = f"resp_{number - 1}" if number > 1 else None
        store.keep(written(f"resp_{number}", asked=f"{number}?", previous_id=before))
    store.keep(written("resp_other", asked="another", previous_id="resp_2"))
    chain = store.chain("ann", "resp_4", MUCH)
    asked = [item["content"][0]["text"] for items, _ in chain for item in items]
    assert asked == ["1?", "2?", "3?", "4?"]
    assert [body["id"] for _, body in chain] == [f"resp_{number}" for number in range(1, 5)]
    with pytest.raises(ConflictError, match="bytes"):
        store.chain("ann", "resp_4", 100)
    store.delete("ann", "resp_2")
    assert len(store.chain("ann", "resp_1", MUCH)) == 1
    for later in ("resp_3", "resp_5", "resp_other"):
        with pytest.raises(NotFoundError, match="goes on from one that was deleted"):
            store.chain("ann", later, MUCH)


def test_one_in_the_background_ends_once(memory: LongTermMemory) -> None:
    store = memory.responses
    store.begin(written(status="queued"))
    assert store.hold("ann", "resp_1")
    assert store.get("ann", "resp_1").body["status"] == "in_progress"
    assert store.finish(written())
    assert store.get("ann", "resp_1") == written().response
    assert not store.finish(written(status="failed"))
    assert not store.hold("ann", "resp_1")
    assert store.cancel("ann", "resp_1").status == "completed"
    store.begin(written("resp_2", status="queued"))
    assert store.cancel("ann", "resp_2").body["status"] == "cancelled"
    assert not store.finish(written("resp_2"))
    assert store.get("ann", "resp_2").status == "cancelled"


def test_one_that_nobody_holds_is_lost(memory: LongTermMemory) -> None:
    memory.responses.begin(written(status="queued"))
    found, now = memory.responses.get("ann", "resp_1"), time.time()
    assert not found.is_lost(now)
    assert found.is_lost(now + 61)
    memory.responses.finish(written())
    assert not memory.responses.get("ann", "resp_1").is_lost(now + 61)


def test_the_oldest_of_a_tenant_makes_room(
    memory: LongTermMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memory.history.response_rows.MOST_RESPONSES", 3)
    store = memory.responses
    store.keep(written("resp_b", tenant="bob"))
    store.begin(written("resp_0", status="queued"))
    for number in range(1, 4):
        store.keep(written(f"resp_{number}"))
    there = [_is_there(store, f"resp_{number}") for number in range(4)]
    assert there == [True, False, True, True], "one that is being made stays"
    assert _is_there(store, "resp_b", "bob")


def test_bytes_are_bounded_and_the_newest_is_refused_only_where_it_is_too_large_alone(
    memory: LongTermMemory,
) -> None:
    store = memory.responses
    for number in range(5):
        store.keep(written(f"resp_{number}", asked="x" * 1000), most=5000)
    there = [_is_there(store, f"resp_{number}") for number in range(5)]
    assert there[0] is False
    assert there[-1] is True
    with pytest.raises(ConflictError, match="5000"):
        store.keep(written("resp_large", asked="x" * 6000), most=5000)
    assert not _is_there(store, "resp_large")
    assert _is_there(store, "resp_4"), "what is refused pushes nothing out"


def test_what_is_gone_on_with_lives_as_long(memory: LongTermMemory) -> None:
    now = [1_000_000.0]
    retention = Retention(10, wall=lambda: now[0], steady=lambda: now[0])
    store = ResponseStore(memory._database, retention=retention)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("memory.history.responses.time.time", lambda: now[0])
        for name in ("resp_1", "resp_old", "resp_3", "resp_4", "resp_5"):
            store.keep(written(name))
        now[0] += 8 * 86_400
        store.keep(written("resp_2", previous_id="resp_1"))
        for name in ("resp_6", "resp_7", "resp_8", "resp_9"):
            store.keep(written(name))
        now[0] += 4 * 86_400
        assert len(store.chain("ann", "resp_2", MUCH)) == 2
        with pytest.raises(NotFoundError):
            store.get("ann", "resp_old")
        assert store.prune() == 4
        assert store.prune() == 0
        assert store.get("ann", "resp_1")


def test_a_clock_that_calls_most_too_old_erases_nothing(memory: LongTermMemory) -> None:
    memory.responses.keep(written())
    ahead = time.time() + 400 * 86_400
    store = ResponseStore(
        memory._database, retention=Retention(30, wall=lambda: ahead, steady=lambda: 0.0)
    )
    assert store.prune() == 0
    assert memory.responses.get("ann", "resp_1")


def test_a_response_within_a_conversation_is_added_to_it_or_nothing_is_kept(
    memory: LongTermMemory,
) -> None:
    store, conversations = memory.responses, memory.conversations
    made = conversations.create("ann", {}, [], None)
    store.keep(written(conversation_id=made.id))
    store.begin(written("resp_2", status="queued", asked="Two?", conversation_id=made.id))
    store.finish(written("resp_2", answer="Also.", conversation_id=made.id))
    store.keep(written("resp_3", status="failed", conversation_id=made.id))
    spoken = conversations.said("ann", made.id, MUCH)
    assert [item["content"][0]["text"] for item in spoken] == ["One?", "Yes.", "Two?", "Also."]
    conversations.delete("ann", made.id)
    with pytest.raises(ConflictError, match="deleted meanwhile"):
        store.keep(written("resp_4", conversation_id=made.id))
    assert not _is_there(store, "resp_4")


def test_what_is_not_to_be_stored_is_told_to_its_conversation_alone(
    memory: LongTermMemory,
) -> None:
    made = memory.conversations.create("ann", {}, [], None)
    new = written(conversation_id=made.id)
    memory.responses.keep(Written(new.response, new.asked, new.said, is_kept=False))
    assert not _is_there(memory.responses, "resp_1")
    assert len(memory.conversations.said("ann", made.id, MUCH)) == 2


QUESTION = "What is the canary of 4711?"


def forgotten(memory: LongTermMemory, tenant: str = "ann", question: str = QUESTION) -> str:
    asked = (Message(role="user", content=question),)
    draft = Draft(
        tenant=tenant, messages=asked, answer="7", rationale="#### 7", tier=Tier.EXECUTABLE
    )
    return memory.save(draft).record.id


def test_erasing_a_record_erases_the_responses_and_items_that_hold_its_question(
    memory: LongTermMemory,
) -> None:
    store, conversations = memory.responses, memory.conversations
    made = conversations.create("ann", {}, [said("Hello")], None)
    store.keep(written("resp_1", asked=f"  {QUESTION.upper()} "))
    store.keep(written("resp_2", asked="Other", previous_id="resp_1"))
    store.keep(written("resp_3", asked=QUESTION, conversation_id=made.id))
    store.keep(written("resp_4", asked="Another?", answer="Fine.", conversation_id=made.id))
    store.keep(written("resp_bob", "bob", asked=QUESTION))
    record_id = forgotten(memory)
    memory.forget("ann", record_id)
    removed = memory.erasures.get("ann", record_id).removed
    assert (removed["responses"], removed["conversation_items"]) == (2, 2)
    assert not _is_there(store, "resp_1")
    assert not _is_there(store, "resp_3")
    assert _is_there(store, "resp_2")
    assert _is_there(store, "resp_4")
    assert _is_there(store, "resp_bob", "bob")
    spoken = conversations.said("ann", made.id, MUCH)
    assert [item["content"][0]["text"] for item in spoken] == ["Hello", "Another?", "Fine."]
    with memory._database.reading("ann") as connection:
        sizes = "SELECT SUM(bytes) FROM item WHERE holder = :id"
        held = connection.execute(sql(sizes), {"id": made.id}).scalar()
    assert conversations.get("ann", made.id).bytes == held


def test_erasing_a_record_erases_the_response_that_is_its_completion(
    memory: LongTermMemory,
) -> None:
    turns = (Message(role="user", content="Before"), Message(role="user", content=QUESTION))
    memory.responses.keep(written("resp_1", asked="in two parts"))
    memory.completions.append(
        Completion(id="resp_1", tenant="ann", messages=turns, text="7", answer="7", model="m")
    )
    assert memory.completions.flush()
    memory.forget("ann", forgotten(memory))
    assert not _is_there(memory.responses, "resp_1")


@pytest.mark.sqlite
def test_nothing_of_an_erased_response_is_left_on_the_disk(
    tmp_path: Path, embedder: HashingEmbedder
) -> None:
    opened = LongTermMemory.open(tmp_path, embedder)
    made = opened.conversations.create("ann", {}, [], None)
    new = written(asked=QUESTION, answer="canary of the answer", conversation_id=made.id)
    opened.responses.keep(new)
    canary = b"canary of"
    assert any(canary in each.read_bytes() for each in tmp_path.rglob("*") if each.is_file())
    opened.forget("ann", forgotten(opened))
    opened.close()
    assert not any(canary in each.read_bytes() for each in tmp_path.rglob("*") if each.is_file())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(count=st.integers(0, 12), limit=st.integers(1, 5), falling=st.booleans())
def test_pages_put_together_are_the_whole_in_order(
    memory: LongTermMemory, count: int, limit: int, falling: bool
) -> None:
    asked = tuple(said(str(number), f"msg_{number}") for number in range(count))
    made = memory.conversations.create("ann", {}, asked, None)
    found: list[str] = []
    while True:
        after = found[-1] if found else None
        page = memory.conversations.items(
            "ann", made.id, limit, after, "desc" if falling else "asc"
        )
        found += [item.id for item in page]
        if len(page) < limit:
            break
    whole = [item.id for item in asked]
    assert found == (whole[::-1] if falling else whole)


def _is_there(store: ResponseStore, response_id: str, tenant: str = "ann") -> bool:
    try:
        store.get(tenant, response_id)
    except NotFoundError:
        return False
    return True


def test_what_arrives_together_shares_a_commit_and_not_its_refusals(
    memory: LongTermMemory,
) -> None:
    store, groups, go = memory.responses, list[int](), threading.Event()
    keep_many = store._keep_many

    def slowly(entries: Any) -> Any:
        groups.append(len(entries))
        assert go.wait(20)
        return keep_many(entries)

    store._keeper = GroupCommit(slowly)
    with ThreadPoolExecutor(8) as pool:
        futures = [pool.submit(store.keep, written("resp_0"))]
        while not groups:
            threading.Event().wait(0.005)
        futures += [pool.submit(store.keep, written(f"resp_{number}")) for number in range(1, 5)]
        lost = pool.submit(store.keep, written("resp_lost", conversation_id="conv_none"))
        erased = pool.submit(store.keep, written("resp_erased", asked=QUESTION))
        while len(store._keeper._waiting) < 6:
            threading.Event().wait(0.005)
        store.refuse("ann", QUESTION, "erased meanwhile")
        go.set()
        assert [future.result() for future in futures] == [None] * 5
        with pytest.raises(ConflictError, match="deleted meanwhile"):
            lost.result()
        with pytest.raises(StorageUnavailableError, match="erased meanwhile"):
            erased.result()
    assert groups == [1, 5]
    there = [name for name in ("resp_lost", "resp_erased") if _is_there(store, name)]
    assert there == []
    assert all(_is_there(store, f"resp_{number}") for number in range(5))
