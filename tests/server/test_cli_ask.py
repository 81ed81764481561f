"""`whet ask` and `whet chat` against the composed server, as a shell sees them."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from server.asking.view import bars, printable, told, told_votes
from server.cli import main
from tests.e2e.running import free_port
from tests.server.composed import STORY, Reply, composed
from tests.server.listening import listening

pytestmark = pytest.mark.filterwarnings("ignore:max_tokens is deprecated:DeprecationWarning")
RIGHT = "12 + 7 - 5 = 14.\n#### 14"
Run = Callable[..., Awaitable[tuple[int, str, str]]]


def said(request: Any) -> Reply:
    return Reply(RIGHT)


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command in a thread, so that the server goes on meanwhile: status, stdout, stderr."""

    async def run(*words: str, stdin: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        capsys.readouterr()
        status = await asyncio.to_thread(main, words)
        shown = capsys.readouterr()
        return status, shown.out, shown.err

    return run


@pytest.fixture
async def whet(data_dir: Path, monkeypatch: pytest.MonkeyPatch, shell: Run) -> AsyncIterator[Run]:
    async with composed(data_dir.parent, monkeypatch, said) as server, listening(server) as url:

        async def asked(command: str, *words: str, stdin: str = "") -> tuple[int, str, str]:
            return await shell(command, *words, "--url", url, stdin=stdin)

        yield asked


@pytest.fixture
def lines(tmp_path: Path) -> str:
    path = tmp_path / "solved.jsonl"
    solved = [{"question": f"What is {i} zorp 2?", "answer": str(i + 2)} for i in range(5)]
    path.write_text("\n".join(map(json.dumps, solved)))
    return str(path)


async def test_the_answer_is_on_stdout_and_how_it_came_about_on_stderr(whet: Run) -> None:
    status, out, err = await whet("ask", STORY, "--strategy", "consistency")
    assert status == 0
    assert out == RIGHT + "\n"
    told = err.splitlines()
    assert told[0] == "votes: 14 ×1"
    assert told[1] == "votes: 14 ×2"
    summary = next(line for line in told if line.startswith("consistency, "))
    assert all(word in summary for word in ("votes", "confidence", "tokens", " s", "chatcmpl-"))


async def test_a_plain_answer_has_no_vote_to_show(whet: Run) -> None:
    _, out, err = await whet("ask", STORY, "--strategy", "plain")
    assert out == RIGHT + "\n"
    assert "votes" not in err
    assert "plain, single" in err


async def test_programs_read_json_and_nothing_else_on_stdout(whet: Run) -> None:
    _, out, _ = await whet("ask", "--json", stdin=STORY)
    answer = json.loads(out)
    assert answer["answer"] == RIGHT
    assert answer["adaptation"]["answer"] == "14"
    assert answer["usage"]["completion_tokens"] > 0


async def test_examples_of_a_file_are_in_memory_before_the_question_is_asked(
    whet: Run, lines: str
) -> None:
    _, _, err = await whet("ask", STORY, "--teach", lines)
    assert "taught 5 examples" in err
    _, out, err = await whet("ask", "What is 3 zorp 2?")
    assert "5" in out
    assert "from memory: rec_" in err


async def test_a_file_without_examples_ends_the_command(whet: Run, tmp_path: Path) -> None:
    path = tmp_path / "prose.txt"
    path.write_text("Dear reader\n")
    status, _, err = await whet("ask", STORY, "--teach", str(path))
    assert status == 1
    assert "line 1" in err
    assert "nothing was learned" in err
    assert (await whet("ask", STORY, "--teach", str(tmp_path / "no.jsonl")))[0] == 1


async def test_what_the_server_refuses_is_said_in_its_own_words(whet: Run) -> None:
    status, _, err = await whet("ask", STORY, "--model", "nobody")
    assert status == 1
    assert "nobody" in err.splitlines()[-1]
    assert "Error code" not in err


@pytest.mark.parametrize("command", [("ask", "Hello"), ("chat",)])
async def test_without_a_server_one_line_says_what_to_start(
    shell: Run, command: tuple[str, ...]
) -> None:
    status, out, err = await shell(*command, "--url", f"http://127.0.0.1:{free_port()}")
    assert status == 1
    assert out == ""
    assert len(err.splitlines()) == 1
    assert "whet serve" in err


async def test_an_address_that_is_none_is_told_as_that(shell: Run) -> None:
    status, _, err = await shell("ask", "Hello", "--url", "127.0.0.1:8000")
    assert (status, len(err.splitlines())) == (2, 1)
    assert "no address of a server: give one such as http://" in err


MODELS = b'{"object": "list", "data": [{"id": "m", "object": "model"}]}'
CHUNK = (
    b'data: {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", '
    b'"choices": [{"index": 0, "delta": {"content": "The ans"}, "finish_reason": null}]}\n\n'
)


async def breaking_off(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer one request like a server that dies while it streams."""
    asked = await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: ")
    if asked.startswith(b"GET /v1/models "):
        writer.write(b"application/json\r\nContent-Length: %d\r\n\r\n" % len(MODELS) + MODELS)
    else:
        writer.write(b"text/event-stream\r\nContent-Length: 9999\r\n\r\n" + CHUNK)
    await writer.drain()
    writer.close()


async def test_a_server_that_dies_within_its_answer_is_told_in_one_line(shell: Run) -> None:
    async with await asyncio.start_server(breaking_off, "127.0.0.1", 0) as dying:
        port = dying.sockets[0].getsockname()[1]
        status, out, err = await shell("ask", "Hello", "--url", f"http://127.0.0.1:{port}")
    assert status == 1
    assert out == "The ans\n"
    assert "was gone before its answer was whole" in err
    assert len(err.strip().splitlines()) == 1


async def test_an_empty_question_is_asked_wrongly(shell: Run) -> None:
    assert (await shell("ask", "  "))[0] == 2
    assert (await shell("ask", stdin="\n"))[0] == 2


async def test_a_conversation_goes_on_from_what_was_said(whet: Run, lines: str) -> None:
    typed = f"{STORY}\n/strategy plain\n\nAnd now?\n/teach {lines}\n/new\n/quit\nnever asked\n"
    status, out, err = await whet("chat", stdin=typed)
    assert status == 0
    assert out == f"{RIGHT}\n{RIGHT}\n"
    assert "plain, single" in err
    assert "taught 5 examples" in err


async def test_each_turn_is_one_line_of_json(whet: Run) -> None:
    _, out, _ = await whet("chat", "--json", stdin=f"{STORY}\nAnd now?\n")
    assert [json.loads(line)["answer"] for line in out.splitlines()] == [RIGHT, RIGHT]


async def test_a_correction_is_remembered(whet: Run) -> None:
    status, out, err = await whet("chat", stdin=f"{STORY}\n/correct 15\n/new\n{STORY}\n/right\n")
    assert status == 0
    assert out.splitlines()[-1] == "15"
    assert "from memory: rec_" in err


async def test_slips_are_told_and_end_nothing(whet: Run) -> None:
    slips = "/strateg\n/strategy magic\n/correct\n/correct 4\n/right\n/teach\n/teach no.jsonl\n"
    status, out, err = await whet("chat", stdin=f"{slips}{STORY}\n")
    assert status == 1
    assert out == RIGHT + "\n"
    told = [line for line in err.splitlines() if line.startswith("whet: ")]
    assert len(told) == len(slips.splitlines())


async def test_a_conversation_that_is_left_after_a_slip_says_so_by_its_status(whet: Run) -> None:
    status, out, err = await whet("chat", stdin="/right\n/quit\nnever asked\n")
    assert (status, out) == (1, "")
    assert "defect" not in err


async def test_help_names_every_word(whet: Run) -> None:
    _, out, _ = await whet("chat", stdin="/help\n")
    assert {"/strategy", "/teach", "/correct", "/quit"} <= set(out.split())


def test_a_reply_cannot_move_the_cursor_or_colour_a_terminal() -> None:
    assert printable("a\x1b[31mb\r\n\tc\x07") == "a[31mb\n\tc"


def test_the_longest_bar_is_the_leader_and_no_answer_has_a_name() -> None:
    from adaptation.report import AnswerCount

    counts = (AnswerCount(answer="14", count=3), AnswerCount(answer=None, count=1))
    shown = [bar.plain for bar in bars(counts)]
    assert shown[0].count("█") > shown[1].count("█") > 0
    assert told_votes(counts) == "14 ×3, (no answer) ×1"


def test_an_adapter_of_an_earlier_request_is_not_said_to_be_trained_again() -> None:
    from adaptation.options import Strategy
    from adaptation.report import AdapterReport, Report, StopReason, TokenCounts
    from whet.events import Answer

    adapter = AdapterReport(
        id="ttt_1", parent=None, steps=28, loss=(), holdout_loss=(), accepted=True, reason="kept"
    )
    report = Report(
        strategy=Strategy.TTT,
        requested=Strategy.TTT,
        stop_reason=StopReason.CONFIDENT,
        adapter=adapter,
        tokens=TokenCounts(training=23_533),
    )
    kept = report.model_copy(update={"tokens": TokenCounts()})
    lines = [
        told(Answer("chatcmpl-1", "m", "24", each, None, "stop"), 0.6)[1] for each in (report, kept)
    ]
    assert lines[0].startswith("trained 28 steps")
    assert lines[1].startswith("adapter of an earlier request, trained 28 steps")
