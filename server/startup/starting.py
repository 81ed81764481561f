"""How far a start is, and that it has come to its end: what `whet serve` shows on stderr.

In a terminal a line with the stage and its seconds, else a line for each stage; where the log is
JSON, lines of the log, and no greeting.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Collection
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING

from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from server.telemetry.lines import OURS, LogFormat
from server.terminal import complain, console

if TYPE_CHECKING:
    from server.startup.greeting import Greeting

logger = logging.getLogger(__name__)


class Start(AbstractContextManager["Start"]):
    """The stages of one start, and its greeting. Outside of the block nothing is shown."""

    def __init__(self, log_format: LogFormat, verbose: bool) -> None:
        self.greeting: Greeting | None = None
        """Set once it is known."""
        self._is_json = log_format == "json"
        self._began = time.monotonic()
        is_live = not self._is_json and not verbose and sys.stderr.isatty()
        self._bar = _bar() if is_live else None

    def stage(self, what: str) -> None:
        """Say what is done from now on."""
        if self._bar is not None:
            for task in self._bar.task_ids:
                self._bar.remove_task(task)
            self._bar.add_task(what, total=None)
            self._bar.start()
        elif self._is_json:
            logger.info("%s", what)
        else:
            after_s = time.monotonic() - self._began
            complain(f"{what} (after {after_s:.0f} s)" if after_s >= 1 else what)

    def pause(self) -> None:
        """Leave the terminal to others, until the next stage."""
        if self._bar is not None:
            self._bar.stop()

    def ready(self, address: str, paths: Collection[str]) -> None:
        """Greet: the server answers at `address` on these paths from now on."""
        self.pause()
        seconds = time.monotonic() - self._began
        if self._is_json or self.greeting is None:
            logger.info("ready on %s (routes at %s/docs)", address, address)
            if self.greeting is not None:
                logger.info("serving %s: %s", self.greeting.model, self.greeting.size)
        else:
            stop = "Ctrl-C" if sys.stderr.isatty() else f"`kill {os.getpid()}`"
            screen = self.greeting.text(address, paths, seconds, stop)
            print(screen, file=sys.stderr, flush=True)
        _log_all(True)

    def __enter__(self) -> Start:
        _log_all(self._bar is None)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.pause()


def _bar() -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        TimeElapsedColumn(),
        console=console(stderr=True),
        transient=True,
        refresh_per_second=4,
        redirect_stdout=False,
        redirect_stderr=False,
    )


def _log_all(is_wanted: bool) -> None:
    """Have our own loggers tell what goes on, or warnings alone beside a line that moves."""
    for package in OURS:
        logging.getLogger(package).setLevel(logging.INFO if is_wanted else logging.WARNING)
