"""Whose word a record rests on: what a reviewer's later word may take back.

Pure: knows the evidence that `memory.feedback` and confirmations leave, and nothing else of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import RowMapping

from memory.identity.answer_key import same_answer
from memory.types import State, Tier

Evidence = Mapping[str, Any]


def taken_back(row: RowMapping, completion_id: str, answer: str | None) -> State | None:
    """Return the state of a record once a completion was said to have another answer, or None.

    None where the record gives that answer, has no say any more, or where anything else than
    feedback on this completion gives it its tier. `answer` is None where there is none.
    """
    stands = row["state"] == State.ACTIVE or row["contested"]
    if not stands or row["tier"] != Tier.FEEDBACK:
        return None
    if answer is not None and same_answer(row["answer"], answer):
        return None
    first, *confirmations = _supports(row["evidence"])
    strong = [given for given in (first, *confirmations) if _is_strong(given)]
    if not strong or any(not _is_of(given, completion_id) for given in strong):
        return None
    return State.EXPIRED if strong == [first, *confirmations] else State.QUARANTINED


def _supports(evidence: Evidence) -> list[Evidence]:
    first = {key: value for key, value in evidence.items() if key != "confirmations"}
    return [first, *(given["evidence"] for given in evidence.get("confirmations", ()))]


def _is_strong(given: Evidence) -> bool:
    """Whether this alone would make the tier `feedback`: a bare vote or an import would not."""
    return any(given.get(key) for key in ("feedback", "verifiers", "edited"))


def _is_of(given: Evidence, completion_id: str) -> bool:
    editor = given["edited"].get("by") if "edited" in given else completion_id
    return editor == given.get("completion") == completion_id and "feedback" in given
