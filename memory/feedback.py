"""The caller's word on an answer, turned into records.

Owns what a verdict does; knows only the facade. Repeating a verdict changes nothing; changing
one's mind does.
"""

from __future__ import annotations

import json
from typing import Literal, TypeAlias

from memory.errors import ConflictError, InvalidImportError
from memory.identity.answer_key import contradiction, same_answer
from memory.identity.answers.options import AnswerOptions
from memory.identity.answers.tool_call import extract_tool
from memory.identity.prompt import spelled
from memory.lines.calls import as_text
from memory.memory import LongTermMemory
from memory.rows import prompt_of
from memory.types import Completion, Draft, Frozen, Record, Saved, State, Tier

Verdict: TypeAlias = Literal["correct", "incorrect"]
_CALLS = AnswerOptions(kind="tool")


class FeedbackOutcome(Frozen):
    """What a piece of feedback changed."""

    action: Literal["created", "confirmed", "quarantined", "none"]
    record: Record | None
    reason: str


def apply_feedback(
    memory: LongTermMemory,
    tenant: str,
    completion_id: str,
    verdict: Verdict,
    answer: str | None = None,
    rationale: str | None = None,
) -> FeedbackOutcome:
    """Let a verdict create, confirm or quarantine a record.

    With "correct", `answer` names the final answer where the server extracted none or too much;
    with "incorrect" it is the right one. `rationale` is a worked solution that ends in it; without
    one a correction is its bare answer. Raises `NotFoundError` for an unknown completion, and
    `ConflictError` where the corrected answer is the one called incorrect, or the solution comes
    to another.
    """
    completion = memory.completions.get(tenant, completion_id)
    word = {"verdict": verdict, "answer": answer}
    word |= {"rationale": rationale} if rationale else {}
    if memory.completions.feedback(tenant, completion_id) == word:
        return FeedbackOutcome(action="none", record=None, reason="this feedback is known already")
    if answer or rationale:  # what was read out of the text agrees with it
        shown = rationale or (completion.text if verdict == "correct" else None)
        _refuse_another(shown, answer or completion.answer)
    if verdict == "correct":
        outcome = _confirm(memory, completion, answer, rationale)
    else:
        outcome = _refute(memory, completion, answer, rationale)
    memory.completions.note_feedback(tenant, completion_id, word)
    return outcome


def _refuse_another(solution: str | None, answer: str | None) -> None:
    """Refuse an answer for which something is shown that comes to another."""
    if solution and answer and (told := contradiction(solution, answer)):
        raise ConflictError(told)


TOO_LONG = "the conversation is longer than is kept for feedback: nothing can be learned from it"


def _confirm(
    memory: LongTermMemory, completion: Completion, answer: str | None, rationale: str | None
) -> FeedbackOutcome:
    if completion.conversation is not None:
        return FeedbackOutcome(action="none", record=None, reason=TOO_LONG)
    right = answer or completion.answer or completion.text
    is_in_text = answer is None or spelled(answer).casefold() in completion.text.casefold()
    shown = completion.text if is_in_text or same_answer(right, completion.text) else right
    saved = memory.save(_draft(completion, right, rationale or shown, "correct"))
    memory.completions.link_record(completion.tenant, completion.id, saved.record.id)
    return _outcome(saved)


def _refute(
    memory: LongTermMemory, completion: Completion, corrected: str | None, rationale: str | None
) -> FeedbackOutcome:
    wrong = completion.answer or completion.text
    if corrected and same_answer(corrected, wrong):
        raise ConflictError("the corrected answer is the one called incorrect")
    quarantined = _withdraw(memory, completion, wrong)
    if corrected and completion.conversation is None:
        right, shown = _corrected(completion, corrected)
        return _outcome(memory.save(_draft(completion, right, rationale or shown, "corrected")))
    if quarantined is None:
        reason = TOO_LONG if corrected else "no record holds this answer"
        return FeedbackOutcome(action="none", record=None, reason=reason)
    reason = "called incorrect by feedback"
    return FeedbackOutcome(action="quarantined", record=quarantined, reason=reason)


def _corrected(completion: Completion, answer: str) -> tuple[str, str]:
    """Return a corrected answer and the turn that gives it, which may call tools."""
    found = extract_tool(answer, _CALLS) if completion.request.get("tools") else None
    if found is None:
        return answer, answer
    calls = json.loads(found.text)
    shown = [{"function": call} for call in (calls if isinstance(calls, list) else [calls])]
    try:
        return found.text, as_text("", shown)
    except InvalidImportError:  # arguments that are no object
        return answer, answer


def _withdraw(memory: LongTermMemory, completion: Completion, wrong: str) -> Record | None:
    """Quarantine the record that holds the wrong answer, if one is active or pending."""
    tenant = completion.tenant
    record = memory.find(tenant, completion.conversation or prompt_of(completion), wrong)
    if record is None and completion.record_id is not None:
        record = memory.get(tenant, completion.record_id)
    if record is None or record.state in (State.ERASED, State.EXPIRED):
        return None
    reason = f"feedback on {completion.id}: incorrect"
    return memory.set_state(tenant, record.id, State.QUARANTINED, reason)


def _draft(completion: Completion, answer: str, rationale: str, verdict: str) -> Draft:
    return Draft(
        tenant=completion.tenant,
        task=completion.task,
        messages=completion.messages,
        request=completion.request,
        answer=answer,
        rationale=rationale,
        tier=Tier.FEEDBACK,
        evidence={"feedback": verdict, "completion": completion.id},
        model=completion.model,
        adapter=completion.adapter,
    )


def _outcome(saved: Saved) -> FeedbackOutcome:
    if saved.record.state is State.QUARANTINED:
        action: Literal["created", "confirmed", "quarantined"] = "quarantined"
    else:
        action = "created" if saved.created else "confirmed"
    return FeedbackOutcome(action=action, record=saved.record, reason=saved.reason)
