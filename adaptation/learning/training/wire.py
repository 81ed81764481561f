"""The trainer's end of what is said: requests that have come, and replies that go.

Owns the queue between whoever brings requests and the one thread that works. Knows nothing of what
is asked.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
import time
import traceback
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import TextIO

from adaptation.learning.training.messages import (
    REQUEST,
    Cancel,
    Done,
    Failed,
    Ready,
    Step,
    Work,
)
from adaptation.learning.training.trainer import Standing


class Inbox(ABC):
    """Requests, and which of them were given up."""

    def __init__(self) -> None:
        self._requests: queue.Queue[tuple[Work, float]] = queue.Queue()
        self._came = threading.Event()
        self._cancelled: dict[int, threading.Event] = {}

    @abstractmethod
    def say(self, reply: Ready | Step | Done | Failed) -> None:
        """Send one reply."""

    def put(self, request: Work | Cancel) -> None:
        """Take a request in, or have one given up; from any thread."""
        if isinstance(request, Cancel):
            if (event := self._cancelled.get(request.id)) is not None:  # not answered yet
                event.set()
        else:
            self._cancelled[request.id] = threading.Event()
            self._requests.put((request, time.perf_counter()))
            self._came.set()

    def take(self, *, wait: bool) -> Iterator[tuple[Work, float]]:
        """Yield the requests that have come and when; `wait` for the first."""
        self._came.clear()
        while wait or not self._requests.empty():
            yield self._requests.get()
            wait = False

    def comes_within(self, seconds: float) -> bool:
        """Whether a request has come, or comes within so long."""
        return self._came.wait(seconds)

    def cancelled(self, request_id: int) -> threading.Event:
        """Set once the request was given up."""
        return self._cancelled[request_id]

    def forget(self, request_id: int) -> None:
        """The request is answered."""
        self._cancelled.pop(request_id, None)


class Wire(Inbox):
    """Stdin and the real stdout; what libraries print goes to stderr."""

    def __init__(self) -> None:
        super().__init__()
        self._out = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
        os.dup2(2, 1)
        threading.Thread(target=self._listen, args=(sys.stdin,), daemon=True).start()

    def say(self, reply: Ready | Standing | Step | Done | Failed) -> None:
        """Send one reply."""
        self._out.write(reply.model_dump_json() + "\n")
        self._out.flush()

    def _listen(self, stdin: TextIO) -> None:
        try:
            for line in stdin:
                self.put(REQUEST.validate_json(line))
        except BaseException:  # noqa: BLE001  no request would be heard any more
            traceback.print_exc()
            os._exit(1)
        os._exit(0)  # the parent is gone; a job in progress has nobody to hand its result to
