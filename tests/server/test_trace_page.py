"""The example of docs/trace.md is what `whet trace` prints today, but for ids, dates and figures.

To print it anew: `pytest -s tests/server/test_trace_page.py`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from adaptation.learning.training.fake import FakeTrainer
from memory.offline.job import JobStatus
from server.jobs.folders import folder_of
from server.jobs.kinds import distill
from server.jobs.performing import perform
from server.jobs.work import Work
from tests.server.composed import Composed, Reply, composed
from tests.server.learning import Capture, ran, solves

pytestmark = pytest.mark.filterwarnings("ignore:max_tokens is deprecated:DeprecationWarning")
PAGE = Path(__file__).parents[2] / "docs" / "trace.md"
PRINTED = re.compile(r"\$ whet trace (?:chatcmpl|rec)[^\n]*\n(.*?)\n```", re.DOTALL)
VARIES = (
    (r"\b(chatcmpl-|rec_|ad_|job_)[0-9a-f]+", r"\1ID"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "DATE"),
    (r"-?\d+\.\d\d", "FIGURE"),
    (r"answer \d+", "answer NUMBER"),
)


async def asked(server: Composed, number: int) -> dict[str, Any]:
    """Ask a question in a house's own words, whose answer a verifier confirms."""
    server.core.script = lambda _: Reply(f"#### {number + 5}")
    reference = {"type": "math", "reference": str(number + 5)}
    return await server.chat(
        messages=[{"role": "user", "content": f"What is {number} lamp 5?"}],
        adaptation={"verifiers": [reference], "strategy": "consistency"},
    )


async def distilled(server: Composed) -> None:
    made = await server.post("/v1/jobs", kind="distill")
    job = server.memory.jobs.take("default", made["id"], "one")
    folder = folder_of(server.memory.data_dir, job.id)
    work = Work(job, server.memory, server.jobs._settings, folder, "one")
    assert await perform(work, distill.run) is JobStatus.SUCCEEDED
    await server.parts.champions.refresh()


def usual(text: str) -> str:
    for varies, instead in VARIES:
        text = re.sub(varies, instead, text)
    return text


async def test_the_example_of_the_page_is_what_is_printed_today(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setattr(distill, "make_trainer", lambda *_: FakeTrainer(answer=solves))
    async with composed(tmp_path, monkeypatch, lambda _: Reply("")) as server:
        for number in range(46, 78):
            await asked(server, number)
        await distilled(server)
        answer = (await asked(server, 121))["id"]
        champion = server.memory.adapters.alias("default", "champion")
        assert champion is not None
        learned = champion.record_ids[0]
    capsys.readouterr()
    data = ("--depth", "1", "--data-dir", str(tmp_path / "data"))
    words = [("trace", each, *data) for each in (answer, learned)]
    printed = [ran(capsys, *each).rstrip() for each in words]
    for told, text in zip(words, printed, strict=True):
        print("$ whet", *told[:4], "\n" + text)
    shown = PRINTED.findall(PAGE.read_text())[:2]
    assert [usual(each) for each in shown] == [usual(each) for each in printed]
