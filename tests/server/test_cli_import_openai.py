"""`whet import openai`: files as OpenAI's users have them become records with their origin."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from server.cli import main

ASKED = [{"role": "user", "content": "2 + 3?"}]
SAID = {"role": "assistant", "content": "It is 5."}
EVAL: dict[str, Any] = {
    "object": "eval",
    "id": "eval_1",
    "name": "sums",
    "data_source_config": {"type": "custom", "schema": {}},
    "testing_criteria": [
        {
            "type": "string_check",
            "name": "equal",
            "operation": "eq",
            "input": "{{ sample.output_text }}",
            "reference": "{{ item.total }}",
        }
    ],
    "runs": [
        {
            "data_source": {
                "type": "completions",
                "input_messages": {
                    "type": "template",
                    "template": [
                        {"role": "developer", "content": "Add."},
                        {"role": "user", "content": "What is {{ item.sum }}?"},
                    ],
                },
                "source": {
                    "type": "file_content",
                    "content": [{"item": {"sum": "4 + 4", "total": 8}}],
                },
            }
        }
    ],
}


def written(path: Path, *lines: Any) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def imported(folder: Path, *words: Any) -> int:
    flags = ["--data-dir", str(folder / "data"), "--embedder", "hashing"]
    return main(["import", "openai", *map(str, words), *flags])


def records(folder: Path, capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    capsys.readouterr()
    flags = ["--data-dir", str(folder / "data"), "--embedder", "hashing"]
    assert main(["memory", "export", *flags]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_fine_tuning_file_is_imported_with_its_origin(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tools = [{"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}]
    called = {
        "role": "assistant",
        "tool_calls": [
            {"id": "c", "type": "function", "function": {"name": "add", "arguments": "{}"}}
        ],
    }
    weighted = [*ASKED, SAID | {"weight": 1}, {"role": "user", "content": "Sure?"}]
    file = written(
        tmp_path / "train.jsonl",
        {"messages": [*ASKED, SAID]},
        {"messages": [{"role": "user", "content": "Add!"}, called], "tools": tools},
        {"messages": [*weighted, {"role": "assistant", "content": "Yes.", "weight": 0}]},
    )
    assert imported(tmp_path, file, "--licence", "CC0-1.0") == 0
    found = records(tmp_path, capsys)
    assert len(found) == 2, "the third says of the same question the same"
    assert {each["tier"] for each in found} == {"imported"}
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert found[0]["evidence"] == {
        "source": "import", "from": "openai", "file": "train.jsonl", "sha256": digest,
        "licence": "CC0-1.0",
    }  # fmt: skip
    assert found[1]["request"]["tools"] == tools
    assert '"name": "add"' in found[1]["rationale"]


def test_bad_lines_are_named_and_the_rest_is_imported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    preference = {
        "input": {"messages": ASKED},
        "preferred_output": [SAID],
        "non_preferred_output": [{"role": "assistant", "content": "6"}],
    }
    file = written(tmp_path / "mixed.jsonl", {"messages": [SAID]}, preference)
    assert imported(tmp_path, file) == 1
    told = capsys.readouterr().err
    assert "line 1: nothing is asked" in told
    assert "line 2: the line is a preference: give --preferred" in told
    assert "`whet import openai --help` shows the forms" in told
    assert imported(tmp_path, file, "--preferred") == 1
    (record,) = records(tmp_path, capsys)
    assert record["rationale"] == "It is 5."


def test_an_eval_says_what_its_items_ask_and_answer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "eval.json").write_text(json.dumps(EVAL, indent=2))
    items = written(tmp_path / "items.jsonl", {"item": {"sum": "1 + 1", "total": "2"}})
    assert imported(tmp_path, items, tmp_path / "eval.json") == 0
    found = {each["answer"]: each for each in records(tmp_path, capsys)}
    assert [turn["content"] for turn in found["2"]["messages"]] == ["Add.", "What is 1 + 1?"]
    assert found["8"]["messages"][-1]["content"] == "What is 4 + 4?"
    assert found["8"]["evidence"]["file"] == "eval.json"


def output_item(number: int, *asked: dict[str, Any]) -> dict[str, Any]:
    return {
        "object": "eval.run.output_item",
        "datasource_item": {"sum": f"{number} + 1", "total": str(number + 1)},
        "sample": {"input": list(asked), "output": [{"role": "assistant", "content": "7"}]},
    }


@pytest.mark.parametrize("runs", ["one", "page", "list"])
@pytest.mark.parametrize("indent", [None, 1])
def test_answers_of_the_api_are_read_as_they_were_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], runs: str, indent: int | None
) -> None:
    run = {**EVAL["runs"][0], "object": "eval.run", "id": "evalrun_1"}
    run["data_source"] = {**run["data_source"], "source": {"type": "file_id", "id": "file-1"}}
    page = {"object": "list", "data": [run], "has_more": False}
    kept = {
        "eval.json": {key: each for key, each in EVAL.items() if key != "runs"},
        "runs.json": {"one": run, "page": page, "list": [run]}[runs],
        "items.json": {"object": "list", "data": [output_item(n) for n in (1, 2)]},
    }
    for name, content in kept.items():
        (tmp_path / name).write_text(json.dumps(content, indent=indent))
    assert imported(tmp_path, *(tmp_path / name for name in kept)) == 0
    assert capsys.readouterr().out.count("no items: it says what those of other files ask") == 2
    found = {each["answer"]: each for each in records(tmp_path, capsys)}
    assert found.keys() == {"2", "3"}
    assert [turn["content"] for turn in found["2"]["messages"]] == ["Add.", "What is 1 + 1?"]
    assert found["2"]["evidence"]["file"] == "items.json"


def test_what_a_run_asked_is_the_question_where_nothing_else_says_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "eval.json").write_text(json.dumps(EVAL | {"runs": []}))
    file = written(tmp_path / "items.jsonl", output_item(1, *ASKED))
    assert imported(tmp_path, tmp_path / "eval.json", file) == 0
    (record,) = records(tmp_path, capsys)
    assert (record["messages"][-1]["content"], record["answer"]) == ("2 + 3?", "2")


def test_a_page_of_several_evals_says_nothing_of_items(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "evals.json").write_text(json.dumps({"object": "list", "data": [EVAL, EVAL]}))
    assert imported(tmp_path, tmp_path / "evals.json") == 1
    assert "of no known form" in capsys.readouterr().err


def test_items_alone_are_read_by_name_and_by_flag(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = written(
        tmp_path / "items.jsonl",
        {"item": {"input": ASKED, "ideal": "5"}},
        {"messages": [{"role": "user", "content": "3 + 3?"}], "reference_answer": 6},
        {"item": {"frage": "1 + 2?", "antwort": 3}},
    )
    assert imported(tmp_path, file) == 1
    told = capsys.readouterr().err
    assert "line 3: the item has the fields antwort, frage: name the" in told
    by_flag = written(tmp_path / "de.jsonl", {"item": {"frage": "1 + 2?", "antwort": 3}})
    assert imported(tmp_path, by_flag, "--question", "frage", "--answer", "antwort") == 0
    assert {each["answer"] for each in records(tmp_path, capsys)} == {"5", "6", "3"}


def test_a_dry_run_stores_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(tmp_path / "train.jsonl", {"messages": [*ASKED, SAID]}, {"messages": []})
    assert imported(tmp_path, file, "--dry-run", "--json") == 1
    shown = json.loads(capsys.readouterr().out)
    report = shown["files"][str(file)]
    assert (shown["dry_run"], report["imported"], report["failed"]) == (True, 1, 1)
    assert not (tmp_path / "data").exists()


def test_a_file_that_is_not_there_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert imported(tmp_path, tmp_path / "gone.jsonl") == 1
    assert "gone.jsonl cannot be read" in capsys.readouterr().err
