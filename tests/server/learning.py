"""A model that learns the rule of the fixture `data`, and commands that have it learn."""

from __future__ import annotations

import pytest

from memory.types import Message
from server.cli import main

Capture = pytest.CaptureFixture[str]


def solves(conversation: tuple[Message, ...], adapter: str | None) -> str:
    """A model whose every adapter knows the rule, and whose base knows only manners."""
    asked = conversation[-1].content
    if "lamp" not in asked:
        return "Hello!"
    return f"The answer is {int(asked.split()[2]) + 5}." if adapter else "The answer is 0."


def ran(capsys: Capture, *words: str, status: int = 0) -> str:
    """Return what a command says, on stderr where it fails."""
    assert main(list(words)) == status
    told = capsys.readouterr()
    return told.err if status else told.out
