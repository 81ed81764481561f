"""A browser for the tests of one file: its driver's event loop must end before others' begin."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.console.browsing import Browsing
from tests.console.driving import driven, is_installed


@pytest.fixture(scope="module")
def browsing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browsing]:
    """Chromium beside a filled server."""
    if not is_installed():
        pytest.skip("chromium is not installed (Debian: apt-get install chromium)")
    pytest.importorskip("playwright.sync_api", reason="whet[dev] is not installed")
    with driven(tmp_path_factory.mktemp("console")) as found:
        yield found
