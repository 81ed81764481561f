"""`whet.client` against the composed server: options out, reports in, votes and text between."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import cast

import openai
import pytest
from pydantic import ValidationError

from adaptation.options import Options, Strategy
from adaptation.report import StopReason
from tests.server.composed import MODEL, STORY, Reply, composed
from tests.server.listening import listening
from whet import LOCAL
from whet.client import AsyncWhet, Budget, Whet, asking, report_of
from whet.events import Answer, Text, Votes, report_in

pytestmark = pytest.mark.filterwarnings("ignore:max_tokens is deprecated:DeprecationWarning")
RIGHT = "12 + 7 - 5 = 14.\n#### 14"
SHOWN = Options(strategy=Strategy.CONSISTENCY, max_samples=4, progress=True)
LINES = [{"question": f"What is {i} zorp 2?", "answer": str(i + 2)} for i in range(3)]


def said(request: object) -> Reply:
    return Reply(RIGHT)


@pytest.fixture
async def url(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    async with composed(data_dir.parent, monkeypatch, said) as server, listening(server) as url:
        yield url


async def test_an_answer_comes_with_its_text_its_report_and_its_bill(url: str) -> None:
    with closing(Whet(url)) as whet:
        answer = await asyncio.to_thread(whet.ask, STORY, Options(max_samples=4))
    assert answer.text == RIGHT
    assert answer.model == MODEL
    assert answer.finish_reason == "stop"
    assert answer.report is not None
    assert answer.report.answer == "14"
    assert answer.report.strategy is Strategy.CONSISTENCY
    assert answer.usage is not None
    assert answer.usage.completion_tokens == answer.report.tokens.generated


async def test_a_stream_is_votes_then_text_then_the_answer(url: str) -> None:
    with closing(Whet(url)) as whet:
        events = await asyncio.to_thread(lambda: list(whet.stream(STORY, SHOWN)))
    kinds = [type(event) for event in events]
    assert kinds == sorted(kinds, key=[Votes, Text, Answer].index)
    assert set(kinds) == {Votes, Text, Answer}
    votes, answer = [each for each in events if isinstance(each, Votes)], events[-1]
    assert [each.counts[0].count for each in votes] == list(range(1, len(votes) + 1))
    assert isinstance(answer, Answer)
    assert answer.text == RIGHT == "".join(e.text for e in events if isinstance(e, Text))
    assert answer.report is not None
    assert answer.report.answer == "14"
    assert answer.usage is not None


async def test_the_asynchronous_client_does_the_same(url: str) -> None:
    whet = AsyncWhet(url)
    whole = await whet.ask([{"role": "user", "content": STORY}], Options(strategy=Strategy.PLAIN))
    streamed = [event async for event in whet.stream(STORY, SHOWN)]
    taught = await whet.teach(LINES)
    judged = await whet.feedback(whole.id, "incorrect", answer="15")
    await whet.close()
    assert whole.text == RIGHT
    assert whole.report is not None
    assert whole.report.stop_reason is StopReason.SINGLE
    assert isinstance(streamed[0], Votes)
    assert isinstance(streamed[-1], Answer)
    assert taught.imported == len(LINES)
    assert judged.record is not None
    assert judged.record["answer"] == "15"


async def test_what_is_taught_and_corrected_is_in_memory(url: str) -> None:
    def talk() -> tuple[int, str, str | None]:
        with closing(Whet(url)) as whet:
            taught = whet.teach(LINES)
            answer = whet.ask(STORY)
            judged = whet.feedback(answer.id, "incorrect", "15", "12 + 8 - 5 = 15.\n#### 15")
            again = whet.ask(STORY)
        assert again.report is not None
        return taught.imported, judged.action, again.report.answer

    imported, action, answered = await asyncio.to_thread(talk)
    assert imported == len(LINES)
    assert action
    assert answered == "15"


async def test_an_official_client_needs_two_functions_of_it(url: str) -> None:
    def talk() -> object:
        with openai.OpenAI(base_url=f"{url}/v1", api_key="none") as client:
            options = Options(strategy=Strategy.AUTO, budget=Budget(tokens=500))
            return report_of(
                client.chat.completions.create(
                    model=MODEL,
                    messages=[{"role": "user", "content": STORY}],
                    extra_body=asking(options),
                )
            )

    report = await asyncio.to_thread(talk)
    assert getattr(report, "requested", None) is Strategy.AUTO


async def test_the_examples_of_the_page_run(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    page = (Path(__file__).parents[2] / "docs" / "python.md").read_text("utf-8")
    examples = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert len(examples) >= 2
    for example in examples:
        spaces: dict[str, object] = {}
        await asyncio.to_thread(exec, example.replace(LOCAL, url), spaces)
        for name in ("whet", "client"):
            if name in spaces:
                cast(Whet, spaces[name]).close()
    assert "confident\nconsistency" in capsys.readouterr().out


def test_what_is_left_open_is_not_said_so_that_the_server_decides() -> None:
    assert asking(None) == asking(Options()) == {}
    options = Options(strategy=Strategy.TTT, budget=Budget(wall_s=2))
    assert asking(options) == {"adaptation": {"strategy": "ttt", "budget": {"wall_s": 2.0}}}


@pytest.mark.parametrize(
    "wrong", [{"max_samples": 0}, {"confidence": 1.0}, {"strategy": "magic"}, {"max_sample": 4}]
)
def test_options_out_of_bounds_never_leave_the_program(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        Options.model_validate(wrong)


def test_a_report_of_a_newer_server_is_read_without_what_is_new() -> None:
    said = {"strategy": "plain", "requested": "plain", "stop_reason": "single", "mood": "good"}
    report = report_in({"adaptation": {**said, "tokens": {"returned": 3, "dreamt": 5}}})
    assert report is not None
    assert report.tokens.returned == 3


def test_a_server_that_is_not_whet_has_no_report() -> None:
    assert report_in(None) is report_in({}) is report_in({"adaptation": {"progress": {}}}) is None


def test_the_client_brings_neither_torch_nor_an_engine() -> None:
    heavy = ("torch", "vllm", "faiss", "transformers", "sqlalchemy", "fastapi", "scipy")
    code = f"import sys, whet.client; print(*(n for n in {heavy} if n in sys.modules))"
    root = Path(__file__).parents[2]
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert told.stdout.split() == []
