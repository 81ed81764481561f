"""Last station: a caller's word on an answer becomes a record, and the record an answer."""

from __future__ import annotations

import json
from typing import Any

from adaptation.evaluation.questions import TASK, is_right
from adaptation.evaluation.suites.solved import Solved
from server.tour.guide import Guide
from server.tour.narrator import Outcome


def visit(guide: Guide) -> Outcome:
    """Ask, judge, look at what memory made of it, and ask again."""
    narrator, task = guide.narrator, guide.last
    narrator.chapter("Feedback: your word on an answer")
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
        return Outcome("feedback", f"{said['action']}: {said['reason']}", "made no difference")
    for name in ("id", "state", "tier", "answer"):
        narrator.quote(name, record[name])
    narrator.quote("evidence", json.dumps(record["evidence"]))
    return _ask_again(guide, task, f"the answer was {word['verdict']}", record["id"])


def _ask_again(guide: Guide, task: Solved, before: str, record_id: str) -> Outcome:
    narrator = guide.narrator
    narrator.say("\nThe same question again:")
    reply = guide.client.ask(task.question, strategy="consistency", memory={"task": TASK})
    report = reply.report
    narrator.quote("answer", reply.texts[0])
    narrator.quote("stopped", report.stop_reason.value)
    narrator.quote("cost", f"{report.tokens.generated} tokens, {reply.seconds:.2f} s")
    if report.memory is None or report.memory.reused != record_id:
        happened = f"{before}; asked again, it was not answered from record {record_id}"
        return Outcome("feedback", happened, "made no difference")
    is_now_right = is_right(reply.answer, task)
    happened = (
        f"{before}; asked again, the answer is {'right' if is_now_right else 'wrong'} and comes "
        f"from record {record_id}, without a token generated"
    )
    return Outcome("feedback", happened, "worked" if is_now_right else "hurt")
