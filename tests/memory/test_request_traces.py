"""Traces: bounded in number and in text, each tenant's own, and erased with what they tell of."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from memory.embedding.embedder import Embedder
from memory.errors import NoPlaceError, NotFoundError
from memory.history.request_traces import HEAD, LEAST, LONGEST, MOST_TEXT, cut
from memory.history.traced import Span, Traced, TracedSample
from memory.memory import LongTermMemory
from memory.types import Completion, Draft

CANARY = "the zanzibar invoice"
Build = Callable[..., Draft]
Note = Callable[..., Completion]
REPORT: dict[str, Any] = {
    "strategy": "ttt",
    "requested": "auto",
    "stop_reason": "confident",
    "answer": "4",
    "agreement": 0.5,
    "votes": [{"answer": "4", "count": 1}, {"answer": "5", "count": 1}],
    "samples": {"started": 3, "finished": 2, "cancelled": 1},
    "tokens": {"returned": 5, "losing": 4, "cancelled": 1, "training": 64},
    "neighbours": [{"id": "rec_1", "similarity": 0.9}],
    "adapter": {"id": "ad", "steps": 2, "loss": [0.7, 0.1], "accepted": True, "reason": "fell"},
    "verification": None,
    "steps": None,
    "memory": {"saved": None, "state": None, "reason": "not verified"},
    "seconds": {"sample": 1.0, "train": 0.5},
}


def sample(number: int, text: str = "It is 4.", state: Any = "losing") -> TracedSample:
    return TracedSample(number, text, "4", "n:4", 5, 0.1, 0.4, state, "stop")


def traced(*texts: str) -> Traced:
    samples = tuple(sample(n + 1, text) for n, text in enumerate(texts or ("It is 4.",)))
    return Traced(2.0, samples, (Span("retrieve", 0.0, 0.1),), (0.7, 0.3, 0.1))


@pytest.fixture
def note(completion: Note) -> Note:
    """Build a completion that has a trace."""
    return lambda name, *args, **fields: completion(
        name, *args, **{"traced": traced(), "report": REPORT, **fields}
    )


def append(memory: LongTermMemory, *items: Completion) -> None:
    for item in items:
        memory.completions.append(item)
    assert memory.completions.flush()


def ids(memory: LongTermMemory, tenant: str = "ann", limit: int = 100, **wanted: Any) -> list[str]:
    return [each["id"] for each in memory.request_traces.page(tenant, limit, **wanted)]


def test_a_trace_tells_everything_of_one_answer(memory: LongTermMemory, note: Note) -> None:
    now = datetime.now(UTC)
    append(memory, note("c1", "two and two?", created_at=now))
    found = memory.request_traces.get("ann", "c1")
    assert found["asked_at"] == pytest.approx(now.timestamp() - 2.0, abs=0.01)
    assert (found["strategy"], found["requested"], found["answer"]) == ("ttt", "auto", "4")
    assert found["question"] == "two and two?"
    assert found["sample_counts"] == REPORT["samples"]
    (first,) = found["samples"]
    assert (first["number"], first["key"], first["state"]) == (1, "n:4", "losing")
    assert found["training"]["losses"] == [0.7, 0.3, 0.1]
    assert found["training"]["reason"] == "fell"
    assert found["events"] == [{"step": "retrieve", "began_s": 0.0, "seconds": 0.1}]
    assert (found["seconds"], found["seconds_by_step"]) == (2.0, REPORT["seconds"])
    for name in ("votes", "neighbours", "tokens", "memory"):
        assert found[name] == REPORT[name]


def test_a_trace_tells_what_became_of_its_answer_since(memory: LongTermMemory, note: Note) -> None:
    append(memory, note("c1"))
    assert memory.request_traces.get("ann", "c1")["record_id"] is None
    memory.completions.link_record("ann", "c1", "rec_1")
    memory.completions.note_feedback("ann", "c1", {"verdict": "correct"})
    found = memory.request_traces.get("ann", "c1")
    assert (found["record_id"], found["feedback"]) == ("rec_1", {"verdict": "correct"})


@pytest.mark.parametrize("text", ["a\x00b", "half \ud83d", "\u2028 \U0001f9ea '\"\\", ""])
def test_whatever_characters_were_said_are_kept_or_replaced(
    memory: LongTermMemory, note: Note, text: str
) -> None:
    said = Traced(1.0, (sample(1, text),))
    append(memory, note("c1", f"q {text}", text, traced=said, report=REPORT | {"reason": text}))
    found = memory.request_traces.get("ann", "c1")
    assert found["samples"][0]["text"] == text.replace("\ud83d", "?")
    assert found["question"] == f"q {text}".replace("\ud83d", "?")


def test_the_list_tells_each_in_short_newest_first_page_by_page(
    memory: LongTermMemory, note: Note
) -> None:
    voted = REPORT | {"strategy": "consistency"}
    append(memory, note("c1"), note("c2", report=voted), note("c3"))
    assert ids(memory) == ["c3", "c2", "c1"]
    assert ids(memory, limit=1, after="c3") == ["c2"]
    assert ids(memory, strategy="ttt") == ["c3", "c1"]
    (newest,) = memory.request_traces.page("ann", 1)
    assert newest["samples"] == REPORT["samples"]
    assert "votes" not in newest
    with pytest.raises(NoPlaceError):
        ids(memory, after="c9")


def test_only_what_was_voted_on_has_a_trace(
    memory: LongTermMemory, completion: Note, note: Note
) -> None:
    append(memory, completion("plain", report=REPORT), note("c1"))
    assert ids(memory) == ["c1"]
    with pytest.raises(NotFoundError):
        memory.request_traces.get("ann", "plain")


def test_traces_are_their_tenants_alone(memory: LongTermMemory, note: Note) -> None:
    append(memory, note("c1"), note("c1", "bob's?", tenant="bob"))
    assert ids(memory) == ids(memory, "bob") == ["c1"]
    assert memory.request_traces.get("bob", "c1")["question"] == "bob's?"
    assert memory.request_traces.get("ann", "c1")["question"] == "two and two?"
    assert ids(memory, "eve") == []


def test_each_tenant_keeps_its_latest(data_dir: Path, embedder: Embedder, note: Note) -> None:
    memory = LongTermMemory.open(data_dir, embedder, trace_rows=3)
    append(memory, note("other", tenant="bob"), *(note(f"c{n}") for n in range(5)))
    append(memory, note("c5"))
    assert ids(memory) == ["c5", "c4", "c3"]
    assert ids(memory, "bob") == ["other"]
    memory.close()
    memory = LongTermMemory.open(data_dir, embedder, trace_rows=0)
    append(memory, note("c6"))
    assert ids(memory) == []
    assert memory.completions.get("ann", "c6").answer == "4"
    memory.close()


def test_a_trace_goes_with_the_age_of_its_completion(memory: LongTermMemory, note: Note) -> None:
    now = datetime.now(UTC)
    fresh = (note(f"c{n}", created_at=now) for n in range(3))
    append(memory, note("old", created_at=now - timedelta(days=31)), *fresh)
    memory.completions.prune()
    assert "old" not in ids(memory)
    assert len(ids(memory)) == 3


def test_however_much_was_said_a_trace_is_small(memory: LongTermMemory, note: Note) -> None:
    long, steps = "x" * 100_000, [{"kind": "round", "text": "y" * 50_000, "children": []}] * 200
    votes = [{"answer": f"{n}{long}", "count": 1} for n in range(64)]
    report = REPORT | {"answer": long, "votes": votes, "steps": steps}
    samples = traced(*(f"{n} {long} end" for n in range(64)))
    append(memory, note("c1", long, long, report=report, traced=samples))
    found = memory.request_traces.get("ann", "c1")
    assert len(json.dumps(found)) < 128 * 1024
    assert sum(len(each["text"]) for each in found["samples"]) <= MOST_TEXT
    assert all(each["text"].endswith(" end") for each in found["samples"]), "answers stand there"
    assert found["steps"] is None
    assert len(found["question"]) == LONGEST
    assert len(memory.request_traces.page("ann", 1)[0]["question"]) == LEAST


def test_what_is_cut_keeps_its_head_and_its_end() -> None:
    assert cut("as it is", 8) == "as it is"
    short = cut("a" * 200 + "b" * 800, LEAST)
    assert len(short) == LEAST
    assert short[:HEAD] == "a" * HEAD
    assert short.endswith("b" * (HEAD - 1))


def test_what_tells_of_an_erased_record_goes_with_it(
    memory: LongTermMemory, draft: Build, note: Note
) -> None:
    question = f"What does {CANARY} “No. 7” come to?"
    answer = "First. " + f"By {CANARY}, to 1,250 dollars. " * 80
    saved = memory.save(draft(question, "1250", rationale=answer)).record
    quoting = traced(f"Somebody asked: {question}")
    told = traced(answer)
    append(
        memory,
        note("asked", question.upper(), traced=traced("4")),
        note("saved", "and that?", record_id=saved.id, traced=traced("4")),
        note("quoted", "what did they say?", traced=quoting),
        note("told", "what else?", traced=told),
        note("ending", "what was said last?", traced=traced("hm, " * LONGEST + answer)),
        note("step", "why?", report=REPORT | {"steps": [{"kind": "note", "text": question}]}),
        note("apart", "two and two?"),
        note("theirs", question, tenant="bob", traced=told),
    )
    memory.forget("ann", saved.id)
    assert ids(memory) == ["apart"]
    assert ids(memory, "bob") == ["theirs"]


def test_a_short_question_takes_along_only_what_is_all_of_a_text(
    memory: LongTermMemory, draft: Build, note: Note
) -> None:
    saved = memory.save(draft("2+2?", "4", rationale="It is 4.")).record
    append(
        memory,
        note("asked", "2+2?"),
        note("same", "and?", report=REPORT | {"steps": [{"kind": "question", "text": "2+2?"}]}),
        note("apart", "What is 12+2?"),
    )
    memory.forget("ann", saved.id)
    assert ids(memory) == ["apart"]


@pytest.mark.sqlite
def test_nothing_queued_of_an_erased_record_is_written(
    memory: LongTermMemory, draft: Build, note: Note
) -> None:
    question = f"What does {CANARY} come to?"
    saved = memory.save(draft(question, "1250")).record
    memory.completions.append(note("c1", question, traced=traced(CANARY)))
    memory.forget("ann", saved.id)
    assert memory.completions.flush()
    assert list(memory.traces([CANARY.encode()])) == []
