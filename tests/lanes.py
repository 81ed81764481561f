"""Which of `make test`'s two workers runs what.

One begins with all that needs the engine, as two engines at once would leave nothing of two cores.
The other draws one file after another, and both do once the engine's are through.
"""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling

TOGETHER = "tests/e2e/"


class Lanes(LoadScopeScheduling):
    """Files are drawn whole, so that what a file's tests share is made once, in their own order."""

    def _split_scope(self, nodeid: str) -> str:
        return TOGETHER if nodeid.startswith(TOGETHER) else nodeid.partition("::")[0]
