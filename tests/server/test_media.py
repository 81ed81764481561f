"""An image is what its hash says, in the question and in everything made of it."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from memory.identity.prompt import MEDIUM
from server.config import Settings
from server.refusals.vllm_words import of_vllm
from server.requests.adaptation_request import take_context
from server.requests.media import part_text, without_media
from server.requests.request_context import CHAT, RESPONSES
from server.startup import engine_defaults

PIXELS = base64.b64encode(bytes(range(256)) * 40).decode()
URL = f"data:image/png;base64,{PIXELS}"


def said(path: str, body: dict[str, Any]) -> str:
    context = take_context(path, {"model": "m", **body}, Settings(), "default")
    assert context is not None
    (conversation,) = context.conversations
    return "\n".join(message.content for message in conversation)


CHATS: list[Any] = [
    [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": URL}}],
    [{"type": "image_url", "image_url": {"url": URL, "detail": "low"}, "uuid": "1"}],
    [{"type": "input_audio", "input_audio": {"data": PIXELS, "format": "wav"}}],
    [{"type": "video_url", "video_url": {"url": URL}}],
    [{"type": "file", "file": {"file_data": URL, "filename": "a.pdf"}}],
    [{"type": "image_embeds", "image_embeds": PIXELS}],
    [{"image_url": URL}],
    [{"type": "something_new", "deep": [{"er": URL}]}],
]


@pytest.mark.parametrize("content", CHATS)
def test_no_medium_of_a_chat_enters_as_text(content: Any) -> None:
    text = said(CHAT, {"messages": [{"role": "user", "content": content}]})
    assert PIXELS[:64] not in text
    assert "sha256:" in text
    assert len(text) < 400


@pytest.mark.parametrize(
    "item",
    [
        {"role": "user", "content": [{"type": "input_image", "image_url": URL}]},
        {"type": "function_call_output", "call_id": "1", "output": [
            {"type": "input_image", "image_url": URL}
        ]},
        {"type": "image_generation_call", "id": "1", "result": URL},
        {"type": "image_generation_call", "id": "1", "result": PIXELS},
        {"type": "computer_call_output", "output": {"type": "screenshot", "image_url": URL}},
    ],
)  # fmt: skip
def test_no_medium_of_a_response_enters_as_text(item: dict[str, Any]) -> None:
    text = said(RESPONSES, {"input": [item]})
    assert PIXELS[:64] not in text
    assert "sha256:" in text


def test_the_same_image_has_the_same_name_under_each_api_and_another_has_another() -> None:
    chat = part_text({"type": "image_url", "image_url": {"url": URL}})
    assert chat == part_text({"type": "input_image", "image_url": URL})
    assert chat == part_text({"type": "image_url", "image_url": {"url": URL, "detail": "high"}})
    assert chat != part_text({"type": "image_url", "image_url": {"url": URL + "AA"}})
    assert chat.startswith("[image sha256:")


def test_an_address_is_named_by_its_hash_too() -> None:
    one, two = (
        part_text({"type": "image_url", "image_url": {"url": f"https://a.example/{n}?key=s"}})
        for n in (1, 2)
    )
    assert one != two
    assert "example" not in one


def test_text_and_tool_calls_stay_as_they_are() -> None:
    assert part_text({"type": "text", "text": "a data:image/png;base64, b"}).startswith("a data")
    assert part_text({"type": "refusal", "refusal": "No."}) == "No."
    calls = [{"type": "function", "function": {"name": "f", "arguments": "{}"}, "id": "1"}]
    assert json.loads(without_media(calls)) == calls
    assert without_media(None) == "null"


def test_what_is_nested_beyond_measure_is_named_as_a_whole() -> None:
    deep: Any = URL
    for _ in range(200):
        deep = [deep]
    assert PIXELS[:64] not in without_media(deep)


def test_who_renders_a_text_sees_where_an_image_was() -> None:
    part = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    assert MEDIUM.fullmatch(part_text(part))
    assert MEDIUM.search("see [note sha256] and [image sha256:00]") is None


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/a.png", "https://example.com/a.png"])
def test_nothing_is_fetched_from_where_a_client_says(url: str) -> None:
    from vllm.multimodal.media import MediaConnector

    domains: Any = engine_defaults.flags_for(on_cpu=True)["allowed_media_domains"]
    connector = MediaConnector(allowed_media_domains=domains)
    with pytest.raises(ValueError, match="allowed domains") as refused:
        connector.fetch_image(url)
    assert "--allowed-media-domains" in of_vllm(str(refused.value))
