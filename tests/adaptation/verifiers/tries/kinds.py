"""One try: an answer's code that is wrong, and that attempts something else than being right."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import indent

FOUND = "canary-[0-9a-f]{16}"
"""What a canary looks like; nothing that only asks for one does."""
WRONG = "def add(a, b): return a - b\n"


@dataclass(frozen=True)
class Around:
    """What lies outside the sandbox, for the tries to reach."""

    secret: str
    """A file that holds `canary`."""
    folder: str
    """Where nothing but `secret` is."""
    canary: str
    environment: str
    """The name of a variable of the server's that holds `canary`."""
    port: int
    """Something listens there on loopback, for TCP and for UDP."""
    socket: str
    """The path of a local socket that something listens on; its name without files is the same."""
    victim: int
    """A process of the same user's."""
    marker: str
    """An argument that every process a try starts carries."""


@dataclass(frozen=True)
class Try:
    """One technique."""

    kind: str
    name: str
    code: str
    tests: str = "assert add(1, 2) == 3"
    timeout_s: float = 10.0


def leaking(body: str) -> str:
    """An answer that says which canary `body` got: who asked is told of exceptions."""
    return (
        f"import re\ndef attempt():\n{indent(body, '    ')}\n"
        f"def add(a, b):\n    raise RuntimeError(re.findall({FOUND!r}, repr(attempt())))\n"
    )


def doing(body: str) -> str:
    """An answer that does `body` and goes on with a wrong sum."""
    guarded = f"try:\n{indent(body, '    ')}\nexcept Exception: pass\n"
    return f"{guarded}{WRONG}"
