"""Whether there is room for a conversion, before it begins.

What takes more memory than there is would be killed in its midst, and others with it.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import psutil

from adaptation.conversion.header import Header
from adaptation.errors import ConversionError

BYTES_PER_WEIGHT = 2  # bfloat16
UNPACKING_BYTES = 12
"""For each number of the tensor at hand: in float32, turned, and copied."""
GB = 1e9


def check_room(source: Path, folder: Path, header: Header) -> None:
    """Raise `ConversionError` with what it takes and what is free."""
    model = BYTES_PER_WEIGHT * header.elements
    memory, disk = psutil.virtual_memory().available, shutil.disk_usage(folder).free
    if (needed := model + UNPACKING_BYTES * header.largest) > memory:
        problem = f"takes {needed / GB:.1f} GB of memory and {memory / GB:.1f} GB are free"
        advice = "end something, or convert it on a larger machine"
        raise ConversionError(f"to convert {source} {problem}: {advice}")
    if model > disk:
        problem = f"takes {model / GB:.1f} GB in {folder.parent} and {disk / GB:.1f} GB are free"
        advice = "make room there, or choose another folder with --data-dir"
        raise ConversionError(f"to convert {source} {problem}: {advice}")
