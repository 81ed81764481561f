"""JSON lines in and out."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory.embedding.hashing import HashingEmbedder
from memory.errors import InvalidImportError, StorageUnavailableError
from memory.identity import answer_key, prompt
from memory.jsonl import GROUP, export_lines, import_lines
from memory.lines import MAX_LINE_BYTES, parse_line
from memory.lines.stream import bounded_lines
from memory.memory import LongTermMemory
from memory.types import Draft, Message, State, Tier

Build = Callable[..., Draft]

FINE_TUNING = {
    "messages": [
        {"role": "system", "content": "Be exact."},
        {"role": "user", "content": [{"type": "text", "text": "two and two?"}]},
        {"role": "assistant", "content": "Two and two make four. #### 4"},
    ]
}


def test_the_openai_form_gives_rationale_and_answer(memory: LongTermMemory) -> None:
    report = import_lines(memory, "ann", [json.dumps(FINE_TUNING)])
    record = memory.list("ann")[0]
    assert (report.imported, report.failed) == (1, 0)
    assert (record.answer, record.question) == ("4", "two and two?")
    assert record.rationale == "Two and two make four. #### 4"
    assert record.tier is Tier.IMPORTED


def test_question_and_answer_are_enough(memory: LongTermMemory) -> None:
    lines = ['{"question": "q", "answer": "a"}', '{"question": "r", "answer": "b", "task": "t"}']
    assert import_lines(memory, "ann", lines).imported == 2
    assert {(r.rationale, r.task) for r in memory.list("ann")} == {("a", None), ("b", "t")}


BAD_LINES: list[str | bytes] = [
    "{broken",
    b'{"question": "\xff", "answer": "a"}',
    "[1]",
    "7",
    "null",
    '{"text": "?"}',
    '{"messages": []}',
    '{"messages": [{"role": "user", "content": "q"}]}',
    '{"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}',
    '{"messages": [7, {"role": "assistant", "content": "a"}]}',
    '{"question": "q", "answer": " "}',
    '{"question": 7, "answer": "a"}',
    '{"question": "q"}',
    '{"question": "q", "answer": "' + "a" * 65_000 + '"}',
    "[" * 100_000,
    " " * (MAX_LINE_BYTES + 1),
    '{"state": "erased", "tier": "vote", "messages": [{"role": "user", "content": "q"}],'
    ' "answer": "a", "rationale": "a"}',
]


def test_a_line_that_makes_no_record_is_named_and_the_rest_is_kept(
    memory: LongTermMemory,
) -> None:
    good = '{"question": "q", "answer": "a"}'
    report = import_lines(memory, "ann", [good, *BAD_LINES, "", '{"question":"r","answer":"b"}'])
    assert report.imported == 2
    assert [number for number, _ in report.errors] == list(range(2, 2 + len(BAD_LINES)))
    assert report.failed == len(BAD_LINES)
    assert all(message for _, message in report.errors)


def test_importing_again_confirms_and_changes_nothing(memory: LongTermMemory) -> None:
    lines = [f'{{"question": "q{n}", "answer": "a"}}' for n in range(5)]
    import_lines(memory, "ann", lines)
    before = memory.list("ann")
    report = import_lines(memory, "ann", lines)
    assert (report.imported, report.confirmed) == (0, 5)
    assert memory.list("ann") == before


def test_a_contradiction_is_quarantined_and_counted(memory: LongTermMemory, draft: Build) -> None:
    memory.save(draft("q", "right", tier=Tier.EXECUTABLE))
    report = import_lines(memory, "ann", ['{"question": "q", "answer": "wrong"}'])
    assert (report.imported, report.quarantined) == (0, 1)
    assert [n.record.answer for n in memory.recall("ann", "q", k=5)] == ["right"]


def test_an_export_comes_back_as_it_was(memory: LongTermMemory, draft: Build) -> None:
    for n, tier in enumerate((Tier.FEEDBACK, Tier.VOTE, Tier.CORROBORATED)):
        memory.save(draft(f"q{n}\n\u2028", task="t", tier=tier, evidence={"n": n}, model="m"))
    held = memory.list("ann")[0]
    memory.set_state("ann", held.id, State.QUARANTINED, "doubt")
    memory.forget("ann", memory.save(draft("secret")).record.id)
    exported = list(export_lines(memory, "ann"))
    assert not any("ann" in line or "\n" in line for line in exported)
    assert len(exported) == 3
    report = import_lines(memory, "bob", exported, trust=True)
    assert (report.imported, report.quarantined, report.failed) == (2, 1, 0)
    lost = {"id", "tenant", "created_at"}
    theirs = [record.model_dump(exclude=lost) for record in memory.list("bob")]
    assert theirs == [record.model_dump(exclude=lost) for record in memory.list("ann")]


def test_no_file_can_claim_that_its_answers_were_executed(
    memory: LongTermMemory, draft: Build
) -> None:
    memory.save(draft("q", tier=Tier.EXECUTABLE))
    exported = list(export_lines(memory, "ann"))
    import_lines(memory, "bob", exported, trust=True)
    import_lines(memory, "eve", exported)
    assert memory.list("bob")[0].tier is Tier.CORROBORATED
    assert memory.list("eve")[0].tier is Tier.IMPORTED


def test_progress_follows_the_commits_and_a_failing_disk_is_reported_truly(
    memory: LongTermMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[int] = []
    real = memory.save_many

    def fails_late(*arguments: object) -> object:
        if len(done) == 2:
            raise StorageUnavailableError("the disk is full")
        return real(*arguments)

    monkeypatch.setattr(memory, "save_many", fails_late)
    lines = [f'{{"question": "q{n}", "answer": "a"}}' for n in range(3 * GROUP)]
    report = import_lines(memory, "ann", lines, done.append)
    assert done == [GROUP, 2 * GROUP]
    assert (report.imported, report.stopped) == (2 * GROUP, "the disk is full")
    assert memory.stats("ann")["records"] == 2 * GROUP


def test_a_stream_is_cut_into_lines_of_bounded_length() -> None:
    huge = b"x" * (3 * MAX_LINE_BYTES)
    lines = list(bounded_lines(io.BytesIO(b"one\n" + huge + b"\ntwo\nthree")))
    assert [line[:5] for line in lines] == [b"one\n", b"xxxxx", b"two\n", b"three"]
    assert len(lines[1]) == MAX_LINE_BYTES + 1


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
keys = st.sampled_from(["messages", "question", "answer", "rationale", "task", "state", "tier"])


said = st.text(min_size=1, max_size=20)
claims = st.fixed_dictionaries(
    {
        "messages": st.just([{"role": "user", "content": "1 + 1?"}]),
        "answer": said,
        "rationale": said,
        "state": st.sampled_from([state.value for state in State]),
        "tier": st.sampled_from([tier.value for tier in Tier]),
    }
)
"""Lines as an export has them: most of them are read."""


@given(st.dictionaries(keys, values) | values | claims, st.booleans())
def test_any_json_is_read_or_refused_and_never_a_crash(value: object, trust: bool) -> None:
    try:
        line = parse_line(json.dumps(value), "ann", trust=trust)
    except InvalidImportError:
        return
    assert line is None or line.draft.tier is not Tier.EXECUTABLE


def test_an_export_that_claims_to_have_been_executed_is_read_and_not_believed() -> None:
    line = parse_line(
        json.dumps(
            {
                "messages": [{"role": "user", "content": "1 + 1?"}],
                "answer": "2",
                "rationale": "2",
                "state": "active",
                "tier": "executable",
            }
        ),
        "ann",
        trust=True,
    )
    assert line is not None
    assert line.draft.tier is Tier.CORROBORATED


def test_an_export_of_everything_survives_a_fresh_database(
    tmp_path: Path, embedder: HashingEmbedder, memory: LongTermMemory, draft: Build
) -> None:
    memory.save_many([draft(f"q{n}") for n in range(300)])
    fresh = LongTermMemory.open(tmp_path / "fresh", embedder)
    report = import_lines(fresh, "ann", export_lines(memory, "ann"), trust=True)
    assert report.imported == 300
    fresh.close()


def test_a_vote_stays_a_vote_when_its_export_is_imported(memory: LongTermMemory) -> None:
    voted = Draft(
        tenant="ann",
        messages=(Message(role="user", content="2+2?"),),
        answer="4",
        rationale="4",
        tier=Tier.VOTE,
    )
    memory.save(voted)
    lines = list(export_lines(memory, "ann", None))
    for trust in (False, True):
        import_lines(memory, "ann", lines, trust=trust)
        assert [record.tier for record in memory.list("ann")] == [Tier.VOTE]


def test_the_identity_of_a_line_is_reckoned_once(
    memory: LongTermMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts: Counter[str] = Counter()
    keyed, hashed = answer_key.value_key, prompt.same_turns

    def key(answer: str) -> str:
        counts["answer"] += 1
        return keyed(answer)

    def turns(messages: Iterable[Message]) -> list[dict[str, Any]]:
        counts["question"] += 1
        return hashed(messages)

    monkeypatch.setattr(answer_key, "value_key", key)
    monkeypatch.setattr(prompt, "same_turns", turns)
    lines = [json.dumps({"question": f"q{n}", "answer": str(n)}) for n in range(70)]
    assert import_lines(memory, "ann", lines).imported == 70
    assert counts == {"answer": 70, "question": 70}


def test_an_answer_that_confirms_another_does_not_contradict_it(memory: LongTermMemory) -> None:
    lines = [json.dumps({"question": "q", "answer": said}) for said in ("5 km", "5", "5 km.", "6")]
    report = import_lines(memory, "ann", lines)
    assert (report.confirmed, report.contradictions) == (2, ((4, 1),))
