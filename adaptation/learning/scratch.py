"""Folders for weights that are trained, judged and given up again.

Owns how such folders are called: of a process that was killed they are told from those in use. What
lies in them has learned from records, so an erasure removes them as well.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from adaptation.learning.leases import remove_orphans

PREFIX = "whet-distill-"


@contextmanager
def scratch() -> Iterator[str]:
    """Yield a folder that goes with the block."""
    with tempfile.TemporaryDirectory(prefix=f"{PREFIX}{os.getpid()}-") as folder:
        yield folder


def remove_left() -> None:
    """Delete the folders of processes that were killed."""
    remove_orphans(Path(tempfile.gettempdir()), PREFIX)
