"""What a target is: a function of bytes that may refuse them in its own words, and in no others."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

Target = Callable[[bytes], None]
"""Returns whatever the bytes are; raises where a parser fails them, or takes what it must not."""


class Broken(AssertionError):  # noqa: N818  (it is what a fuzzer looks for, not an error of ours)
    """A parser took what it must refuse, or said something that is not so."""


@contextmanager
def a_folder() -> Iterator[Path]:
    """A folder for the block, in memory where there is such."""
    shared = Path("/dev/shm")
    place = shared if shared.is_dir() else None
    folder = Path(tempfile.mkdtemp(prefix="whet-fuzz-", dir=place))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def text_of(data: bytes) -> str:
    """The bytes as any text at all, half characters included."""
    try:
        return data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return data.decode("utf-8", "replace")
