"""Where the seconds of test-time training go, by the server's own reports."""

from __future__ import annotations

from typing import Any

from adaptation.evaluation import questions
from adaptation.evaluation.examples import import_lines
from adaptation.evaluation.questions import TASK, is_right
from adaptation.evaluation.suites.solved import Solved
from adaptation.statistics import paired, quartiles, wilson
from loadtests.measure.laboratory import Laboratory
from loadtests.measure.result import Result, Row, Target
from server.tour.client import Client, Reply

IMPORTED = 64
STEPS = ("retrieve", "select", "queue", "train", "hand_off", "sample", "verify")
HAND_OFF_S = 0.020
NOTE = (
    f"One world that pre-training never drew, {IMPORTED} solved examples of it in memory; every "
    "question asked once with consistency and once with ttt, one request at a time."
)


def measure(lab: Laboratory) -> Result:
    """Ask the questions of one unseen world, without and with training."""
    lab.client.post("/v1/memory/import", import_lines(questions.examples(IMPORTED, lab.seed), TASK))
    asked, before, after = questions.shifted(lab.scale.trainings, lab.seed), [], []
    for index, task in enumerate(asked):
        lab.advance("test-time training", index, len(asked))
        before.append(_ask(lab.client, task, "consistency"))
        after.append(_ask(lab.client, task, "ttt"))
    lab.advance("test-time training", len(asked), len(asked))
    return _result(asked, before, after)


def _ask(client: Client, task: Solved, strategy: str) -> Reply:
    memory = {"task": TASK, "read": True, "write": False}
    return client.ask(task.question, strategy=strategy, memory=memory)


def _result(asked: list[Solved], before: list[Reply], after: list[Reply]) -> Result:
    n = len(asked)
    old, new = (
        [is_right(reply.answer, task) for reply, task in zip(replies, asked, strict=True)]
        for replies in (before, after)
    )
    flips, seconds = paired(old, new), _seconds(after)
    accepted = sum(r.report.adapter is not None and r.report.adapter.accepted for r in after)
    hand_off = quartiles(seconds["hand_off"] or [float("nan")])
    return Result(
        name="ttt",
        title=f"Strategy ttt: {n} requests, seconds (quartiles)",
        rows=[
            *((name, quartiles(values).show(".4f")) for name, values in seconds.items() if values),
            *_outcome_rows(after, accepted),
            ("right with consistency (95 % Wilson)", wilson(sum(old), n).show(".1%")),
            ("right with ttt", wilson(sum(new), n).show(".1%")),
            ("gained, lost, McNemar", f"{flips.helped}, {flips.hurt}, p = {flips.p_value:.2g}"),
        ],
        figures={
            "seconds": {k: vars(quartiles(v)) for k, v in seconds.items() if v},
            "accuracy": {"consistency": sum(old) / n, "ttt": sum(new) / n},
            "mcnemar": vars(flips),
            "requests": [_request(reply, hit) for reply, hit in zip(after, new, strict=True)],
        },
        targets=[Target("hand-off of the adapter", HAND_OFF_S, "at most", hand_off, "s")],
        note=NOTE,
    )


def _seconds(replies: list[Reply]) -> dict[str, list[float]]:
    """Return each step's seconds over the requests that took it, and the whole request's."""
    steps = {
        step: [r.report.seconds[step] for r in replies if step in r.report.seconds]
        for step in STEPS
    }
    return steps | {"whole request, seen by the client": [reply.seconds for reply in replies]}


def _outcome_rows(after: list[Reply], accepted: int) -> list[Row]:
    trained = [r.report.adapter for r in after if r.report.adapter is not None]
    rows = [("adapters accepted by the gate", f"{accepted} of {len(after)}")]
    if trained:
        rows.append(("optimiser steps", quartiles([a.steps for a in trained]).show(".0f")))
    return rows


def _request(reply: Reply, right: bool) -> dict[str, Any]:
    report = reply.report
    return {
        "right": right,
        "seconds": dict(report.seconds),
        "whole_s": reply.seconds,
        "adapter": report.adapter.model_dump() if report.adapter else None,
        "reason": report.reason,
    }
