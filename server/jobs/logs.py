"""What is logged while a job is done, as events of the job."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from server.jobs.work import Work

OURS = ("server", "adaptation", "memory")
"""Packages whose lines become events; other warnings go to the process's own log alone."""
MOST_CHARACTERS = 2_000


class _Teller(logging.Handler):
    def __init__(self, work: Work) -> None:
        super().__init__(logging.INFO)
        self._work = work

    def emit(self, record: logging.LogRecord) -> None:
        self._work.tell(record.getMessage()[:MOST_CHARACTERS], _level(record.levelno))


@contextmanager
def told_to(work: Work) -> Iterator[None]:
    """Tell of what Whet itself logs in the block, whatever level a library gave to all."""
    teller = _Teller(work)
    before = {name: logging.getLogger(name).level for name in OURS}
    for name in OURS:
        logging.getLogger(name).addHandler(teller)
        logging.getLogger(name).setLevel(logging.INFO)
    try:
        yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).removeHandler(teller)
            logging.getLogger(name).setLevel(level)


def _level(number: int) -> Literal["info", "warn", "error"]:
    if number >= logging.ERROR:
        return "error"
    return "warn" if number >= logging.WARNING else "info"
