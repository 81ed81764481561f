"""The scan counts what the parser would find, however the text is cut into blocks."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from server.http.json_scan import JsonScan

LEAVES = (
    st.none() | st.booleans() | st.integers() | st.text(alphabet='ab"\\,[]{}\n\u00e9', max_size=8)
)
DOCUMENTS = st.recursive(
    LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text('k"\\', max_size=3), inner)
)


def parts_of(document: Any) -> int:
    if isinstance(document, dict):
        return 1 + sum(1 + parts_of(value) for value in document.values())
    if isinstance(document, list):
        return 1 + sum(map(parts_of, document))
    return int(isinstance(document, str))


def depth_of(document: Any) -> int:
    if isinstance(document, dict):
        return 1 + max(map(depth_of, document.values()), default=0)
    if isinstance(document, list):
        return 1 + max(map(depth_of, document), default=0)
    return 0


def scanned(text: bytes, size: int) -> JsonScan:
    scan = JsonScan()
    for start in range(0, len(text), size):
        scan.add(text[start : start + size])
    return scan


@given(DOCUMENTS, st.integers(1, 50), st.sampled_from([None, 1]), st.booleans())
def test_parts_and_depth_are_those_of_the_parsed_document(
    document: Any, size: int, indent: int | None, is_ascii: bool
) -> None:
    text = json.dumps(document, indent=indent, ensure_ascii=is_ascii).encode()
    scan = scanned(text, size)
    assert scan.parts == parts_of(document)
    assert scan.deepest == depth_of(document)


@given(st.lists(st.integers()), st.integers(1, 9))
def test_numbers_are_counted_as_values(numbers: list[int], size: int) -> None:
    assert len(numbers) <= scanned(json.dumps(numbers).encode(), size).values <= len(numbers) + 1


def test_objects_in_the_bodys_own_lists_are_items() -> None:
    body = {"messages": [{"role": "user", "content": [{"a": {}}]}] * 3, "tools": [{}, {}], "x": {}}
    assert scanned(json.dumps(body).encode(), 7).items == 5


@given(st.text('"\\[]{},:1 ', max_size=60).map(str.encode))
def test_no_text_shows_more_than_it_can_at_most(text: bytes) -> None:
    shown, most = scanned(text, len(text) or 1), JsonScan.at_most(text)
    assert shown.parts <= most.parts
    assert shown.values <= most.values
    assert shown.items <= most.items
    assert shown.deepest <= most.deepest
