"""Archives that are damaged, cut short or made up are noticed before anything is placed."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.backup.errors import UnfitArchiveError
from server.backup.manifest import is_member, parse_manifest
from server.backup.place import Place
from server.backup.seal import check_seal
from server.backup.taking import take
from server.backup.unpacking import unpack
from server.terminal import CommandError
from tests.server.backups import archive_of, full_folder, manifest_of, quiet, restored, sealed

OK = {"whet.db": b"a database"}
AD = "adapters/ad_0123456789ab"


def silent(done: int, total: int) -> None:
    """Nobody looks at the progress."""


@pytest.fixture(scope="module")
def archive(empty_database: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A backup of a folder with something of everything."""
    folder = tmp_path_factory.mktemp("whole") / "data"
    folder.mkdir()
    (folder / "whet.db").write_bytes(empty_database.read_bytes())
    full_folder(folder)
    take(Place(folder), folder.with_name("b.tar.gz"), quiet)
    return folder.with_name("b.tar.gz").read_bytes()


def test_a_whole_archive_passes(archive: bytes) -> None:
    stream = io.BytesIO(archive)
    check_seal(stream, silent)
    assert stream.tell() == 0


@given(data=st.data(), mask=st.integers(1, 255))
def test_a_byte_that_was_changed_anywhere_is_noticed(
    archive: bytes, data: st.DataObject, mask: int
) -> None:
    damaged = bytearray(archive)
    damaged[data.draw(st.integers(0, len(archive) - 1))] ^= mask
    with pytest.raises(UnfitArchiveError):
        check_seal(io.BytesIO(bytes(damaged)), silent)


@given(data=st.data())
def test_an_archive_that_was_cut_off_anywhere_is_noticed(
    archive: bytes, data: st.DataObject
) -> None:
    length = data.draw(st.integers(0, len(archive) - 1))
    with pytest.raises(UnfitArchiveError):
        check_seal(io.BytesIO(archive[:length]), silent)


@given(more=st.binary(min_size=1, max_size=300))
def test_what_was_added_to_an_archive_is_noticed(archive: bytes, more: bytes) -> None:
    for altered in (archive + more, more + archive, archive + archive):
        with pytest.raises(UnfitArchiveError):
            check_seal(io.BytesIO(altered), silent)


@given(
    name=st.text()
    | st.lists(
        st.sampled_from(["..", "", ".", "adapters", "evaluations", "a.jsonl", "whet.db"])
    ).map("/".join)
    | st.from_regex(r"(evaluations|adapters|\.\.|/)/.*\.jsonl", fullmatch=True)
)
def test_no_name_that_is_taken_leads_out_of_the_folder(name: str) -> None:
    if is_member(name):
        assert Path("/folder", name).is_relative_to("/folder")
        assert ".." not in Path(name).parts
        assert not Path(name).is_absolute()


@pytest.mark.parametrize(
    ("name", "taken"),
    [
        ("whet.db", True),
        (f"{AD}/adapter_config.json", True),
        ("evaluations/SmolLM2-135M-0a1b2c3d.jsonl", True),
        (f"{AD}/pickle.bin", False),
        ("whet.db\n", False),
        ("whet.db-journal", False),
        ("whet.db.schema-0007", False),
        ("evaluations/../whet.jsonl", False),
        ("evaluations/.hidden.jsonl", False),
        ("models/m/config.json", False),
        ("", False),
    ],
)
def test_the_names_that_a_backup_may_hold(name: str, taken: bool) -> None:
    assert is_member(name) is taken


def special(kind: bytes, name: str = "tuned.json", link: str = "/etc/passwd") -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, link
    return entry


def with_entry(entry: tarfile.TarInfo, data: bytes = b"") -> bytes:
    """An archive whose manifest names a file that is something else."""
    manifest = json.dumps(manifest_of(OK | {"tuned.json": data})).encode()
    whole = [
        (tarfile.TarInfo("manifest.json"), manifest),
        (tarfile.TarInfo("whet.db"), b"a database"),
    ]
    return sealed([*whole, (entry, data)])


def one_wrong(**fields: Any) -> bytes:
    member = {"name": "whet.db", "size": 10, "sha256": "0" * 64}
    return archive_of(OK, members=[member | fields])


