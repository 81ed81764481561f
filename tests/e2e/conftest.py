"""One real server for the whole run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.e2e.apart import preparing
from tests.e2e.running import Running, serving

NEED_CLIENTS = (
    "test_clients.py",
    "test_fine_tuning.py",
    "test_lm_eval.py",
    "test_openapi.py",
    "test_tenants.py",
    "test_trl.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything here, so that `-m "not e2e"` leaves it out.

    What needs other people's clients comes last: they are installed meanwhile.
    """
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.e2e)
    items.sort(key=lambda item: here in item.path.parents and item.path.name in NEED_CLIENTS)


@pytest.hookimpl(wrapper=True)
def pytest_runtestloop(session: pytest.Session) -> Iterator[None]:
    """Prepare other people's clients meanwhile, where a test wants one."""
    if not set(NEED_CLIENTS) & {item.path.name for item in session.items}:
        return (yield)
    with preparing():
        return (yield)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """`whet serve` with the built-in model and an empty memory; or what WHET_TEST_URL names."""
    if url := os.environ.get("WHET_TEST_URL"):
        with closing(Running(url)) as running:
            yield running
        return
    folder = tmp_path_factory.mktemp("whet")
    with serving(folder / "data", folder / "server.log") as running:
        yield running
