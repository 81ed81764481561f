"""The narrated tour against the real engine, but for distillation: the server is others' too."""

from __future__ import annotations

import re

import pytest

from adaptation.evaluation.questions import TASK
from server.cli import main
from tests.e2e.running import Running


def test_every_station_has_something_to_show(
    server: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        assert main(["demo", "--url", server.url, "--fast"]) == 0
    finally:
        forget(server)
    told = " ".join(capsys.readouterr().out.split())
    singles = re.search(r"(\d+)% of single samples right", told)
    assert singles is not None
    assert 20 < int(singles[1]) < 100, "what is always right, or never, shows nothing of a vote"
    adapted = re.search(r"(\d) of 3 answers came through a trained adapter", told)
    assert adapted is not None
    assert int(adapted[1]) > 0
    assert re.search(r"feedback .*\bworked\b", told.partition("What happened")[2])


def forget(server: Running) -> None:
    """Leave the server as it was found."""
    while records := server.get(f"/v1/memory/records?task={TASK}").json()["data"]:
        for record in records:
            assert server.delete(f"/v1/memory/records/{record['id']}").is_success
        if not any(record["state"] != "erased" for record in records):
            break
