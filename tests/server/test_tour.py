"""`whet demo` against the composed server: its stations, in their order, and what they came to."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from server.cli import main
from tests.server.composed import Reply, composed
from tests.server.listening import listening

pytestmark = pytest.mark.filterwarnings("ignore:max_tokens is deprecated:DeprecationWarning")


def said(request: Any) -> Reply:
    return Reply("1 + 1 = 2.\n#### 2")


async def test_a_tour_has_the_stations_that_can_run_and_says_what_each_came_to(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async with composed(data_dir.parent, monkeypatch, said) as server, listening(server) as url:
        status = await asyncio.to_thread(main, ["demo", "--url", url, "--fast"])
    told = capsys.readouterr().out
    assert status == 0
    chapters = re.findall(r"^(\d)\. (\w+)", told, re.MULTILINE)
    assert chapters == [("1", "Voting"), ("2", "Test"), ("3", "Feedback")]
    summary = told.partition("What happened")[2]
    assert re.search(r"voting .*made no difference", summary)
    assert re.search(r"feedback .*comes from record rec_", " ".join(summary.split()))
    assert "distillation" not in summary


def test_a_folder_without_its_server_is_asked_wrongly(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--data-dir", "somewhere"]) == 2
    assert "--url" in capsys.readouterr().err
