"""What memory knows of an image, a sound or a file: its kind and its hash, never its content."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

DIGITS = 32
"""Hexadecimal digits that are kept of a SHA-256: 128 bits tell any two apart."""
SUFFIXES = ("_url", "_embeds", "_data")
NAMED_BY_HASH = ("image", "audio", "video", "file", "document", "prompt")
WORDS = ("text", "refusal", "thinking")
"""Where the text of a part stands."""
DEPTH = 32
"""Depth to which parts are looked into; what is deeper is named by its hash as a whole."""

LONG = 512
_ENCODED = re.compile(rf"[A-Za-z0-9+/_-]{{{LONG}}}")
"""How what is encoded in base64 begins, and no text does."""


def part_text(part: Mapping[str, Any]) -> str:
    """Return a content part as text: its own, or what stands for it."""
    words = (part.get(key) for key in WORDS if _kind(part) is None)
    said = next((text for text in words if isinstance(text, str)), None)
    return without_media(part) if said is None else said


def without_media(value: object) -> str:
    """Return a JSON value as text, with its media replaced by their hashes."""
    named = _named(value, DEPTH)
    return named if isinstance(named, str) else json.dumps(named, ensure_ascii=False)


def bare(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return a JSON object with its media replaced by their hashes."""
    named = _named(value, DEPTH)
    return named if isinstance(named, dict) else {"content": named}


def _named(value: object, depth: int) -> Any:
    if isinstance(value, Mapping):
        kind = _kind(value)
        if kind is not None or depth == 0:
            return _name(kind or "object", value)
        return {key: _named(item, depth - 1) for key, item in value.items()}
    if isinstance(value, list):
        return [_named(item, depth - 1) for item in value] if depth else _name("list", value)
    if isinstance(value, str) and _is_data(value):
        return _name(value[5:].partition("/")[0], value)
    if isinstance(value, str) and len(value) >= LONG and _ENCODED.match(value):
        return _name("data", value)
    return value


def _kind(part: Mapping[str, Any]) -> str | None:
    """Return which medium a part is of, None where it is of none."""
    named = part.get("type")
    if not isinstance(named, str):
        return None
    bare = named.removeprefix("input_")
    for suffix in SUFFIXES:
        bare = bare.removesuffix(suffix)
    return bare if bare in NAMED_BY_HASH else None


def _is_data(text: str) -> bool:
    return text[:5].lower() == "data:" and ";base64," in text[:200].lower()


def _name(kind: str, value: object) -> str:
    """Name a medium by its content, wherever in the part it stands."""
    content = _content(value)
    whole = content if isinstance(content, str) else json.dumps(content, sort_keys=True)
    digest = hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()
    return f"[{kind} sha256:{digest[:DIGITS]}]"


def _content(value: object) -> object:
    """Return what a medium is made of: the same image is the same under every API."""
    if isinstance(value, str):
        return value.partition(",")[2] if _is_data(value) else value
    if isinstance(value, Mapping):
        for key in ("url", "data", "file_data", "file_id", "image_url", "input_audio"):
            if value.get(key) is not None:
                return _content(value[key])
        for key, inner in value.items():
            if key != "type" and isinstance(inner, Mapping):
                return _content(inner)
    return value
