"""Which Whet this is."""

from __future__ import annotations

import importlib.metadata


def installed_version() -> str:
    """Return the version of the distribution, or that there is none."""
    try:
        return importlib.metadata.version("whet")
    except importlib.metadata.PackageNotFoundError:
        return "(run from a folder, not installed)"