MADE_UP = {
    "above": (archive_of(OK | {"../whet.db": b""}), "no file of a data folder"),
    "absolute": (archive_of(OK | {"/etc/cron.d/x": b""}), "no file of a data folder"),
    "dots": (archive_of(OK | {"evaluations/../../x.jsonl": b""}), "no file of a data folder"),
    "unknown": (archive_of(OK | {"whet.toml": b""}), "no file of a data folder"),
    "symbolic link": (with_entry(special(tarfile.SYMTYPE)), "not as its manifest"),
    "hard link": (with_entry(special(tarfile.LNKTYPE, link="whet.db")), "not as its manifest"),
    "folder": (with_entry(special(tarfile.DIRTYPE)), "not as its manifest"),
    "device": (with_entry(special(tarfile.CHRTYPE)), "not as its manifest"),
    "pipe": (with_entry(special(tarfile.FIFOTYPE)), "not as its manifest"),
    "not in the manifest": (with_entry(tarfile.TarInfo("calibration.json")), "not as its manifest"),
    "twice": (with_entry(tarfile.TarInfo("whet.db")), "not as its manifest"),
    "other path": (with_entry(tarfile.TarInfo("./tuned.json")), "not as its manifest"),
    "other hash": (one_wrong(), "whet.db is damaged"),
    "other size": (one_wrong(size=11), "not as its manifest"),
    "enormous": (one_wrong(size=1 << 60), "MB are free: make room"),
    "negative": (one_wrong(size=-1), "not a backup"),
    "no database": (archive_of({"tuned.json": b""}), "its list of files is wrong"),
    "missing": (sealed([(tarfile.TarInfo("manifest.json"), b"")]), "manifest cannot be read"),
    "newer format": (archive_of(OK, format=2, members="otherwise"), "format 2.*upgrade Whet"),
    "newer schema": (archive_of(OK, schema_version="9999"), "schema 9999.*upgrade Whet"),
    "unknown key": (archive_of(OK, more=1), "not a backup"),
    "no manifest": (sealed([(tarfile.TarInfo("whet.db"), b"")]), "has no manifest"),
    "a link": (sealed([(special(tarfile.SYMTYPE, "manifest.json"), b"")]), "has no manifest"),
    "empty": (sealed([]), "has no manifest"),
}  # fmt: skip


@pytest.mark.parametrize("name", MADE_UP)
def test_what_was_made_up_is_refused_and_nothing_is_placed(name: str, tmp_path: Path) -> None:
    data, hint = MADE_UP[name]
    (tmp_path / "b.tar.gz").write_bytes(data)
    with pytest.raises(CommandError, match=hint) as refusal:
        restored(tmp_path / "b.tar.gz", tmp_path / "in" / "data")
    assert str(refusal.value).startswith(str(tmp_path / "b.tar.gz"))
    assert list((tmp_path / "in").iterdir()) == []


def test_a_member_that_is_missing_is_named(tmp_path: Path) -> None:
    manifest = json.dumps(manifest_of(OK)).encode()
    made_up = io.BytesIO(sealed([(tarfile.TarInfo("manifest.json"), manifest)]))
    with pytest.raises(UnfitArchiveError, match=r"whet\.db is missing"):
        unpack(made_up, tmp_path, silent)


@given(data=st.binary(max_size=2000))
def test_bytes_of_any_kind_are_refused_and_not_a_defect(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    folder = tmp_path_factory.mktemp("any")
    for stream in (io.BytesIO(data), io.BytesIO(b"\x1f\x8b" + data)):
        with pytest.raises(UnfitArchiveError):
            check_seal(stream, silent)
    with pytest.raises(UnfitArchiveError):
        unpack(io.BytesIO(b"\x1f\x8b\x08" + data), folder, silent)


@pytest.mark.parametrize(
    "text", ["{}", "[]", "7", '{"format": 1e999}', '{"format": [1]}', "[" * 9999]
)
def test_what_is_json_and_no_manifest_is_refused_too(text: str) -> None:
    with pytest.raises(UnfitArchiveError, match="not a backup"):
        parse_manifest(text.encode())
