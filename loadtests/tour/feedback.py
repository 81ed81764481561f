"""Last station: a caller's word on an answer becomes a record."""

from __future__ import annotations

import json
from typing import Any

from loadtests.questions import TASK, is_right
from loadtests.tour.guide import Guide
from loadtests.tour.narrator import Outcome


def visit(guide: Guide) -> Outcome:
    """Ask, judge, and look at what memory made of it."""
    narrator, task = guide.narrator, guide.last
    narrator.chapter("4. Feedback: your word on an answer")
    reply = guide.client.ask(task.question, strategy="consistency", memory={"task": TASK})
    narrator.quote("question", task.question)
    narrator.quote("answer", reply.texts[0])
    word: dict[str, Any] = {"completion_id": reply.id, "verdict": "correct"}
    if not is_right(reply.answer, task):
        word |= {"verdict": "incorrect", "answer": task.answer}
    narrator.quote("feedback", f"POST /v1/feedback {json.dumps(word)}")
    said = guide.client.post("/v1/feedback", word)
    narrator.quote("reply", f"{said['action']}: {said['reason']}")
    record = said["record"]
    if record is None:
        return Outcome("feedback", f"{said['action']}: {said['reason']}", "worked")
    for name in ("id", "state", "tier", "answer"):
        narrator.quote(name, record[name])
    narrator.quote("evidence", json.dumps(record["evidence"]))
    happened = (
        f"the answer was {word['verdict']}; record {record['id']} is {record['state']}, "
        f"tier {record['tier']}"
    )
    return Outcome("feedback", happened, "worked")
