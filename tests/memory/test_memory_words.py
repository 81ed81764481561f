"""Recall by rare words, the fusion of two rankings, and what an erasure leaves of them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from memory.embedding.hashing import HashingEmbedder
from memory.fusion import fused
from memory.memory import LongTermMemory
from memory.store.full_text import MAX_LENGTH, MAX_WORDS, words_of
from memory.store.schema import word
from memory.store.scope import EVERYONE
from memory.types import Draft, State
from tests.memory.older import drop_later_tables

Build = Callable[..., Draft]
HOSTILE = (
    '"', "'", "a OR b", "NEAR(a b)", "question:secret", "* -x ^y", "a\x00b", "); DROP TABLE word;",
    ":tenant :w0 :most", "%", "\\", "{}[]()", "?" * 5000, "x" * 100_000, "\ud800", "a " * 50_000,
)  # fmt: skip


def noted(memory: LongTermMemory) -> set[tuple[str, str, int]]:
    with memory._database.reading(EVERYONE) as connection:
        return {tuple(row) for row in connection.execute(select(word))}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Why does E4711-17 fail?", ["why", "does", "e4711", "17", "fail"]),
        ("naïve Straße ＡＢＣ x_y", ["naïve", "strasse", "abc", "x_y"]),
        ("東京都はどこ", ["東京", "京都", "都は", "はど", "どこ"]),
        ("版本v2的错误", ["版本", "的错", "错误", "v2"]),
        ("字", ["字"]),
        ("2 and 2", ["2", "and"]),
        ("… — 。?!", []),
        ("x" * 200, ["x" * MAX_LENGTH]),
    ],
)
def test_the_words_of_a_text(text: str, words: list[str]) -> None:
    assert words_of(text) == words


@given(st.text())
def test_words_are_the_same_however_a_text_is_cased_and_spaced(text: str) -> None:
    assert words_of(f"  {text} ") == words_of(text) == list(dict.fromkeys(words_of(text)))
    assert all(len(each) <= MAX_LENGTH and each.strip() == each != "" for each in words_of(text))


rankings = st.lists(st.lists(st.integers(0, 20), unique=True), max_size=4)


@given(rankings)
def test_fusion_keeps_everything_once_and_one_ranking_as_it_is(given: list[list[int]]) -> None:
    together = fused(given)
    assert sorted(together) == sorted(set().union(*given))
    assert all(fused([ranking]) == ranking for ranking in given)


@given(st.lists(st.integers(0, 20), unique=True), st.lists(st.integers(0, 20), unique=True))
def test_what_both_rankings_put_before_another_stays_before_it(a: list[int], b: list[int]) -> None:
    together = fused([a, b])
    for one in set(a) & set(b):
        for other in set(a) & set(b):
            if a.index(one) < a.index(other) and b.index(one) < b.index(other):
                assert together.index(one) < together.index(other)


def test_fusion_by_the_formula() -> None:
    assert fused([["a", "b", "c"], ["c", "d"]]) == ["c", "a", "b", "d"]
    assert fused([]) == []


def test_a_code_is_found_whatever_the_vectors_say(memory: LongTermMemory, draft: Build) -> None:
    memory.save_many([draft(f"how is the weather in place number {n}?") for n in range(300)])
    wanted = memory.save(draft("billing stops, says Q7731-55: what is to be done?")).record
    question = "how is the weather in place number 12 and Q7731-55?"
    by_vector = memory.near("ann", memory.questions.vector_of(question), k=8)
    assert wanted.id not in [n.record.id for n in by_vector]
    found = memory.recall("ann", question, k=8)
    assert wanted.id in [n.record.id for n in found]
    assert len(found) == 8
    similarities = [n.similarity for n in found]
    assert similarities == sorted(similarities, reverse=True), "the first is the nearest"
    (own,) = (n for n in found if n.record.id == wanted.id)
    vectors = memory.embedder.embed([question, wanted.question])
    assert own.similarity == pytest.approx(float(vectors[0] @ vectors[1]))


def test_without_the_setting_vectors_alone_decide(
    tmp_path: Path, embedder: HashingEmbedder, draft: Build
) -> None:
    memory = LongTermMemory.open(tmp_path, embedder, recall_text=False)
    memory.save_many([draft(f"how is the weather in place {n}? {n * 77_777}") for n in range(60)])
    question = "how is the weather in place 12 and 3888850?"
    alone = memory.near("ann", memory.questions.vector_of(question), k=5)
    assert [n.record for n in memory.recall("ann", question, k=5)] == [n.record for n in alone]
    memory.close()


def test_words_find_nothing_of_others_nothing_held_back_and_nothing_of_another_task(
    memory: LongTermMemory, draft: Build
) -> None:
    memory.save_many([draft(f"filler {n}") for n in range(60)])
    memory.save(draft("zanzibar of bob", tenant="bob"))
    held = memory.save(draft("zanzibar held back")).record
    memory.set_state("ann", held.id, State.QUARANTINED, "test")
    memory.save(draft("zanzibar of a task", task="other"))
    free = memory.save(draft("zanzibar here")).record
    found = [n.record for n in memory.recall("ann", "filler zanzibar", k=62)]
    assert free in found
    assert all(record.tenant == "ann" and record.id != held.id for record in found)
    assert memory.recall("ann", "zanzibar", k=5, task="none") == []
    memory.set_state("ann", held.id, State.ACTIVE, "test")
    assert held.id in [n.record.id for n in memory.recall("ann", "zanzibar", k=5)]


@pytest.mark.parametrize("question", HOSTILE)
def test_no_text_is_syntax(memory: LongTermMemory, draft: Build, question: str) -> None:
    memory.save_many([draft(f"filler {n}") for n in range(5)])
    assert memory.recall("ann", question, k=3)
    saved = memory.save(draft(question)).record
    assert memory.recall("ann", question, k=3)
    assert saved.id in [n.record.id for n in memory.recall("ann", question, k=6)]
    memory.forget("ann", saved.id)
    assert memory.recall("ann", question, k=6)


def test_a_long_question_has_a_bounded_number_of_words(
    memory: LongTermMemory, draft: Build
) -> None:
    memory.save(draft(" ".join(f"w{n}" for n in range(5000))))
    assert len(noted(memory)) == MAX_WORDS


@pytest.mark.sqlite
def test_nothing_of_an_erased_records_words_stays_in_the_file(
    memory: LongTermMemory, draft: Build, tmp_path: Path
) -> None:
    memory.save_many([draft(f"filler {n} and {n * n}") for n in range(400)])
    secret = memory.save(draft("Where is Zanzibarius Quill, 東京都?")).record
    memory.save_many([draft(f"more {n} and {n * n}") for n in range(400)])
    before = b"".join(path.read_bytes() for path in tmp_path.glob("whet.db*"))
    canaries = [each.encode() for each in ("zanzibarius", "quill", "東京", "京都")]
    assert all(canary in before for canary in canaries)
    memory.set_state("ann", secret.id, State.QUARANTINED, "looked at")
    memory.forget("ann", secret.id)
    after = b"".join(path.read_bytes() for path in tmp_path.glob("whet.db*"))
    assert not any(canary in after for canary in canaries)
    assert not any(number == 401 for _, _, number in noted(memory))
    memory.forget("ann", secret.id)


def test_an_edit_and_a_confirmation_leave_the_words_as_they_are(
    memory: LongTermMemory, draft: Build
) -> None:
    record = memory.save(draft("how many are 2 and 2?")).record
    before = noted(memory)
    memory.save(draft("how many are 2 and 2?"))
    memory.edit("ann", record.id, "5", "It is 5.")
    assert noted(memory) == before
    assert {each for _, each, _ in before} == {"how", "many", "are", "2", "and"}


@pytest.mark.sqlite
def test_an_older_database_gets_the_words_of_what_is_not_erased(
    memory: LongTermMemory, draft: Build, tmp_path: Path
) -> None:
    memory.save_many([draft(f"question {n}") for n in range(3)])
    gone = memory.save(draft("zanzibar")).record
    memory.forget("ann", gone.id)
    expected = noted(memory)
    memory.close()
    file = sqlite3.connect(tmp_path / "whet.db")
    drop_later_tables(file, "0011")
    file.execute("UPDATE alembic_version SET version_num = '0011'")
    file.commit()
    file.close()
    again = LongTermMemory.open(tmp_path, memory.embedder)
    assert noted(again) == expected
    assert len(expected) == 6
    again.close()
