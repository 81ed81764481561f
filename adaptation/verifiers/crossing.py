"""What crosses between the process of the tests and the process of the answer: data, never objects.

Values of the built-in types are copied; anything else stays where it is and crosses as a handle.
Runs inside the sandbox: standard library only, and nothing read here is ever evaluated.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, BinaryIO

MAX_MESSAGE_BYTES = 4 * 2**20

Hold = Callable[[Any], list[Any]]
"""Turns an object that cannot be copied into `["handle", id]`, or raises TypeError."""


def send(stream: BinaryIO, message: list[Any]) -> None:
    """Write one message."""
    stream.write(json.dumps(message).encode() + b"\n")
    stream.flush()


def receive(stream: BinaryIO) -> list[Any] | None:
    """Read one message; None at the end. ValueError if it is too long or no message."""
    line = stream.readline(MAX_MESSAGE_BYTES)
    if not line:
        return None
    message = json.loads(line)
    if not isinstance(message, list):
        raise ValueError("not a message")
    return message


def encode(value: Any, hold: Hold) -> Any:
    """Describe `value` in JSON; subclasses of built-in types lose their class."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return ["str", str(value)]
    if isinstance(value, bytes | bytearray):
        return ["bytes" if isinstance(value, bytes) else "bytearray", bytes(value).hex()]
    if isinstance(value, int):
        return ["int", hex(value)]
    if isinstance(value, float):
        return ["float", float(value).hex()]
    if isinstance(value, complex):
        return ["complex", value.real.hex(), value.imag.hex()]
    for kind, name in _COLLECTIONS:
        if isinstance(value, kind):
            return [name, *(encode(item, hold) for item in value)]
    if isinstance(value, dict):
        return ["dict", *([encode(k, hold), encode(v, hold)] for k, v in value.items())]
    return hold(value)


_COLLECTIONS: tuple[tuple[type[Any], str], ...] = (
    (list, "list"),
    (tuple, "tuple"),
    (set, "set"),
    (frozenset, "frozenset"),
)


def decode(form: Any, fetch: Callable[[int], Any]) -> Any:
    """Rebuild a value, of exactly the built-in types; ValueError or TypeError on nonsense."""
    if form is None or isinstance(form, bool):
        return form
    if not isinstance(form, list) or not form:
        raise ValueError("not a value")
    name, *parts = form
    if name == "handle":
        return fetch(int(parts[0]))
    if name == "dict":
        return {decode(key, fetch): decode(value, fetch) for key, value in parts}
    for kind, collection in _COLLECTIONS:
        if name == collection:
            return kind(decode(part, fetch) for part in parts)
    if name == "complex":
        return complex(float.fromhex(parts[0]), float.fromhex(parts[1]))
    return _SCALARS[name](parts[0])


_SCALARS: dict[str, Callable[[str], Any]] = {
    "str": str,
    "int": lambda digits: int(digits, 16),
    "float": float.fromhex,
    "bytes": bytes.fromhex,
    "bytearray": bytearray.fromhex,
}
