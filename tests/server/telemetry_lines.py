"""What a server logs, line by line, as its operator reads it."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from server.telemetry.lines import OURS, LogFormat, handler_of


class Log:
    """All that was logged."""

    def __init__(self) -> None:
        self.stream = io.StringIO()

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Lines of JSON."""
        return [json.loads(line) for line in self.text.splitlines()]

    @property
    def requests(self) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["logger"] == "server.requests"]


@contextmanager
def logged(log_format: LogFormat = "json") -> Iterator[Log]:
    """Write whatever is logged at level INFO in the block."""
    log = Log()
    handler, loggers = handler_of(log_format, log.stream), [logging.getLogger(n) for n in OURS]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
    try:
        yield log
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.removeHandler(handler)
            logger.setLevel(level)
