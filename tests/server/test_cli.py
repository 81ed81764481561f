"""The command line as a shell sees it: output, one-line errors, exit status."""

import gzip
import io
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from server.cli import COMMANDS, main
from server.terminal import print_table

HEAVY = ("torch", "vllm", "faiss", "transformers", "sqlalchemy", "fastapi")
LINES = '{"question": "2+2?", "answer": "4"}\n{"question": "3+3?", "answer": "6"}\n'


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    returncode: int
    stdout: str
    stderr: str


class Shell:
    """Runs `whet` in this process (a new one takes a second to start), in a folder of its own."""

    def __init__(
        self,
        folder: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        self.folder = folder
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def __call__(self, *words: str, stdin: str = "") -> Done:
        self._monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        status = main(words)
        captured = self._capsys.readouterr()
        return Done(status, captured.out, captured.err)


@pytest.fixture
def whet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Shell:
    monkeypatch.chdir(tmp_path)
    for name, value in environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    return Shell(tmp_path, monkeypatch, capsys)


def environment(folder: Path) -> dict[str, str]:
    """Keep a command away from this machine's own memory and configuration."""
    return {
        "WHET_DATA_DIR": str(folder / "data"),
        "WHET_EMBEDDER": "hashing",
        "XDG_CONFIG_HOME": str(folder),
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }


def process(folder: Path, command: str) -> subprocess.CompletedProcess[str]:
    """Run a shell command, `$PYTHON` being this Python, in a process of its own."""
    return subprocess.run(
        ["sh", "-c", command],
        capture_output=True,
        text=True,
        env=os.environ | environment(folder) | {"PYTHON": sys.executable},
        cwd=folder,
        check=False,
    )


def test_help_names_every_command_and_loads_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys; from server.cli import main; status = main(['--help'])\n"
        f"loaded = [name for name in {HEAVY!r} if name in sys.modules]\n"
        "print('LOADED', loaded); sys.exit(status)"
    )
    (tmp_path / "probe.py").write_text(code)
    done = process(tmp_path, "$PYTHON probe.py")
    assert done.returncode == 0
    assert "LOADED []" in done.stdout
    for command in COMMANDS:
        assert f"\n    {command} " in done.stdout


@pytest.mark.parametrize(
    ("line", "status", "said"),
    [
        ("models list >&-", 0, ""),
        ("models list > /dev/full", 1, "writing failed: No space left on device; make room"),
        ("--help >&- 2>&-", 0, ""),
        ("ask <&-", 2, "the question is empty"),
        ("memory import - <&-", 0, "the file is empty"),
    ],
)
def test_streams_that_are_closed_or_full_are_no_defect(
    tmp_path: Path, line: str, status: int, said: str
) -> None:
    done = process(tmp_path, f"$PYTHON -m server.cli {line}")
    assert (done.returncode, said in done.stderr) == (status, True)
    assert len(done.stderr.splitlines()) <= 1


SLIPS = {
    "eval --suite nosuch": "there is no suite 'nosuch'",
    "eval --strategy nosuch": "no arm 'nosuch'",
    "eval --model /no/such": "no model at /no/such",
    "eval --json .": "'.' cannot be written",
    "eval --picture x.gif": "ends in .svg or .png",
    "ask x --url http://127.0.0.1:port": "no address of a server",
    "chat --url http://127.0.0.1:99999": "no address of a server",
    "demo --url http://[::1": "no address of a server",
    "eval --url http://": "no address of a server",
    "practise": "nothing to practise",
    "practise --json /no/such/x.json": "there is no such folder",
    "tune --model /no/such": "no model at /no/such",
    "practise --family nosuch": "there is no suite 'nosuch'",
    "distill --target nosuch": "there is no suite 'nosuch'",
    "distill --json .": "'.' cannot be written",
    "distill --model /no/such": "no model at /no/such",
    "distill --data-dir /dev/null": "/dev/null is a file",
}
SLOW = {*HEAVY, "openai", "scipy"}
"""Packages that take as long to import as a slip may cost in all."""


@pytest.mark.parametrize("words", [(), ("eval",), ("memory", "list"), ("serve",)])
def test_help_may_be_the_first_word(whet: Shell, words: tuple[str, ...]) -> None:
    assert whet("help", *words) == whet(*words, "--help")


def test_a_slip_is_told_before_anything_heavy_is_loaded(tmp_path: Path) -> None:
    code = f"""import sys; from server.cli import main
for line in {list(SLIPS)!r}:
    assert main(line.split()) == 2, line
print("LOADED", [name for name in {sorted(SLOW)!r} if name in sys.modules])
"""
    (tmp_path / "probe.py").write_text(code)
    done = process(tmp_path, "$PYTHON probe.py")
    said = done.stderr.splitlines()
    told = list(zip(SLIPS.values(), said, strict=True))
    assert [(why, line) for why, line in told if why not in line] == []
    assert done.stdout == "LOADED []\n"


