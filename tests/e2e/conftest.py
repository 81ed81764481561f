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
    "test_typescript.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything here, so that `-m "not e2e"` leaves it out, and have it first.

    It waits the longest, so `make test` has one of its workers begin with it. What needs other
    people's clients comes last of it: they are installed meanwhile.
    """
    here = Path(__file__).parent
    ours = [item for item in items if here in item.path.parents]
    for item in ours:
        item.add_marker(pytest.mark.e2e)
    ours.sort(key=lambda item: item.path.name in NEED_CLIENTS)
    items[:] = ours + [item for item in items if here not in item.path.parents]


@pytest.fixture(scope="session", autouse=True)
def _clients(request: pytest.FixtureRequest) -> Iterator[None]:
    """Prepare other people's clients meanwhile, where a test wants one."""
    if not set(NEED_CLIENTS) & {item.path.name for item in request.session.items}:
        yield
        return
    with preparing():
        yield


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
