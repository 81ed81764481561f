"""Records know where they are from."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from memory.embedding.hashing import HashingEmbedder
from memory.errors import InvalidImportError
from memory.jsonl import export_lines, import_lines
from memory.lines import Origin, origin_of_file, parse_line
from memory.memory import LongTermMemory
from memory.types import Draft, Message, Record, Source, State, Tier
from tests.memory.older import older_database


def draft(question: str, **changes: Any) -> Draft:
    fields: dict[str, Any] = {
        "tenant": "ann",
        "messages": (Message(role="user", content=question),),
        "answer": "5",
        "rationale": "#### 5",
        "tier": Tier.EXECUTABLE,
    }
    return Draft(**fields | changes)


def only(memory: LongTermMemory) -> Record:
    (record,) = memory.list("ann")
    return record


def line(**fields: Any) -> str:
    return json.dumps({"question": "What is 2 + 3?", "answer": "5", **fields})


def test_what_is_answered_here_is_served_unless_it_says_otherwise(memory: LongTermMemory) -> None:
    assert memory.save(draft("a?")).record.source is Source.SERVED
    kept = memory.save(draft("b?", source=Source.SELF_PLAY)).record
    assert memory.get("ann", kept.id).source is Source.SELF_PLAY
    assert memory.stats("ann")["sources"] == {
        "served": 1, "import": 0, "environment": 0, "self-play": 1, "synthetic": 0,
    }  # fmt: skip


def test_practice_that_somebody_asks_as_well_is_real(memory: LongTermMemory) -> None:
    memory.save(draft("a?", source=Source.SYNTHETIC))
    memory.save(draft("a?", evidence={"completion": "c1"}))
    assert only(memory).source is Source.SERVED
    memory.save(draft("a?", source=Source.SYNTHETIC))
    assert only(memory).source is Source.SERVED


def test_an_import_keeps_file_hash_licence_and_provenance(
    memory: LongTermMemory, tmp_path: Path
) -> None:
    file = tmp_path / "sums.jsonl"
    file.write_text(line() + "\n")
    origin = origin_of_file(str(file), "MIT", "written by Ann")
    import_lines(memory, "ann", [line()], origin=origin)
    record = only(memory)
    assert record.source is Source.IMPORTED
    assert record.evidence["licence"] == "MIT"
    assert record.evidence["provenance"] == "written by Ann"
    assert record.evidence["file"] == "sums.jsonl"
    assert len(record.evidence["sha256"]) == 64


def test_a_line_says_more_of_itself_than_its_file_does() -> None:
    read = parse_line(
        line(licence="CC0-1.0"), "ann", trust=False, origin=Origin(licence="MIT", provenance="here")
    )
    assert read is not None
    assert read.draft.evidence == {"source": "import", "licence": "CC0-1.0", "provenance": "here"}


@pytest.mark.parametrize("licence", ["do what you like", "", "MIT;DROP", 3, "MIT OR"])
def test_a_licence_that_is_no_spdx_expression_is_refused(licence: object) -> None:
    with pytest.raises(InvalidImportError, match="licence"):
        parse_line(line(licence=licence), "ann", trust=False)


@pytest.mark.parametrize("licence", ["MIT", "Apache-2.0 OR CC-BY-4.0", "LicenseRef-own",
                                     "GPL-3.0-only WITH Classpath-exception-2.0"])  # fmt: skip
def test_spdx_expressions_are_taken(licence: str) -> None:
    assert parse_line(line(licence=licence), "ann", trust=False) is not None


def test_a_second_file_with_the_same_line_vouches_for_nothing(memory: LongTermMemory) -> None:
    for number in range(3):
        import_lines(memory, "ann", [line()], origin=Origin(sha256=str(number)))
    record = only(memory)
    assert "confirmations" not in record.evidence
    assert record.confidence == 1.0


@pytest.mark.parametrize("trust", [False, True])
def test_exported_practice_is_practice_wherever_it_is_read_again(
    memory: LongTermMemory, trust: bool
) -> None:
    memory.save(draft("a?", source=Source.SYNTHETIC))
    memory.save(draft("b?"))
    exported = [each.replace('"ann"', '"bob"') for each in export_lines(memory, "ann")]
    import_lines(memory, "bob", exported, trust=trust)
    found = {record.question: record.source for record in memory.list("bob")}
    assert found == {"a?": Source.SYNTHETIC, "b?": Source.SERVED if trust else Source.IMPORTED}


@pytest.mark.sqlite
def test_an_older_database_knows_what_files_brought(tmp_path: Path) -> None:
    path = older_database(tmp_path, "0018")
    with closing(sqlite3.connect(path)) as connection:
        for number, (tier, evidence) in enumerate(
            [
                ("imported", {}),
                ("feedback", {"source": "import", "confirmations": []}),
                ("vote", {"completion": "c"}),
            ]
        ):
            connection.execute(
                "INSERT INTO record (id, tenant, question, messages, answer, rationale, state, "
                "contested, tier, evidence, confidence, uses, wins, model, created_at) VALUES "
                "(?, 'ann', 'q', '[{\"role\": \"user\", \"content\": \"q\"}]', 'a', 'a', 'active', "
                "0, ?, ?, 1, 0, 0, '', 0)",
                (f"rec_{number}", tier, json.dumps(evidence)),
            )
        connection.commit()
    with closing(LongTermMemory.open(tmp_path, HashingEmbedder(64))) as memory:
        sources = [record.source for record in memory.walk("ann", state=State.ACTIVE)]
    assert sources == [Source.IMPORTED, Source.IMPORTED, Source.SERVED]
