"""A batch's input is looked at line by line, and what is wrong with it is named."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from server.batches import requests
from server.batches.members import Members
from server.batches.requests import examined, numbered_lines, requests_of

CHAT = "/v1/chat/completions"
MOST = 10_000


def line(custom_id: object = "a", **changed: Any) -> bytes:
    given = {"custom_id": custom_id, "method": "POST", "url": CHAT, "body": {"model": "m"}}
    return json.dumps({**given, **changed}).encode()


def test_requests_are_read_as_they_stand() -> None:
    content = [line("a") + b"\r\n\n" + line("b", body={"x": "é"})]
    assert examined(content, CHAT, MOST) == (2, [])
    assert [(each.line, each.custom_id, each.body.text) for each in requests_of(content, CHAT)] == [
        (1, "a", b'{"model": "m"}'),
        (3, "b", b'{"x": "\\u00e9"}'),
    ]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(JSON, st.booleans(), st.sampled_from([None, 2, "\t"]))
def test_members_are_parsed_as_json_parses_them_and_their_texts_say_the_same(
    value: Any, is_ascii: bool, indent: Any
) -> None:
    text = json.dumps({"a": value, "b": {"c": value}}, ensure_ascii=is_ascii, indent=indent)
    members = Members()
    assert members.parsed(text.encode("utf-8", "surrogatepass")) == json.loads(text)
    assert {key: json.loads(each) for key, each in members.texts.items()} == json.loads(text)


@given(st.text('{}[]":,1a \n\\', max_size=12))
@example('{"a":1,"a":[2]}')
@example(' {"a" : 1 , } ')
@example("{1:2}")
@example('{"a":1}}')
@example("\ufeff{}")
def test_what_is_no_json_is_none_to_both(text: str) -> None:
    try:
        expected = json.loads(text.encode())
    except json.JSONDecodeError:
        with pytest.raises(json.JSONDecodeError):
            Members().parsed(text.encode())
    else:
        assert Members().parsed(text.encode()) == expected


@pytest.mark.parametrize(
    ("wrong", "code", "param"),
    [
        (b"{", "invalid_json_line", None),
        (b"[1]", "invalid_json_line", None),
        (b"\xff", "invalid_json_line", None),
        (b'{"a":' * 1600 + b"1" + b"}" * 1600, "invalid_json_line", None),
        (line(body={"x": "y" * MOST}), "line_too_long", None),
        (b'{"a": %s, "a": 1}' % (b"9" * 5000), "invalid_json_line", None),
        (line(7), "missing_custom_id", "custom_id"),
        (line(""), "missing_custom_id", "custom_id"),
        (line("good"), "duplicate_custom_id", "custom_id"),
        (line(method="GET"), "invalid_method", "method"),
        (line(url="/v1/completions"), "mismatched_url", "url"),
        (line(url="http://elsewhere/v1/chat/completions"), "mismatched_url", "url"),
        (line(body=[]), "invalid_body", "body"),
        (line(body={"stream": True}), "invalid_body", "body.stream"),
        (line(body={"background": True}), "invalid_body", "body.background"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(wrong: bytes, code: str, param: str | None) -> None:
    count, faults = examined([line("good"), b"\n", wrong, b"\n", line("last")], CHAT, MOST)
    assert count == 3
    ((fault),) = faults
    assert (fault["code"], fault["line"], fault["param"]) == (code, 2, param)


def test_what_is_told_of_a_fault_is_short() -> None:
    wrong = json.dumps({"a" * 5000: "\\ud800"}).replace("\\\\", "\\").encode()
    ((fault),) = examined([wrong], CHAT, MOST)[1]
    assert fault["code"] == "invalid_json_line"
    assert len(fault["message"]) <= requests.MOST_CHARS


def test_an_input_without_requests_is_one_fault() -> None:
    assert [fault["code"] for fault in examined([b"\n \n"], CHAT, MOST)[1]] == ["empty_file"]


def test_faults_and_requests_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(examined([b"x\n" * 1000], CHAT, MOST)[1]) == requests.MOST_FAULTS
    monkeypatch.setattr(requests, "MOST_REQUESTS", 2)
    many = [line(str(number)) + b"\n" for number in range(3)]
    assert [fault["code"] for fault in examined(many, CHAT, MOST)[1]] == ["too_many_tasks"]


@given(st.lists(st.sampled_from([b"", b"a", b" ", b"\n", b"bc\nd", b"\r\n"]), max_size=30))
def test_lines_are_the_same_however_the_content_is_cut(parts: list[bytes]) -> None:
    whole = b"".join(parts).split(b"\n")
    expected = [(n, each) for n, each in enumerate(whole, 1) if each.strip()]
    assert list(numbered_lines(parts)) == expected


def test_half_a_character_under_a_key_that_comes_again_is_no_part_of_a_request() -> None:
    content = [line(body={"a": 1}).replace(b'{"a": 1}', b'{"a": "\xed\xa0\x80", "a": 1}')]
    assert examined(content, CHAT, MOST) == (1, [])
    assert [each.body.take() for each in requests_of(content, CHAT)] == [{"a": 1}]
