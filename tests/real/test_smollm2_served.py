"""`whet serve smollm2` with its defaults: fitted to the machine, said so, and able to answer."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from server.startup.machine import this_machine
from tests.e2e.running import Running, serving

pytestmark = pytest.mark.real
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 20}, "age": {"type": "integer"}},
    "required": ["name", "age"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def server(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    log = tmp_path_factory.mktemp("log") / "log"
    with serving(folder.parents[1], log, "smollm2", "--embedder", "hashing") as running:
        yield running


def test_the_start_says_what_the_model_was_fitted_to(server: Running) -> None:
    log = server.log.read_text()
    assert f"135 M parameters on {this_machine().cores} cores: " in log
    assert re.search(r"GiB of key-value cache\n", log)
    assert re.search(r"votes within \d+ s", log)
    assert re.search(r"a training per request takes up to \d+ s here", log)
    assert re.search(r"resident: server [\d.]+ GB", log)


def test_ready_says_what_engine_and_trainer_hold(server: Running) -> None:
    held = server.get("/ready").json()["resident"]
    for part in ("server", "engine core", "trainer"):
        assert float(re.search(rf"{part} ([\d.]+) GB", held)[1]) > 0.3  # type: ignore[index]


def test_it_answers_alone_and_by_vote(server: Running) -> None:
    question = "What is 2 + 2?"  # of what comes after it, this model is in no doubt
    asked: dict[str, Any]
    for strategy in ("plain", "consistency"):
        asked = {"strategy": strategy, "memory": {"write": False}}
        if strategy == "consistency":
            asked |= {"max_samples": 4, "temperature": 0.01}
        answer = server.chat(question, "smollm2", temperature=0, max_tokens=24, adaptation=asked)
        assert "4" in answer["choices"][0]["message"]["content"]


def test_json_that_a_schema_demands_is_json(server: Running) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "person", "schema": PERSON}}
    answer = server.chat(
        "Invent a person.", "smollm2:plain", temperature=0, max_tokens=60, response_format=form
    )
    assert set(json.loads(answer["choices"][0]["message"]["content"])) == {"name", "age"}


def test_it_trains_for_a_request(server: Running) -> None:
    """Two steps teach it nothing: the whole way is what counts, to an answer and a reason."""
    solved = [
        {"question": f"What is the code word for lamp {n}?", "answer": f"moon{n}"}
        for n in range(12)
    ]
    lines = "\n".join(json.dumps(each) for each in solved)
    server.post("/v1/memory/import", content=lines)
    asked = {
        "strategy": "ttt",
        "max_samples": 2,
        "memory": {"write": False},
        "budget": {"train_steps": 2, "wall_s": 300},
    }
    question = "What is the code word for lamp 12?"
    answer = server.chat(question, "smollm2", max_tokens=16, adaptation=asked)
    report = answer["adaptation"]
    assert report["adapter"]["steps"] == 2
    assert report["tokens"]["training"] > 0
    assert report["adapter"]["reason"]
    assert answer["choices"][0]["message"]["content"]
