"""`whet memory forget`, `certificate` and `verify --forgotten`, `whet distill --rebuild`."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from adaptation.learning.training.adapter_files import WEIGHTS, write_config
from adaptation.learning.training.fake import FakeTrainer
from memory.types import Message
from server.cli import main
from server.jobs.kinds import distill
from tests.server.forgetting import CANARY, Life, draft, live, opened

TENANT = ("--tenant", "ann")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WHET_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("WHET_EMBEDDER", "hashing")
    return tmp_path / "data"


@pytest.fixture
def life(folder: Path) -> Life:
    return live(folder)


Capture = pytest.CaptureFixture[str]


def said(capsys: Capture, *words: str, status: int = 0) -> tuple[str, str]:
    assert main(list(words)) == status
    told = capsys.readouterr()
    return told.out, told.err


def forget(capsys: Capture, life: Life, *more: str) -> str:
    return said(capsys, "memory", "forget", life.record.id, "--yes", *TENANT, *more)[0]


def test_forgetting_says_what_is_retired_and_how_to_train_it_again(
    life: Life, capsys: Capture
) -> None:
    told = forget(capsys, life)
    again = f"whet distill --rebuild {life.learned.id} --tenant ann"
    assert f"{life.learned.id} learned from it and is retired: `{again}`" in told
    assert f"served now: {life.clean.id}" in told
    assert "retired" in said(capsys, "adapters", "list", *TENANT)[0]
    shown, _ = said(capsys, "adapters", "show", life.learned.id, *TENANT)
    assert f"it learned from {life.record.id}, which was erased" in shown


def test_adapters_are_kept_on_request(life: Life, capsys: Capture) -> None:
    told = json.loads(forget(capsys, life, "--keep-adapters", "--json"))
    assert (told["kept"], told["retired"]) == ([life.learned.id], [])
    assert told["champion"] == life.learned.id
    assert "is kept: `whet memory forget" in forget(capsys, life, "--keep-adapters")


def test_records_of_the_same_question_are_named(folder: Path, life: Life, capsys: Capture) -> None:
    memory = opened(folder)
    said_before = (*life.record.messages, Message(role="assistant", content="4"))
    turns = (*said_before, Message(role="user", content="And then?"))
    other = memory.save(draft("ann", "", "5").model_copy(update={"messages": turns})).record
    memory.close()
    assert f"{other.id} holds the same question and stays" in forget(capsys, life)


def test_a_certificate_is_written_checked_and_refused_when_it_changed(
    life: Life, capsys: Capture, tmp_path: Path
) -> None:
    file = str(tmp_path / "erased.json")
    _, told = said(capsys, "memory", "certificate", life.record.id, *TENANT, status=1)
    assert "is not erased" in told
    forget(capsys, life)
    said(capsys, "memory", "certificate", life.record.id, *TENANT, "--out", file)
    shown, _ = said(capsys, "memory", "certificate", life.record.id, *TENANT)
    assert "HMAC-SHA-256" in shown
    key = said(capsys, "memory", "certificate", "--public-key")[0].strip()
    sound, _ = said(capsys, "memory", "certificate", "--check", file)
    assert sound == f"sound: {life.record.id}, signed by {key}\n"
    other = "0" * 64
    _, told = said(capsys, "memory", "certificate", "--check", file, "--key", other, status=1)
    assert f"and not by {other}" in told
    text = Path(file).read_text()
    Path(file).write_text(text.replace('"vectors": 1', '"vectors": 2'))
    _, told = said(capsys, "memory", "certificate", "--check", file, status=1)
    assert "was changed after it was signed" in told


def test_a_certificate_is_checked_elsewhere_by_the_public_key_alone(
    life: Life, capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = str(tmp_path / "erased.json")
    forget(capsys, life)
    said(capsys, "memory", "certificate", life.record.id, *TENANT, "--out", file)
    key = said(capsys, "memory", "certificate", "--public-key")[0].strip()
    monkeypatch.setenv("WHET_DATA_DIR", str(tmp_path / "elsewhere"))
    _, told = said(capsys, "memory", "certificate", "--check", file, status=1)
    assert "say with --key whose key that has to be" in told
    said(capsys, "memory", "certificate", "--check", file, "--key", key)
    assert not (tmp_path / "elsewhere").exists()


def test_a_text_is_looked_for_before_and_after(
    life: Life, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    looking = ("memory", "verify", "--forgotten")
    found, _ = said(capsys, *looking, "--canary", CANARY, status=1)
    for place in ("whet.db.schema-0010", "table record", "table completion", "kept.json"):
        assert place in found
    forget(capsys, life)
    monkeypatch.setattr("sys.stdin", io.StringIO(CANARY + "\n"))
    assert "holds it" in said(capsys, *looking)[0]
    assert json.loads(said(capsys, *looking, "--canary", CANARY, "--json")[0]) == {"found": []}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("memory", "verify", "--forgotten", "--canary", "short"), "found by chance"),
        (("memory", "verify", "--canary", "a long text"), "add that"),
        (("memory", "certificate"), "required"),
        (("memory", "certificate", "rec_1", "--public-key"), "not allowed"),
        (("memory", "forget", "rec_1"), "add --yes"),
    ],
)
def test_what_makes_no_sense_is_said_in_one_line(
    words: tuple[str, ...], told: str, folder: Path, capsys: Capture
) -> None:
    if words[1] == "forget":
        words = (*words[:2], live(folder).record.id, *TENANT)
    _, error = said(capsys, *words, status=2)
    assert told in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("content", ["", "[]", "{", '{"statement": {"type": "x"}}', "[" * 9999])
def test_what_is_no_certificate_is_refused(
    content: str, folder: Path, capsys: Capture, tmp_path: Path
) -> None:
    (tmp_path / "c.json").write_text(content)
    words = ("memory", "certificate", "--check", str(tmp_path / "c.json"))
    assert "is no certificate" in said(capsys, *words, status=1)[1]
    said(capsys, "memory", "certificate", "--check", str(tmp_path / "none"), status=1)


def _write_ones(folder: Path, rank: int) -> None:
    write_config(folder, rank=rank, base_model="fake", modules=["q_proj"])
    name = "base_model.model.model.layers.0.self_attn.q_proj"
    a, b = np.ones((rank, 4), np.float32), np.ones((4, rank), np.float32)
    tensors = {f"{name}.lora_A.weight": a, f"{name}.lora_B.weight": b}
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})


def lamps(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    lines = [{"question": f"What is {i} lamp 5?", "answer": str(i + 5)} for i in range(64)]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    said(capsys, "memory", "import", "-")


def solves(turns: tuple[Message, ...], adapter: str | None) -> str:
    asked = turns[-1].content
    if "lamp" not in asked:
        return "Hello!"
    return f"The answer is {int(asked.split()[2]) + 5}." if adapter else "The answer is 0."


def test_a_generation_is_trained_again_and_takes_the_place_of_the_retired_one(
    folder: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    lamps(monkeypatch, capsys)
    trainer = FakeTrainer(answer=solves)
    monkeypatch.setattr(distill, "make_trainer", lambda *_: trainer)
    first = json.loads(said(capsys, "distill", "--json")[0])["adapter"]
    _, told = said(capsys, "distill", "--rebuild", first, status=1)
    assert "nothing to rebuild" in told
    version = json.loads(said(capsys, "adapters", "show", first, "--json")[0])
    record = version["record_ids"][0]
    said(capsys, "memory", "forget", record, "--yes")
    aliases = json.loads(said(capsys, "adapters", "list", "--json")[0])["aliases"]
    assert aliases == {}
    shown, _ = said(capsys, "distill", "--rebuild", first, "--dry-run")
    assert f"{first}, without 1 of its records" in shown
    # The fake's weights are the same whatever it learned: it has to be another recipe's.
    monkeypatch.setattr("adaptation.learning.training.fake.write_zeros", _write_ones)
    report = json.loads(said(capsys, "distill", "--rebuild", first, "--json")[0])
    assert (report["decision"], report["rebuilds"], report["gone"]) == ("promoted", first, 1)
    aliases = json.loads(said(capsys, "adapters", "list", "--json")[0])["aliases"]
    assert aliases["champion"] == report["adapter"] != first
    (generation,) = json.loads(said(capsys, "memory", "certificate", record, "--json")[0])[
        "statement"
    ]["generations"]
    assert generation["rebuilt_as"]["id"] == report["adapter"]
    assert generation["rebuilt_as"]["recipe"]["seed"] == 0
    assert all(generation["rebuilt_as"]["sha256"].values())
