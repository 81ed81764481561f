"""Feedback, records and adapters over HTTP, on a real memory with the hashing embedder."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from safetensors.numpy import save_file

from adaptation.allowance import Unlimited
from memory.embedding.hashing import HashingEmbedder
from memory.errors import StorageUnavailableError
from memory.memory import LongTermMemory
from memory.types import AdapterVersion, Completion, Draft, Message, State, Tier
from memory.versions.adapters import NewVersion
from memory.versions.release import Stage
from server.erasure.certificate import signer_of
from server.erasure.eraser import Eraser
from server.erasure.signing import SigningKey
from server.refusals.error_shape import OpenAIErrorShape
from server.refusals.errors import install_handlers
from server.routes.adapters import adapters_router
from server.routes.elsewhere import Elsewhere
from server.routes.erasure import erasure_router
from server.routes.feedback import feedback_router
from server.routes.records import records_router
from server.tenancy.secret import Secret
from tests.server.named import Named


@pytest.fixture
def memory(data_dir: Path) -> Iterator[LongTermMemory]:
    opened = LongTermMemory.open(data_dir, HashingEmbedder())
    yield opened
    opened.close()


@pytest.fixture
def http(memory: LongTermMemory) -> Iterator[TestClient]:
    app = FastAPI()
    for router in (
        feedback_router(memory, Unlimited(), Elsewhere(is_shared=False)),
        records_router(memory, Unlimited()),
        erasure_router(memory, Eraser(memory, Secret.of_folder(memory.data_dir))),
        adapters_router(memory, Stage.ALL),
    ):
        app.include_router(router)
    install_handlers(app)
    app.add_middleware(Named)
    app.add_middleware(OpenAIErrorShape, max_body_bytes=2**20)
    with TestClient(app) as client:
        yield client


def a_draft(question: str, answer: str = "42", tenant: str = "default", **more: Any) -> Draft:
    asked = (Message(role="user", content=question),)
    rationale = f"so the answer is {answer}"
    fields = {"tier": Tier.CORROBORATED} | more
    return Draft(tenant=tenant, messages=asked, answer=answer, rationale=rationale, **fields)


def an_adapter(
    memory: LongTermMemory,
    folder: Path,
    seed: int,
    record_ids: tuple[str, ...] = (),
    metrics: Mapping[str, Any] = {"target": 0.5},
) -> AdapterVersion:
    folder.mkdir()
    config = {"peft_type": "LORA", "r": 2, "lora_alpha": 2, "target_modules": ["q_proj"]}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    key = "base_model.model.model.layers.0.self_attn.q_proj"
    draw = np.random.default_rng(seed)
    tensors = {
        f"{key}.lora_A.weight": draw.normal(size=(2, 8)).astype(np.float32),
        f"{key}.lora_B.weight": draw.normal(size=(8, 2)).astype(np.float32),
    }
    save_file(tensors, folder / "adapter_model.safetensors")
    return memory.adapters.register(
        folder,
        NewVersion(
            tenant="default", base_model="m", rank=2, metrics=metrics, record_ids=record_ids
        ),
    )


def a_completion(memory: LongTermMemory, name: str = "chatcmpl-1") -> None:
    asked = (Message(role="user", content="6 times 7?"),)
    memory.completions.append(
        Completion(id=name, tenant="default", messages=asked, text="It is 42.", answer="42")
    )


def test_correct_feedback_creates_a_record_once(memory: LongTermMemory, http: TestClient) -> None:
    a_completion(memory)
    word = {"completion_id": "chatcmpl-1", "verdict": "correct"}
    first = http.post("/v1/feedback", json=word).json()
    assert first["object"] == "feedback"
    assert first["completion_id"] == "chatcmpl-1"
    assert first["action"] == "created"
    assert first["record"]["answer"] == "42"
    assert first["record"]["tier"] == "feedback"
    assert first["reason"]
    again = http.post("/v1/feedback", json=word).json()
    assert again["action"] == "none"
    assert again["record"] is None


def test_incorrect_feedback_quarantines_what_was_learned(
    memory: LongTermMemory, http: TestClient
) -> None:
    a_completion(memory)
    saved = http.post(
        "/v1/feedback", json={"completion_id": "chatcmpl-1", "verdict": "correct"}
    ).json()["record"]
    refuted = http.post(
        "/v1/feedback", json={"completion_id": "chatcmpl-1", "verdict": "incorrect"}
    ).json()
    assert refuted["action"] == "quarantined"
    state = http.get(f"/v1/memory/records/{saved['id']}").json()["state"]
    assert state == "quarantined"


@pytest.mark.parametrize(
    ("word", "status", "param"),
    [
        ({"completion_id": "unknown", "verdict": "correct"}, 404, None),
        ({"completion_id": "x", "verdict": "maybe"}, 400, "verdict"),
        ({"verdict": "correct"}, 400, "completion_id"),
        ({"completion_id": "x", "verdict": "correct", "score": 1}, 400, "score"),
        ({"completion_id": "x", "verdict": "incorrect", "answer": " \n"}, 400, "answer"),
        ({"completion_id": "x", "verdict": "correct", "rationale": "\0"}, 400, "rationale"),
    ],
)
def test_feedback_that_makes_no_sense_is_refused(
    http: TestClient, word: dict[str, Any], status: int, param: str | None
) -> None:
    response = http.post("/v1/feedback", json=word)
    assert response.status_code == status
    assert response.json()["error"]["param"] == param


def test_a_record_is_listed_read_moved_and_erased(memory: LongTermMemory, http: TestClient) -> None:
    record = memory.save(a_draft("6 times 7?", task="times")).record
    page = http.get("/v1/memory/records").json()
    assert page["object"] == "list"
    assert page["has_more"] is False
    assert page["first_id"] == page["last_id"] == record.id
    one = http.get(f"/v1/memory/records/{record.id}").json()
    assert one == page["data"][0]
    assert one["object"] == "memory.record"
    assert one["messages"] == [{"role": "user", "content": "6 times 7?"}]
    assert isinstance(one["created_at"], int)
    moved = http.patch(f"/v1/memory/records/{record.id}", json={"state": "quarantined"}).json()
    assert moved["state"] == "quarantined"
    erased = http.delete(f"/v1/memory/records/{record.id}").json()
    assert erased == {
        "object": "memory.record.deleted",
        "id": record.id,
        "deleted": True,
        "adapters": [],
        "retired": [],
        "champion": None,
        "alike": [],
    }
    assert http.get(f"/v1/memory/records/{record.id}").json()["answer"] == ""
    assert http.get("/v1/memory/records").json()["data"] == []
    refused = http.patch(f"/v1/memory/records/{record.id}", json={"state": "active"})
    assert refused.status_code == 409


def test_a_review_edits_a_record_and_moves_it_in_one_request(
    memory: LongTermMemory, http: TestClient
) -> None:
    record = memory.save(a_draft("6 times 7?", task="times")).record
    path = f"/v1/memory/records/{record.id}"
    edited = http.patch(path, json={"answer": "43", "state": "quarantined"}).json()
    assert (edited["answer"], edited["rationale"]) == ("43", "43")
    assert (edited["state"], edited["tier"]) == ("quarantined", "feedback")
    assert edited["evidence"]["edited"]["answer"] == record.answer
    solved = http.patch(path, json={"rationale": "6 times 7 is 43.\n#### 43"}).json()
    assert (solved["answer"], solved["state"]) == ("43", "quarantined")
    rival = memory.save(a_draft("6 times 7?", task="times", tier=Tier.EXECUTABLE)).record
    assert rival.state is State.ACTIVE
    refused = http.patch(path, json={"answer": "44", "state": "active"})
    assert refused.status_code == 409
    assert http.get(path).json() == solved
    refused = http.patch(path, json={"rationale": "It is 44.\n#### 44"})
    assert refused.status_code == 409, "the solution comes to another answer"
    assert http.patch(path, json={"reason": "why not"}).status_code == 400
    assert http.patch(path, json={"answer": " "}).status_code == 400


def test_pages_follow_each_other_without_gap_or_overlap(
    memory: LongTermMemory, http: TestClient
) -> None:
    saved = [memory.save(a_draft(f"question {i}?")).record.id for i in range(5)]
    seen: list[str] = []
    params: dict[str, Any] = {"limit": 2}
    while True:
        page = http.get("/v1/memory/records", params=params).json()
        seen += [record["id"] for record in page["data"]]
        if not page["has_more"]:
            break
        params["after"] = page["last_id"]
    assert seen == saved[::-1]


def test_records_are_filtered_by_state_task_and_text(
    memory: LongTermMemory, http: TestClient
) -> None:
    wanted = memory.save(a_draft("when do trains leave?", task="travel")).record.id
    memory.save(a_draft("6 times 7?", task="times"))
    for query in ({"task": "travel"}, {"q": "trains"}, {"q": "trains", "state": "active"}):
        data = http.get("/v1/memory/records", params=query).json()["data"]
        assert [record["id"] for record in data] == [wanted]
    assert http.get("/v1/memory/records", params={"state": "pending"}).json()["data"] == []


@pytest.mark.parametrize(
    ("query", "param"),
    [({"state": "lost"}, "state"), ({"limit": 0}, "limit"), ({"after": "../x"}, "after")],
)
def test_a_list_out_of_range_names_the_parameter(
    http: TestClient, query: dict[str, Any], param: str
) -> None:
    response = http.get("/v1/memory/records", params=query)
    assert response.status_code == 400
    assert response.json()["error"]["param"] == param


def test_another_tenants_record_does_not_exist(memory: LongTermMemory, http: TestClient) -> None:
    foreign = memory.save(a_draft("whose?", tenant="other")).record.id
    assert http.get("/v1/memory/records").json()["data"] == []
    for method in ("get", "delete"):
        assert getattr(http, method)(f"/v1/memory/records/{foreign}").status_code == 404
    change = http.patch(f"/v1/memory/records/{foreign}", json={"state": "expired"})
    assert change.status_code == 404
    assert "whose" not in http.get("/v1/memory/export").text


def test_an_import_names_bad_lines_and_keeps_the_good(http: TestClient) -> None:
    lines = ['{"question": "2+2?", "answer": "4"}', "nonsense", "", '{"odd": 1}']
    report = http.post("/v1/memory/import", content="\n".join(lines)).json()
    assert report["object"] == "memory.import"
    assert (report["imported"], report["failed"]) == (1, 2)
    assert [error["line"] for error in report["errors"]] == [2, 4]
    assert all(error["message"] for error in report["errors"])
    assert report["contradictions"] == []


def test_an_import_names_the_lines_that_contradict_each_other(http: TestClient) -> None:
    lines = [f'{{"question": "2+2?", "answer": "{answer}"}}' for answer in (4, "4.0", 5)]
    report = http.post("/v1/memory/import", content="\n".join(lines)).json()
    assert report["contradictions"] == [{"line": 3, "contradicts": 1}]


def test_an_export_can_be_imported_elsewhere(
    memory: LongTermMemory, http: TestClient, tmp_path: Path
) -> None:
    for i in range(3):
        memory.save(a_draft(f"question {i}?"))
    response = http.get("/v1/memory/export")
    assert response.headers["content-type"].startswith("application/x-ndjson")
    assert len(response.text.splitlines()) == 3
    assert http.post("/v1/memory/import", content=response.content).json()["confirmed"] == 3


def test_a_storage_that_fails_is_a_503_with_a_time_to_retry(
    memory: LongTermMemory, http: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise StorageUnavailableError("the database is on a full disk")

    monkeypatch.setattr(memory, "save_many", broken)
    monkeypatch.setattr(memory, "walk", broken)
    line = '{"question": "2+2?", "answer": "4"}'
    for response in (
        http.post("/v1/memory/import", content=line),
        http.get("/v1/memory/export"),
    ):
        assert response.status_code == 503
        assert response.headers["retry-after"]
        assert "full disk" in response.json()["error"]["message"]


def test_adapters_are_promoted_rolled_back_and_reset(
    memory: LongTermMemory, http: TestClient, tmp_path: Path
) -> None:
    first, second = (an_adapter(memory, tmp_path / f"a{i}", i) for i in range(2))
    listed = http.get("/v1/adapters").json()
    assert {adapter["id"] for adapter in listed["data"]} == {first.id, second.id}
    assert http.post(f"/v1/adapters/{first.id}/promote").json()["aliases"] == ["champion"]
    assert http.post(f"/v1/adapters/{second.id}/promote").json()["aliases"] == ["champion"]
    assert http.get(f"/v1/adapters/{first.id}").json()["aliases"] == ["previous"]
    assert http.post("/v1/adapters/rollback").json()["id"] == first.id
    assert http.post("/v1/adapters/rollback").status_code == 409
    assert http.post("/v1/adapters/reset").json()["champion"] is None
    assert http.get(f"/v1/adapters/{first.id}").json()["aliases"] == ["previous"]


def test_a_fine_tuned_model_that_lost_its_guards_is_promoted_by_a_field_alone(
    memory: LongTermMemory, http: TestClient, tmp_path: Path
) -> None:
    metrics = {"decision": "fine-tuned", "objections": ["near guards were lost: 9 of 9 sums"]}
    lost = an_adapter(memory, tmp_path / "a", 0, metrics=metrics)
    for move in ("promote", "offer"):
        refused = http.post(f"/v1/adapters/{lost.id}/{move}")
        assert refused.status_code == 409
        assert "near guards were lost: 9 of 9 sums" in refused.json()["error"]["message"]
        assert http.post(f"/v1/adapters/{lost.id}/{move}", json={"anyway": 1}).status_code == 400
    promoted = http.post(f"/v1/adapters/{lost.id}/promote", json={"anyway": True})
    assert promoted.json()["aliases"] == ["champion"]


def test_an_adapter_shows_its_lineage_and_hides_its_path(
    memory: LongTermMemory, http: TestClient, tmp_path: Path
) -> None:
    record = memory.save(a_draft("6 times 7?")).record
    version = an_adapter(memory, tmp_path / "a", 0, (record.id,))
    response = http.get(f"/v1/adapters/{version.id}")
    assert response.json()["record_ids"] == [record.id]
    assert response.json()["metrics"] == {"target": 0.5}
    assert str(tmp_path) not in response.text
    erased = http.delete(f"/v1/memory/records/{record.id}").json()
    assert erased["adapters"] == erased["retired"] == [version.id]
    assert "was erased" in http.get(f"/v1/adapters/{version.id}").json()["retired"]


def test_an_erased_record_has_a_certificate_and_another_has_none(
    memory: LongTermMemory, http: TestClient, tmp_path: Path
) -> None:
    record = memory.save(a_draft("6 times 7?")).record
    foreign = memory.save(a_draft("whose?", tenant="other")).record
    version = an_adapter(memory, tmp_path / "a", 0, (record.id,))
    path = f"/v1/memory/records/{record.id}"
    assert http.get(f"{path}/certificate").status_code == 409
    assert http.delete(path, params={"adapters": "some"}).status_code == 400
    kept = http.delete(path, params={"adapters": "keep"}).json()
    assert (kept["adapters"], kept["retired"]) == ([version.id], [])
    document = http.get(f"{path}/certificate").json()
    assert signer_of(document) == SigningKey.of_folder(memory.data_dir).public
    statement = document["statement"]
    assert statement["by"] == "a request without a key"
    assert statement["generations"][0]["weights"] == "kept"
    assert http.get(f"/v1/memory/records/{foreign.id}/certificate").status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("get", "/v1/adapters/ad_none", 404),
        ("post", "/v1/adapters/ad_none/promote", 404),
        ("get", "/v1/memory/records/rec_none", 404),
        ("get", "/v1/memory/records/..%2F..%2Fetc", 404),
        ("get", "/v1/memory/records/.hidden", 400),
        ("put", "/v1/memory/records/rec_none", 405),
    ],
)
def test_what_is_not_there_has_the_error_shape(
    http: TestClient, method: str, path: str, status: int
) -> None:
    response = http.request(method, path)
    assert response.status_code == status
    assert set(response.json()["error"]) == {"message", "type", "param", "code"}
