"""The access log without what was asked: a path's query may hold content (`?q=`) or a key."""

from __future__ import annotations

import logging

ACCESS_LOGGER = "uvicorn.access"
PATH = 2
"""Of uvicorn's arguments: client, method, path with query, HTTP version, status."""


class DropQueries(logging.Filter):
    """Cuts the query off the path in each line."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the line; every line is logged."""
        given = record.args
        if isinstance(given, tuple) and len(given) > PATH and isinstance(given[PATH], str):
            path = str(given[PATH]).partition("?")[0]
            record.args = (*given[:PATH], path, *given[PATH + 1 :])
        return True


def drop_queries() -> None:
    """Keep queries out of the access log from now on, however uvicorn configures it later."""
    logger = logging.getLogger(ACCESS_LOGGER)
    if not any(isinstance(known, DropQueries) for known in logger.filters):
        logger.addFilter(DropQueries())
