"""A server as a child process: its log is shown where it dies, and nothing is left behind."""

from __future__ import annotations

import httpx
import psutil
import pytest
from rich.console import Console

from server.server_process import Launch, Server, ServerFailedError, running

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


def test_an_error_of_the_callers_own_passes_through_and_the_server_is_ended() -> None:
    seen: list[Server] = []

    def fail() -> None:
        with running(PAGES, QUIET) as server:
            seen.append(server)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert not psutil.pid_exists(seen[0].process.pid)