@pytest.mark.parametrize(
    "words",
    [
        ("memory",),
        ("memory", "list"),
        ("memory", "import"),
        ("memory", "review"),
        ("memory", "forget"),
        ("memory", "quarantine"),
        ("memory", "edit"),
        ("adapters",),
        ("adapters", "promote"),
        ("doctor",),
    ],
)
def test_help_of_a_command_ends_with_examples(whet: Shell, words: tuple[str, ...]) -> None:
    done = whet(*words, "--help")
    assert done.returncode == 0
    assert f"examples:\n  whet {words[0]}" in done.stdout
    assert done.stdout.count("\nsettings:\n") <= 1


@pytest.mark.parametrize(
    ("words", "status", "hint"),
    [
        ((), 2, "COMMAND"),
        (("polish",), 2, "polish"),
        (("mmeory", "list"), 2, "did you mean memory?"),
        (("memory", "lst"), 2, "did you mean list?"),
        (("ask", "--strategy", "Autoo", "x"), 2, "did you mean auto?"),
        (("memory", "list", "--LIMIT", "3"), 2, "did you mean --limit?"),
        (("memory", "stats", "--data-dir", "/dev/null/x"), 2, "/dev/null is a file"),
        (("memory", "stats", "--data-dir", ""), 2, "it is empty: give a path"),
        (("memory",), 2, "ACTION"),
        (("memory", "list", "--state", "lost"), 2, "lost"),
        (("memory", "list", "--limit", "0"), 2, "1 to 1000"),
        (("memory", "list", "--limt", "3"), 2, "did you mean --limit?"),
        (("memory", "list", "--lim", "3"), 2, "did you mean --limit?"),
        (("memory", "list", "--data_dir=x"), 2, "did you mean --data-dir?"),
        (("distill", "--dry"), 2, "did you mean --dry-run?"),
        (("eval", "--write-example", "x"), 2, "did you mean --write-examples?"),
        (("models", "list", "--jsno"), 2, "did you mean --json?"),
        (("memory", "show", "a", "b"), 2, "unrecognized arguments: b (see `whet memory show"),
        (("memory", "stats", "--tenant", "../x"), 2, "tenant"),
        (("memory", "stats", "--embedder", "magic"), 2, "minilm"),
        (("memory", "stats", "--config", "absent.toml"), 2, "absent.toml"),
        (("memory", "show", "rec_none"), 1, "no record rec_none of tenant default in "),
        (("memory", "show", "1; DROP"), 1, "`whet memory list` shows what there is"),
        (("memory", "list", "--after", "rec_none"), 1, "no record rec_none"),
        (("memory", "edit", "rec_none", "--answer", "4"), 1, "no record rec_none"),
        (("memory", "list", "--data-dir", "absent"), 1, "whet memory import` makes it"),
        (("memory", "import", "absent.jsonl"), 1, "absent.jsonl"),
        (("memory", "export", "absent/out.jsonl"), 1, "absent/out.jsonl"),
        (("memory", "forget", "rec_none", "--yes"), 1, "no record"),
        (("memory", "stats", "--data-dir", "/proc/nowhere"), 1, "/proc/nowhere"),
        (("memory", "review", "--accept", "a", "--reject", "a"), 2, "not both"),
        (("adapters", "show", "ad_none"), 1, "no adapter ad_none"),
        (("adapters", "show", "ad_none"), 1, "`whet adapters list` shows what there is"),
        (("adapters", "rollback"), 1, "no previous adapter"),
        (("adapters", "offer", "ad_0123456789ab"), 1, "no adapter ad_0123456789ab"),
    ],
)
def test_an_error_is_one_line_on_stderr(
    whet: Shell, words: tuple[str, ...], status: int, hint: str
) -> None:
    done = whet(*words)
    assert done.returncode == status
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert hint in done.stderr


