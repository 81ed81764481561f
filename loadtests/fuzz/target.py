"""What a target is: a function of bytes that may refuse them in its own words, and in no others."""

from __future__ import annotations

from collections.abc import Callable

Target = Callable[[bytes], None]
"""Returns whatever the bytes are; raises where a parser fails them, or takes what it must not."""


class Broken(AssertionError):  # noqa: N818  (it is what a fuzzer looks for, not an error of ours)
    """A parser took what it must refuse, or said something that is not so."""


def text_of(data: bytes) -> str:
    """The bytes as any text at all, half characters included."""
    try:
        return data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return data.decode("utf-8", "replace")
