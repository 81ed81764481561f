"""An object store that cannot be reached."""

from __future__ import annotations

import fsspec

AWAY = "away://whet-tests"


class Away(fsspec.get_filesystem_class("memory")):  # type: ignore[misc]
    """Answers nothing."""

    protocol = "away"

    def exists(self, path: str, **_: object) -> bool:
        raise TimeoutError("no answer")


fsspec.register_implementation("away", Away, clobber=True)
