"""The inside of a `worker_process`: reads requests, replies, and limits itself."""

from __future__ import annotations

import gc
import json
import os
import resource
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

MAX_MEMORY_BYTES = 4 * 2**30
"""Address space; half a gigabyte of it is numpy's and sympy's own."""

BY_CLOCK = 4
"""How many times its time of a processor a question may take."""


def serve(
    read: Callable[[BinaryIO], Any],
    reply: Callable[[Any], Any],
    most_bytes: int | None = MAX_MEMORY_BYTES,
) -> None:
    """Reply to every request with a line of JSON until stdin ends: then its owner has ended.

    `read` takes one request off the stream and raises EOFError at its end. `most_bytes` of address
    space are enough for what an input can prolong; None is for what has its size from elsewhere.
    """
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # libraries may print
    for ending in (signal.SIGALRM, signal.SIGPROF):
        signal.signal(ending, signal.SIG_DFL)
    if most_bytes is not None:
        resource.setrlimit(resource.RLIMIT_AS, (most_bytes, most_bytes))
    gc.freeze()  # what was imported stays: no question's time is spent on looking through it
    while True:
        try:
            request = read(sys.stdin.buffer)
        except EOFError:
            return
        replies.write(json.dumps(reply(request)) + "\n")


def read_line(stream: BinaryIO) -> Any:
    """Take a request that is a line of JSON; raises EOFError where there is no other."""
    line = stream.readline()
    if not line:
        raise EOFError
    return json.loads(line)


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """End this process where the block takes longer, of a processor or `BY_CLOCK` times by a clock.

    What waits for a busy processor has not had its time yet.
    """
    limits = ((signal.ITIMER_PROF, seconds), (signal.ITIMER_REAL, BY_CLOCK * seconds))
    for timer, limit in limits:
        signal.setitimer(timer, limit)
    try:
        yield
    finally:
        for timer, _ in limits:
            signal.setitimer(timer, 0)
