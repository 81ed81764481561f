"""A server as a child process: its log is shown where it dies, and nothing is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import httpx
import psutil
import pytest
from rich.console import Console

from server.server_process import ROOT, Launch, Server, ServerFailedError, running

PAGES = Launch("pages", ("tests.server.pages",), "/")
QUIET = Console(quiet=True)


def test_a_server_that_does_not_start_shows_its_log() -> None:
    broken = Launch("broken", ("no_such_module",), "/ready")
    with (
        pytest.raises(ServerFailedError, match="No module named no_such_module"),
        running(broken, QUIET),
    ):
        pass


def test_a_server_that_dies_at_work_shows_its_log() -> None:
    with (
        pytest.raises(ServerFailedError, match=r"pages ended with status 3; [\s\S]*out of luck"),
        running(PAGES, QUIET) as server,
    ):
        httpx.get(f"{server.url}/die")


def test_a_server_that_has_died_has_ended() -> None:
    with running(PAGES, QUIET) as server:
        assert not server.has_ended
        with pytest.raises(httpx.HTTPError):
            httpx.get(f"{server.url}/die")
        by = time.monotonic() + 20
        while not server.has_ended and time.monotonic() < by:
            time.sleep(0.05)
        assert server.has_ended


def test_an_error_of_the_callers_own_passes_through_and_the_server_is_ended() -> None:
    seen: list[Server] = []

    def fail() -> None:
        with running(PAGES, QUIET) as server:
            seen.append(server)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert not psutil.pid_exists(seen[0].process.pid)


OWNER = """
import signal, time
for number in (signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_DFL)  # whatever these tests were started with
signal.signal(signal.SIGINT, signal.default_int_handler)
from rich.console import Console
from server.server_process import running
from tests.server.test_server_process import PAGES
with running(PAGES, Console(quiet=True)) as server:
    print(server.process.pid, flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize(
    ("number", "second"),
    [
        (signal.SIGTERM, signal.SIGTERM),
        (signal.SIGHUP, signal.SIGHUP),
        (signal.SIGTERM, signal.SIGHUP),
        (signal.SIGINT, 0),
    ],
)
def test_a_program_that_is_told_to_end_ends_its_server_too(number: int, second: int) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", OWNER], stdout=subprocess.PIPE, cwd=ROOT
    ) as owner:  # what it says is shown where the test fails
        assert owner.stdout is not None
        server = int(owner.stdout.readline())
        os.kill(owner.pid, number)
        time.sleep(0.01)
        os.kill(owner.pid, second)
        assert owner.wait(30) != 0
    assert not psutil.pid_exists(server)
