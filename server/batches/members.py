"""A line's members as they are written, beside what they mean: parsed once, never written."""

from __future__ import annotations

import json
import re
from typing import Any

_WHITE = re.compile(r"[ \t\n\r]*")
_DECODER = json.JSONDecoder()


class Members:
    """Parses a JSON text as `json.loads` does, and keeps the texts of an object's members."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        """By key; of a key that comes twice the last, as in what is parsed."""

    def parsed(self, raw: bytes) -> Any:
        """Return what `raw` says; raises what `json.loads` raises."""
        text = raw.decode(json.detect_encoding(raw), "surrogatepass")
        place = _after_white(text, 0)
        if not text.startswith("{", place):
            return json.loads(text)
        found: dict[str, Any] = {}
        place = _after_white(text, place + 1)
        if not text.startswith("}", place):
            place = self._read(text, place, found)
        if (end := _after_white(text, place + 1)) < len(text):
            raise json.JSONDecodeError("Extra data", text, end)
        return found

    def _read(self, text: str, place: int, found: dict[str, Any]) -> int:
        """Read members into `found`; return where the object's last brace stands."""
        while True:
            key, place = _DECODER.raw_decode(text, place)
            if not isinstance(key, str):
                raise json.JSONDecodeError("Expecting a name in double quotes", text, place)
            start = _after_white(text, _expected(":", text, _after_white(text, place)))
            found[key], place = _DECODER.raw_decode(text, start)
            self.texts[key] = text[start:place]
            place = _after_white(text, place)
            if text.startswith("}", place):
                return place
            place = _after_white(text, _expected(",", text, place))


def _after_white(text: str, place: int) -> int:
    found = _WHITE.match(text, place)
    return found.end() if found else place


def _expected(mark: str, text: str, place: int) -> int:
    if not text.startswith(mark, place):
        raise json.JSONDecodeError(f"Expecting `{mark}`", text, place)
    return place + 1
