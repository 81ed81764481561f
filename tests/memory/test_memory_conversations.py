"""Conversations: their tenant's own, with items in order and ids of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from memory.errors import ConflictError, NotFoundError
from memory.history.items import Item
from memory.memory import LongTermMemory


def item(item_id: str, words: str = "x") -> Item:
    return Item(item_id, {"id": item_id, "type": "message", "content": words})


def ids(memory: LongTermMemory, conversation_id: str) -> list[str]:
    found = memory.conversations.items("ann", conversation_id, 100, None, "asc")
    return [each.id for each in found]


def test_a_conversation_is_its_tenants_own(memory: LongTermMemory) -> None:
    store = memory.conversations
    made = store.create("ann", {"topic": "tea"}, [item("msg_1")], None)
    asks: list[Callable[[str], Any]] = [
        lambda who: store.get(who, made.id),
        lambda who: store.update(who, made.id, {}),
        lambda who: store.items(who, made.id, 10, None, "asc"),
        lambda who: store.item(who, made.id, "msg_1"),
        lambda who: store.said(who, made.id, 10**6),
        lambda who: store.add(who, made.id, [item("msg_2")], None),
        lambda who: store.delete_item(who, made.id, "msg_1"),
        lambda who: store.delete(who, made.id),
    ]
    for ask in asks:
        with pytest.raises(NotFoundError):
            ask("bob")
    assert store.get("ann", made.id) == made
    assert ids(memory, made.id) == ["msg_1"]


def test_an_item_belongs_to_its_conversation(memory: LongTermMemory) -> None:
    store = memory.conversations
    one = store.create("ann", {}, [item("msg_1")], None)
    two = store.create("ann", {}, [item("msg_2")], None)
    with pytest.raises(NotFoundError):
        store.item("ann", one.id, "msg_2")
    with pytest.raises(NotFoundError):
        store.delete_item("ann", one.id, "msg_2")
    with pytest.raises(NotFoundError):
        store.items("ann", one.id, 10, "msg_2", "asc")
    store.delete("ann", one.id)
    assert ids(memory, two.id) == ["msg_2"]


def test_an_id_that_is_taken_is_another_in_its_place(memory: LongTermMemory) -> None:
    store = memory.conversations
    made = store.create("ann", {}, [item("msg_1", "a"), item("msg_1", "b")], None)
    store.add("ann", made.id, [item("msg_1", "c"), item("msg_2", "d")], None)
    found = store.items("ann", made.id, 10, None, "asc")
    assert [each.content["content"] for each in found] == ["a", "b", "c", "d"]
    assert len({each.id for each in found}) == 4
    assert all(each.content["id"] == each.id for each in found)
    assert all(each.id.startswith("msg_") for each in found)


def test_sizes_follow_what_is_added_and_taken(memory: LongTermMemory) -> None:
    store = memory.conversations
    made = store.create("ann", {}, [], None)
    assert made.bytes == 0
    store.add("ann", made.id, [item("msg_1", "x" * 500), item("msg_2")], None)
    large = store.get("ann", made.id).bytes
    assert large > 500
    small = store.delete_item("ann", made.id, "msg_1").bytes
    assert 0 < small < large - 500
    assert store.delete_item("ann", made.id, "msg_2").bytes == 0


def test_limits_refuse_and_change_nothing(
    memory: LongTermMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = memory.conversations
    made = store.create("ann", {}, [], 1000)
    with pytest.raises(ConflictError, match="1000"):
        store.add("ann", made.id, [item("msg_1", "x" * 2000)], 1000)
    with pytest.raises(ConflictError, match="1000"):
        store.create("ann", {}, [item("msg_1", "x" * 2000)], 1000)
    assert ids(memory, made.id) == []
    store.add("ann", made.id, [item("msg_1", "x" * 2000)], None)
    with pytest.raises(ConflictError, match="bytes"):
        store.said("ann", made.id, 1000)
    monkeypatch.setattr("memory.history.conversations.MOST_ITEMS", 2)
    with pytest.raises(ConflictError, match="2 items"):
        store.add("ann", made.id, [item("msg_2"), item("msg_3")], None)
    monkeypatch.setattr("memory.history.conversations.MOST_CONVERSATIONS", 1)
    with pytest.raises(ConflictError, match="1 conversations"):
        store.create("ann", {}, [], None)
    store.create("bob", {}, [], None)