def test_a_misspelt_variable_is_a_usage_error(whet: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    (whet.folder / "whet.toml").write_text("max_sampels = 3\n")
    done = whet("memory", "stats")
    assert done.returncode == 2
    assert "did you mean `max_samples`?" in done.stderr


def test_an_import_counts_and_names_what_it_could_not_read(whet: Shell) -> None:
    (whet.folder / "in.jsonl").write_text(LINES + "nonsense\n")
    done = whet("memory", "import", "in.jsonl")
    assert done.returncode == 1
    assert done.stdout == "imported 2, confirmed 0, quarantined 0, failed 1\n"
    assert done.stderr.startswith("line 3: ")
    again = whet("memory", "import", "-", "--json", stdin=LINES)
    assert again.returncode == 0
    assert json.loads(again.stdout)["confirmed"] == 2


def test_a_packed_file_and_an_array_are_imported_as_lines_are(whet: Shell) -> None:
    (whet.folder / "solved.jsonl.gz").write_bytes(gzip.compress(LINES.encode()))
    assert whet("memory", "import", "solved.jsonl.gz").stdout.startswith("imported 2")
    array = [json.loads(line) for line in LINES.splitlines()]
    (whet.folder / "solved.json").write_text(json.dumps(array, indent=2))
    done = whet("memory", "import", "solved.json")
    assert done.stdout == "imported 0, confirmed 2, quarantined 0, failed 0\n"


def test_an_import_of_nothing_says_what_to_do(whet: Shell) -> None:
    empty = whet("memory", "import", "-", stdin="\n")
    assert (empty.returncode, "nothing to import" in empty.stderr) == (0, True)
    table = whet("memory", "import", "-", stdin="question,answer\n1+1,2\n")
    assert table.returncode == 1
    assert "`whet memory import --help` shows the forms" in table.stderr
    assert '{"conversations":' in whet("memory", "import", "--help").stdout


def test_what_is_imported_is_listed_shown_exported_and_forgotten(whet: Shell) -> None:
    whet("memory", "import", "-", stdin=LINES)
    listed = json.loads(whet("memory", "list", "--json").stdout)
    assert {record["answer"] for record in listed} == {"4", "6"}
    found = json.loads(whet("memory", "list", "-q", "2+2", "--json").stdout)
    assert [record["answer"] for record in found] == ["4"]
    name = found[0]["id"]
    assert "2+2?" in whet("memory", "show", name).stdout
    to_stdout = whet("memory", "export")
    assert len(to_stdout.stdout.splitlines()) == 2
    longest = max(
        sum(len(said["content"]) for said in record["messages"]) + len(record["rationale"])
        for record in map(json.loads, to_stdout.stdout.splitlines())
    )
    assert to_stdout.stderr == f"exported 2, the longest with {longest} characters\n"
    assert whet("memory", "export", "out.jsonl").returncode == 0
    assert len((whet.folder / "out.jsonl").read_text().splitlines()) == 2
    unconfirmed = whet("memory", "forget", name)
    assert (unconfirmed.returncode, "--yes" in unconfirmed.stderr) == (2, True)
    assert whet("memory", "forget", name, "--yes").stdout == "erased 1\n"
    assert json.loads(whet("memory", "stats", "--json").stdout)["records"] == 1


def test_a_review_accepts_and_rejects_what_is_held_back(whet: Shell) -> None:
    rivals = LINES + '{"question": "2+2?", "answer": "5"}\n'
    whet("memory", "import", "-", stdin=rivals)
    held = json.loads(whet("memory", "review", "--json").stdout)
    right, wrong = sorted(held, key=lambda record: str(record["answer"]))
    decided = whet("memory", "review", "--accept", right["id"], "--reject", wrong["id"], "--json")
    assert [record["state"] for record in json.loads(decided.stdout)] == ["active", "expired"]
    assert whet("memory", "review").stdout == "no records\n"


def test_a_list_says_that_it_goes_on(whet: Shell) -> None:
    whet("memory", "import", "-", stdin=LINES)
    first = whet("memory", "list", "--limit", "1", "--json")
    (newest,) = json.loads(first.stdout)
    assert first.stderr == f"there are more: add --after {newest['id']}\n"
    rest = whet("memory", "list", "--limit", "1", "--json", "--after", newest["id"])
    assert len(json.loads(rest.stdout)) == 1
    assert rest.stderr == ""


def test_records_are_quarantined_and_corrected(whet: Shell) -> None:
    whet("memory", "import", "-", stdin=LINES)
    records = json.loads(whet("memory", "list", "--json").stdout)
    name = next(record["id"] for record in records if record["answer"] == "4")
    done = whet("memory", "quarantine", name, "--reason", "doubt", "--json")
    assert [record["state"] for record in json.loads(done.stdout)] == ["quarantined"]
    (edited,) = json.loads(whet("memory", "edit", name, "--answer", "5", "--json").stdout)
    assert (edited["answer"], edited["rationale"], edited["tier"]) == ("5", "5", "feedback")
    assert edited["evidence"]["edited"]["answer"] == "4"
    (edited,) = json.loads(whet("memory", "edit", name, "--rationale", "It is 5.", "--json").stdout)
    assert (edited["answer"], edited["rationale"]) == ("5", "It is 5.")
    for words in (("edit", name), ("edit", name, "--answer", " ")):
        assert whet("memory", *words).returncode == 2
    assert "no record" in whet("memory", "quarantine", "rec_none").stderr


@pytest.mark.parametrize(
    "words",
    [
        ("memory", "stats"),
        ("memory", "list"),
        ("memory", "review"),
        ("memory", "export"),
        ("memory", "verify"),
        ("memory", "rebuild"),
        ("memory", "show", "rec_none"),
        ("memory", "quarantine", "rec_none"),
        ("adapters", "list"),
        ("distill", "--dry-run"),
    ],
)
def test_what_only_looks_makes_no_memory(whet: Shell, words: tuple[str, ...]) -> None:
    assert whet(*words).returncode in (0, 1)
    assert list(whet.folder.iterdir()) == []
    named = whet(*words, "--data-dir", "other")
    assert named.returncode == 1
    assert "no folder" in named.stderr
    assert list(whet.folder.iterdir()) == []


def test_an_empty_list_says_where_it_looked(whet: Shell) -> None:
    done = whet("memory", "list", "--tenant", "acme")
    assert done.stdout == "no records\n"
    assert f"{whet.folder / 'data'}, tenant acme" in done.stderr


def test_of_several_records_all_are_moved_or_none(whet: Shell) -> None:
    whet("memory", "import", "-", stdin=LINES)
    name = json.loads(whet("memory", "list", "--json").stdout)[0]["id"]
    assert whet("memory", "quarantine", name, "rec_none").returncode == 1
    assert whet("memory", "review", "--reject", name, "rec_none").returncode == 1
    assert json.loads(whet("memory", "show", name, "--json").stdout)["state"] == "active"


def test_an_edit_cannot_say_what_another_record_says(whet: Shell) -> None:
    rivals = LINES + '{"question": "2+2?", "answer": "5"}\n'
    whet("memory", "import", "-", stdin=rivals)
    records = json.loads(whet("memory", "list", "--json").stdout)
    name = next(record["id"] for record in records if record["answer"] == "5")
    done = whet("memory", "edit", name, "--answer", "4.0")
    assert (done.returncode, "already" in done.stderr) == (1, True)


def test_one_tenants_memory_is_not_anothers(whet: Shell) -> None:
    whet("memory", "import", "-", "--tenant", "acme", stdin=LINES)
    assert whet("memory", "list").stdout == "no records\n"
    assert len(json.loads(whet("memory", "list", "--json", "--tenant", "acme").stdout)) == 2


def test_the_index_is_rebuilt_and_verified(whet: Shell) -> None:
    whet("memory", "import", "-", stdin=LINES)
    assert whet("memory", "rebuild").stdout == "indexed 2\n"
    verified = whet("memory", "verify", "--json")
    assert verified.returncode == 0
    assert json.loads(verified.stdout)["ok"] is True


def test_a_reader_that_goes_away_leaves_no_traceback(whet: Shell) -> None:
    many = "".join(f'{{"question": "{i}+{i}?", "answer": "{2 * i}"}}\n' for i in range(300))
    whet("memory", "import", "-", stdin=many)
    done = process(whet.folder, "$PYTHON -m server.cli memory export | head -1")
    assert len(done.stdout.splitlines()) == 1
    assert done.stderr == ""


def test_control_characters_in_a_record_never_reach_the_terminal(whet: Shell) -> None:
    line = json.dumps({"question": "red\x1b[31m?", "answer": "\x1b]0;owned\x07"})
    whet("memory", "import", "-", stdin=line)
    name = json.loads(whet("memory", "list", "--json").stdout)[0]["id"]
    assert "\x1b" not in whet("memory", "list").stdout
    assert "\x1b" not in whet("memory", "show", name).stdout


def test_no_adapters_yet_says_how_to_get_one(whet: Shell) -> None:
    assert "whet distill" in whet("adapters", "list").stdout
    assert json.loads(whet("adapters", "list", "--json").stdout) == {"data": [], "aliases": {}}
    assert whet("adapters", "reset").returncode == 0


def test_an_export_never_takes_the_place_of_a_pipe(whet: Shell) -> None:
    whet("memory", "import", "-", stdin=LINES)
    pipe = whet.folder / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE, text=True) as reader:
        assert whet("memory", "export", str(pipe)).returncode == 0
        assert reader.stdout is not None
        assert len(reader.stdout.read().splitlines()) == 2
    assert pipe.is_fifo()


def test_a_table_cuts_no_name_where_a_terminal_is_narrow(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("server.terminal.WIDTH_WITHOUT_TERMINAL", 20)
    print_table(("name", "where"), [("pebble", "/a/folder/with/a/long/path")])
    printed = capsys.readouterr().out
    assert "…" not in printed
    assert "/a/folder/with/a/long/path" in "".join(printed.replace("pebble", "").split())
