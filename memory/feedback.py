"""The caller's word on an answer, turned into records.

Owns what a verdict does; knows only the facade. The last word about a completion counts: it takes
back what an earlier word about it said otherwise, and nothing that anybody else vouches for.
"""

from __future__ import annotations

import json
from typing import Literal, TypeAlias

from memory.errors import ConflictError, InvalidImportError
from memory.identity.answer_key import contradiction, same_answer, worked_answer
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
    with "incorrect" it is the right one. `rationale` is a worked solution that ends in it: alone it
    brings the answer that it marks, and without one a correction is its bare answer. What says less
    than the word before, with the same verdict, changes nothing.

    Raises `NotFoundError` for an unknown completion, and `ConflictError` where the corrected answer
    is the one called incorrect, or the solution comes to another.
    """
    completion = memory.completions.get(tenant, completion_id)
    given = {"verdict": verdict, "answer": answer, "rationale": rationale}
    word = {key: value for key, value in given.items() if value}
    if word.items() <= (memory.completions.feedback(tenant, completion_id) or {}).items():
        return FeedbackOutcome(action="none", record=None, reason="this feedback is known already")
    if verdict == "correct":
        outcome = _confirm(memory, completion, answer, rationale)
    else:
        outcome = _refute(memory, completion, answer, rationale)
    memory.completions.note_feedback(tenant, completion_id, word)
    right, baseline = judged(completion, verdict, answer)
    memory.ledger.judge(tenant, completion_id, right=right, baseline=baseline)
    return outcome


def judged(
    completion: Completion, verdict: Verdict, answer: str | None
) -> tuple[bool, bool | None]:
    """Return whether an answer was right, and whether the vote beside it on the base was.

    None where the verdict does not tell: an answer that is wrong leaves all others open.
    """
    beside = ((completion.report or {}).get("baseline") or {}).get("answer")
    known = answer or (completion.answer if verdict == "correct" else None)
    if beside is None or known is None:
        return verdict == "correct", None
    return verdict == "correct", same_answer(known, beside)


def _refuse_another(solution: str | None, answer: str | None) -> None:
    """Refuse an answer for which something is shown that comes to another."""
    if solution and answer and (told := contradiction(solution, answer)):
        raise ConflictError(told)


TOO_LONG = "the conversation is longer than is kept for feedback: nothing can be learned from it"


def _confirm(
    memory: LongTermMemory, completion: Completion, answer: str | None, rationale: str | None
) -> FeedbackOutcome:
    if answer or rationale:  # what was read out of the text agrees with it
        _refuse_another(rationale or completion.text, answer or completion.answer)
    if completion.conversation is not None:
        return FeedbackOutcome(action="none", record=None, reason=TOO_LONG)
    right = answer or completion.answer or completion.text
    is_in_text = answer is None or spelled(answer).casefold() in completion.text.casefold()
    shown = completion.text if is_in_text or same_answer(right, completion.text) else right
    memory.take_back(completion.tenant, _asked(completion), completion.id, right)
    saved = memory.save(_draft(completion, right, rationale or shown, "correct"))
    memory.completions.link_record(completion.tenant, completion.id, saved.record.id)
    return _outcome(_with_solution(memory, saved, rationale, completion.id))


def _refute(
    memory: LongTermMemory, completion: Completion, corrected: str | None, rationale: str | None
) -> FeedbackOutcome:
    if rationale and corrected is None:
        corrected = worked_answer(rationale)
    _refuse_another(rationale, corrected)
    wrong = completion.answer or completion.text
    if corrected and same_answer(corrected, wrong):
        raise ConflictError("the corrected answer is the one called incorrect")
    quarantined = _withdraw(memory, completion, wrong)
    right, shown = _corrected(completion, corrected) if corrected else (None, "")
    memory.take_back(completion.tenant, _asked(completion), completion.id, right)
    if right and completion.conversation is None:
        saved = memory.save(_draft(completion, right, rationale or shown, "corrected"))
        return _outcome(_with_solution(memory, saved, rationale, completion.id))
    if quarantined is None:
        reason = TOO_LONG if corrected else "no record holds this answer"
        return FeedbackOutcome(action="none", record=None, reason=reason)
    reason = "called incorrect by feedback"
    return FeedbackOutcome(action="quarantined", record=quarantined, reason=reason)


def _with_solution(
    memory: LongTermMemory, saved: Saved, rationale: str | None, completion_id: str
) -> Saved:
    """Let a known record have the worked solution that was given; tests may vouch for its own."""
    record = saved.record
    if not rationale or saved.created or record.tier is not Tier.FEEDBACK:
        return saved
    if rationale == record.rationale:
        return saved
    edited = memory.edit(record.tenant, record.id, record.answer, rationale, completion_id)
    return saved.model_copy(update={"record": edited})


def _asked(completion: Completion) -> str:
    return completion.conversation or prompt_of(completion).fingerprint


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
    record = memory.find(tenant, _asked(completion), wrong)
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
