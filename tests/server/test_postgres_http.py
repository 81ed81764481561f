"""A server whose memory is in PostgreSQL: it answers without it, and goes on when it is back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from loadtests.postgres import ABSENT, Cluster, programs
from tests.server.composed import STORY, Composed, Reply, Script, composed

pytestmark = pytest.mark.filterwarnings("ignore:max_tokens is deprecated:DeprecationWarning")
VERIFIED: dict[str, Any] = {
    "strategy": "consistency",
    "max_samples": 2,
    "verifiers": [{"type": "string_check", "reference": "14", "operation": "eq"}],
}


@pytest.fixture(scope="module")
def own_cluster() -> Iterator[Cluster]:
    """A server that may be stopped."""
    if programs() is None:
        pytest.skip(ABSENT)
    pytest.importorskip("psycopg")
    cluster = Cluster()
    yield cluster
    cluster.remove()


@pytest.fixture
async def server(
    own_cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Composed]:
    script: Script = lambda request: Reply("The answer is 14.")  # noqa: E731
    given = {"database_url": own_cluster.database()}
    async with composed(tmp_path, monkeypatch, script, **given) as made:
        yield made


async def test_what_is_verified_is_saved_to_postgresql_and_answered_from_it(
    server: Composed, tmp_path: Path
) -> None:
    first = await server.chat(adaptation=VERIFIED)
    assert first["adaptation"]["memory"]["saved"].startswith("rec_")
    again = await server.chat(adaptation={"strategy": "consistency"})
    assert again["adaptation"]["stop_reason"] == "remembered"
    listed = (await server.http.get("/v1/memory/records")).json()
    assert [each["id"] for each in listed["data"]] == [first["adaptation"]["memory"]["saved"]]
    assert not (tmp_path / "data" / "whet.db").exists()


async def test_without_its_database_it_answers_saves_nothing_says_so_and_recovers(
    server: Composed, own_cluster: Cluster
) -> None:
    await server.chat(adaptation={"strategy": "plain"})  # whose keys count is known from here on
    own_cluster.stop("immediate")
    try:
        answer = await server.chat(adaptation=VERIFIED)
        assert answer["choices"][0]["message"]["content"] == "The answer is 14."
        told = answer["adaptation"]["memory"]
        assert told["saved"] is None
        assert "is not reachable" in told["reason"]
        assert "hush" not in str(answer)
        records = await server.http.get("/v1/memory/records")
        assert records.status_code == 503
        assert "is not reachable" in (await server.http.get("/ready")).text
    finally:
        own_cluster.start()
    saved = await server.chat(adaptation=VERIFIED)
    assert saved["adaptation"]["memory"]["saved"].startswith("rec_")
    assert server.memory.get("default", saved["adaptation"]["memory"]["saved"]).question == STORY
