"""The boundary at which errors become a line and a status, without a process around it."""

import sys
from argparse import ArgumentParser
from types import ModuleType

import pytest

from adaptation.errors import DistillationError
from memory.errors import ConflictError
from server.cli import main
from server.commands.serve import _refuse_abbreviations
from server.config import ConfigError
from server.settings.flags import add_arguments
from server.terminal import CommandError, UsageError, plain, unrecognized


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = ModuleType("server.commands.serve")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return module


def test_serve_gets_every_word_unparsed(serve: ModuleType) -> None:
    seen: list[str] = []

    def run(argv: list[str]) -> int:
        seen.extend(argv)
        return 0

    serve.run = run  # type: ignore[attr-defined]
    assert main(["serve", "--help", "-tp", "2", "MODEL", "--version"]) == 0
    assert seen == ["--help", "-tp", "2", "MODEL", "--version"]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ConfigError("unknown setting"), 2),
        (UsageError("not both"), 2),
        (CommandError("no such file"), 1),
        (ConflictError("two answers"), 1),
        (DistillationError("nothing to learn"), 1),
        (RuntimeError("a defect\nof ours"), 1),
        (KeyboardInterrupt(), 130),
        (SystemExit(2), 2),
        (SystemExit(None), 0),
        (SystemExit("text"), 1),
    ],
)
def test_every_error_has_a_status_and_at_most_one_line(
    serve: ModuleType,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    status: int,
) -> None:
    def run(_: list[str]) -> int:
        raise error

    serve.run = run  # type: ignore[attr-defined]
    assert main(["serve"]) == status
    assert len(capsys.readouterr().err.splitlines()) <= 1


def test_a_defect_shows_where_it_happened_when_asked(serve: ModuleType) -> None:
    def run(_: list[str]) -> int:
        raise RuntimeError("a defect")

    serve.run = run  # type: ignore[attr-defined]
    with pytest.raises(RuntimeError):
        main(["--traceback", "serve"])


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("whet ")


def test_plain_text_is_one_line_without_control_characters() -> None:
    assert plain("a\n b\t\x1b[1mc") == "a b [1mc"
    assert plain("abcdef", 4) == "abc…"


@pytest.mark.parametrize(
    ("word", "meant"),
    [("--max-sample", "--max-samples"), ("--max_sample=3", "--max-samples"), ("--st", None)],
)
def test_a_server_takes_whets_flags_by_their_whole_names(word: str, meant: str | None) -> None:
    parser = ArgumentParser()
    add_arguments(parser)
    parser.add_argument("--stream-interval")
    if meant is None:  # may be vLLM's, which takes it as it always did
        _refuse_abbreviations([word, "3"], parser)
        return
    with pytest.raises(ConfigError, match=f"did you mean {meant}"):
        _refuse_abbreviations([word, "3"], parser)
    _refuse_abbreviations([meant, "3"], parser)


def test_the_flag_that_was_meant_is_named_where_one_is_like_it() -> None:
    flags = ("--max-samples", "--seed", "--strategy")
    assert unrecognized(["--max-smaples=3"], flags).endswith("did you mean --max-samples?")
    assert unrecognized(["--max_samples", "3"], flags).endswith("did you mean --max-samples?")
    assert unrecognized(["--colour", "red"], flags) == "unrecognized arguments: --colour"
    assert unrecognized(["word"], flags) == "unrecognized arguments: word"
