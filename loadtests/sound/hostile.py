"""Bodies that cost their sender little and a careless server much."""

from __future__ import annotations

import json
from collections.abc import Callable

PATH = "/v1/chat/completions"
TINY = '{"role": "user", "content": "x"}'


def messages() -> str:
    """Return messages of one letter."""
    return f'{{"messages": [{_many(TINY, 950_000)}]}}'


def nested() -> str:
    """Return lists within lists, fifty deep."""
    return f'{{"messages": [{_many("[" * 50 + "]" * 50, 80_000)}]}}'


def numbers() -> str:
    """Return ten million numbers."""
    return f'{{"messages": [{TINY}], "logit_bias": [{_many("7", 10_000_000)}]}}'


def verifier(properties: int) -> str:
    """Return a verifier with a schema of so many properties."""
    kinds = {f"p{number}": {"type": "string"} for number in range(properties)}
    schema = {"type": "object", "properties": kinds}
    adaptation = json.dumps({"verifiers": [{"type": "json_schema", "schema": schema}]})
    return f'{{"messages": [{TINY}], "max_tokens": 2, "adaptation": {adaptation}}}'


BODIES: dict[str, Callable[[], str]] = {
    "31 MiB of tiny messages": messages,
    "8 MiB of nested lists": nested,
    "29 MiB of numbers": numbers,
    "a `json_schema` verifier of 6,000 properties": lambda: verifier(6_000),
    "a `json_schema` verifier of 838 KiB": lambda: verifier(29_000),
    "a `json_schema` verifier of 4 MiB": lambda: verifier(150_000),
}
"""None is as long as the 32 MiB that the web server itself refuses."""


def _many(what: str, count: int) -> str:
    return ", ".join([what] * count)
