"""`whet trace` and `/v1/trace`: an answer, and where it comes from."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from server.cli import main
from tests.server.composed import Reply, composed
from tests.server.forgetting import Life, live

pytestmark = pytest.mark.filterwarnings("ignore:max_tokens is deprecated:DeprecationWarning")
Capture = pytest.CaptureFixture[str]
TENANT = ("--tenant", "ann")


@pytest.fixture
def life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Life:
    monkeypatch.setenv("WHET_DATA_DIR", str(tmp_path / "data"))
    return live(tmp_path / "data")


def test_a_trace_is_a_tree_of_what_belongs_together(life: Life, capsys: Capture) -> None:
    assert main(["trace", life.record.id, *TENANT]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"record {life.record.id}: state active, tier feedback")
    assert "└── taught" in said
    assert f"adapter {life.learned.id}" in said
    assert life.other.id in said, "what the adapter learned as well"
    assert main(["trace", life.record.id, "--depth", "1", *TENANT]) == 0
    assert f"record {life.other.id}" not in capsys.readouterr().out


def test_nothing_of_a_trace_is_cut_off_where_lines_are_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setenv("WHET_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr("server.terminal.WIDTH_WITHOUT_TERMINAL", 40)
    record = live(tmp_path / "data").record
    assert main(["trace", record.id, *TENANT, "--depth", "3"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) > 100
    assert all("created 20" in line or "asked 20" in line for line in lines if ": " in line)


def test_a_trace_is_wrapped_within_its_branches_in_a_terminal(
    life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = io.StringIO()
    narrow = Console(file=shown, force_terminal=True, no_color=True, width=60)
    monkeypatch.setattr("server.terminal.console", lambda: narrow)
    assert main(["trace", life.record.id, *TENANT]) == 0
    lines = shown.getvalue().splitlines()
    assert max(map(len, lines)) <= 60
    assert life.learned.id in " ".join(lines)
    assert life.other.id in " ".join(lines), "an id is one word"
    assert not any("…" in line for line in lines)


def test_an_imported_record_is_of_no_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = ("--data-dir", "data")
    Path("in.jsonl").write_text('{"question": "What is 2 + 3?", "answer": "5"}')
    assert main(["memory", "import", "in.jsonl", "--embedder", "hashing", *folder]) == 0
    assert main(["memory", "list", "--json", "--embedder", "hashing", *folder]) == 0
    (record,) = json.loads(capsys.readouterr().out.partition("\n")[2])
    assert main(["trace", record["id"], *folder]) == 0
    assert "model" not in capsys.readouterr().out


def test_a_program_reads_json(life: Life, capsys: Capture) -> None:
    assert main(["trace", life.learned.id, "--json", "--depth", "0", *TENANT]) == 0
    (found,) = json.loads(capsys.readouterr().out)["data"]
    assert (found["kind"], found["id"]) == ("adapter", life.learned.id)
    assert found["links"][0]["relation"] == "trained on"


def test_what_is_not_there_is_said_in_a_line(life: Life, capsys: Capture) -> None:
    assert main(["trace", "chatcmpl-none", *TENANT]) == 1
    assert "record, version, model, job or file chatcmpl-none" in capsys.readouterr().err
    assert main(["trace", life.record.id]) == 1
    assert "no record" in capsys.readouterr().err


async def test_an_answer_leads_to_its_record_over_http(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    verified = {"verifiers": [{"type": "math", "reference": "14"}]}
    async with composed(tmp_path, monkeypatch, lambda _: Reply("#### 14")) as server:
        answer = await server.chat(adaptation=verified)
        saved = answer["adaptation"]["memory"]["saved"]
        whole = await server.http.get(f"/v1/trace/{answer['id']}")
        found = whole.json()["data"]
        assert [thing["id"] for thing in found] == [answer["id"], saved]
        assert found[0]["links"] == [{"relation": "saved as", "ids": [saved], "total": 1}]
        assert found[1]["links"] == [{"relation": "came from", "ids": [answer["id"]], "total": 1}]
        assert (await server.http.get("/v1/trace/rec_none")).status_code == 404
        assert (await server.http.get(f"/v1/trace/{answer['id']}?depth=7")).status_code == 400
