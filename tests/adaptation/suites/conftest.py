"""reasoning-gym's process, started once: its imports take a second."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from adaptation.evaluation.suites.scorer import Scorer


@pytest.fixture(scope="session")
def scorer() -> Iterator[Scorer]:
    scorer = Scorer()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PYTHONHASHSEED", "random")  # as where nobody has set it
        yield scorer
    scorer.close()
