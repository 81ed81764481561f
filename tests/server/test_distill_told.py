"""What `whet distill` tells: alarms, wherever they are looked for; shares of practice; its aim."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest

from adaptation.learning.distillation.report import GenerationReport
from adaptation.learning.distillation.target import target_named
from adaptation.learning.monitors import traffic
from adaptation.learning.training.fake import FakeTrainer
from memory.memory import LongTermMemory
from memory.types import Completion, Draft, Message, Source, Tier
from server.config import Settings
from server.jobs.kinds import distill
from server.memory_opening import memory_of
from tests.server.learning import Capture, ran, solves


def collapses(conversation: tuple[Message, ...], adapter: str | None) -> str:
    """A model that knows the rule, and whose every adapter says one thing to everything."""
    return "The answer is 7." if adapter else solves(conversation, "any")


def opened(data: list[str]) -> LongTermMemory:
    return memory_of(Settings(data_dir=Path(data[1]), embedder="hashing"))


def solved(number: int, source: Source) -> Draft:
    answer = str(number + 5)
    return Draft(
        tenant="default",
        messages=(Message(role="user", content=f"What is {number} lamp 5?"),),
        answer=answer,
        rationale=answer,
        tier=Tier.EXECUTABLE,
        source=source,
    )


def ask_what_is_far_from_memory(data: list[str]) -> None:
    asked = Completion(
        id="chatcmpl",
        tenant="default",
        messages=(Message(role="user", content="Why?"),),
        text="x",
        answer="x",
        report={"nearest": {"id": "rec_1", "similarity": 0.1}},
    )
    with closing(opened(data)) as memory:
        for number in range(traffic.FEWEST):
            memory.completions.append(asked.model_copy(update={"id": f"chatcmpl-{number}"}))


def test_alarms_are_lines_of_the_report_events_of_the_job_and_names_of_the_judgement(
    data: list[str], monkeypatch: pytest.MonkeyPatch, capsys: Capture, tmp_path: Path
) -> None:
    ask_what_is_far_from_memory(data)
    with closing(opened(data)) as memory:
        memory.save_many([solved(number, Source.IMPORTED) for number in range(100, 150)])
    monkeypatch.setattr(distill, "make_trainer", lambda *_: FakeTrainer(answer=collapses))
    printed = ran(capsys, "distill", "--json", str(tmp_path / "report.json"), *data)
    report = json.loads((tmp_path / "report.json").read_text())
    alarms = {each["monitor"]: each["message"] for each in report["alarms"]}
    assert set(alarms) == {"collapse", "saturation", "traffic"}
    for monitor in alarms:
        assert f"alarm: {monitor}" in printed
    (job,) = (
        each
        for each in json.loads(ran(capsys, "jobs", "list", "--json", *data[:2]))["data"]
        if each["kind"] == "distill"
    )
    lines = ran(capsys, "jobs", "logs", job["id"], "--json", *data[:2]).splitlines()
    events = [json.loads(line) for line in lines]
    warned = {e["data"]["monitor"]: e["message"] for e in events if e["level"] == "warn"}
    assert warned == alarms
    (figures,) = (event["data"] for event in events if event["type"] == "metrics")
    assert figures["real_share"] == 1.0
    assert (figures["trained_on"], figures["returns_points"]) == (report["train"], 0.0)
    with closing(opened(data)) as memory:
        (judged,) = memory.judgements.of("default", "whet-pebble")
    assert set(judged.alarms) == set(alarms)


def test_practice_keeps_to_the_shares_that_are_set_and_the_report_says_so(
    data: list[str], capsys: Capture
) -> None:
    drawn = [solved(number, Source.ENVIRONMENT) for number in range(1_000, 1_100)]
    written = [solved(number, Source.SELF_PLAY) for number in range(2_000, 2_100)]
    with closing(opened(data)) as memory:
        memory.save_many([*drawn, *written])

    def dry_run(real: float, of_model: float) -> GenerationReport:
        shares = "--min-real-share", str(real), "--max-written-share", str(of_model)
        told = ran(capsys, "distill", "--dry-run", "--json", *shares, *data)
        return GenerationReport.model_validate_json(told)

    free, half, capped = dry_run(0, 1), dry_run(0.5, 1), dry_run(0, 0.1)
    assert free.practice_left_out == 0
    assert free.real_share is not None
    assert free.real_share < 0.3
    assert half.practice_left_out >= 200 - 64, "as much practice stays as was brought"
    assert half.real_share == half.sources["import"] / half.train >= 0.5
    assert 0 < capped.sources["self-play"] <= 0.1 * capped.train < free.sources["self-play"]
    assert "asked or brought by people" in ran(capsys, "distill", "--dry-run", *data)


def test_a_suite_that_is_nearly_all_answered_judges_by_harder_questions_the_next_time(
    data: list[str], monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    usual = target_named("house_rules/507").problems.values()
    known = {each.question: each.rationale for each in usual}

    def answer(conversation: tuple[Message, ...], adapter: str | None) -> str:
        return known.get(conversation[-1].content, "Hello!")

    def aimed(*words: str) -> GenerationReport:
        told = ran(capsys, "distill", *words, "--json", *data)
        return GenerationReport.model_validate_json(told)

    monkeypatch.setattr(distill, "make_trainer", lambda *_: FakeTrainer(answer=answer))
    first = aimed("--target", "house_rules/507")
    assert first.target is not None
    assert first.target.level == 1
    assert "saturation" in {alarm.monitor for alarm in first.alarms}
    harder = ran(capsys, "distill", "--target", "house_rules/507", "--dry-run", *data)
    assert "house_rules/507 at level 2" in harder
    # What is trained again is judged by the questions that judged it.
    with closing(opened(data)) as memory:
        learned = memory.adapters.show("default", first.adapter or "").record_ids
    ran(capsys, "memory", "forget", learned[0], "--yes", *data)
    again = aimed("--rebuild", first.adapter or "", "--dry-run")
    assert again.target is not None
    assert (again.target.level, again.target.questions) == (1, first.target.questions)
