"""Two folders change places, at once where the system can do that."""

from __future__ import annotations

import ctypes
import errno
import os
from pathlib import Path

AT_FDCWD = -100
RENAME_EXCHANGE = 2
UNKNOWN = (errno.ENOSYS, errno.EINVAL)
"""What a kernel or a file system says that cannot exchange."""


def exchange(first: Path, second: Path) -> None:
    """Let each have the other's name; a kill leaves both as before or both as after.

    Only where the system has no `renameat2`, there is nothing at `second` for a moment: what was
    there is then `first` with `.old` at its end. Raises `OSError`.
    """
    try:
        _exchange(first, second)
    except OSError as error:
        if error.errno not in UNKNOWN:
            raise
        _rename_thrice(first, second)


def _exchange(first: Path, second: Path) -> None:
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    if rename(AT_FDCWD, os.fsencode(first), AT_FDCWD, os.fsencode(second), RENAME_EXCHANGE) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(first), None, str(second))


def _rename_thrice(first: Path, second: Path) -> None:
    spare = first.with_name(first.name + ".old")
    second.rename(spare)
    try:
        first.rename(second)
    except OSError:
        spare.rename(second)
        raise
    spare.rename(first)
