"""What one replica does, the others know: three processes, one PostgreSQL, one artifact store."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from itertools import permutations
from pathlib import Path
from typing import Any

from memory.erasure.unerased import SKEW_S
from memory.memory import LongTermMemory
from tests.server.registered import register
from tests.server.replicas.replica import VERIFIED, Client, Replica, asked

SOON_S = 240.0
"""For what is waited for: the bounds themselves are measured (`docs/replicas.md`)."""
Clients = Sequence[Client]
Made = Any
"""What a replica answered."""


def until(look: Callable[[], Made]) -> Made:
    """Return what `look` returns once that is something."""
    end = time.monotonic() + SOON_S
    while not (found := look()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return found


def told(clients: Clients, series: str) -> float:
    """Return what the replicas have counted together."""
    texts = [each.http.get("/metrics").text for each in clients]
    lines = [line for text in texts for line in text.splitlines() if line.startswith(series)]
    return sum(float(line.rpartition(" ")[2]) for line in lines)


def test_every_response_names_its_replica(replicas: list[Replica], clients: Clients) -> None:
    for replica, client in zip(replicas, clients, strict=True):
        for path in ("/ready", "/v1/nothing"):
            assert client.http.get(path).headers["x-whet-replica"] == replica.name


def test_a_record_is_found_by_the_first_search_of_another(clients: Clients) -> None:
    for number, (one, other) in enumerate(permutations(clients, 2)):
        question = f"How many lamps are in hall {number}?"
        first = one.chat(question, adaptation=VERIFIED)
        saved = first["adaptation"]["memory"]["saved"]
        again = other.chat(question, adaptation={"strategy": "consistency"})
        assert again["adaptation"]["stop_reason"] == "remembered"
        near = {"strategy": "demonstrations", "memory": {"write": False}}
        like = other.chat(f"{question} Think.", adaptation=near)
        assert like["adaptation"]["nearest"]["id"] == saved


def test_what_is_erased_by_one_is_remembered_by_none(clients: Clients) -> None:
    question = "How many doors has the red barn?"
    saved = clients[0].chat(question, adaptation=VERIFIED)["adaptation"]["memory"]["saved"]
    for each in clients:
        assert each.chat(question)["adaptation"]["stop_reason"] == "remembered"
    assert clients[1].delete(f"/v1/memory/records/{saved}")["deleted"]
    for each in clients:
        again = each.chat(question, adaptation={"strategy": "consistency"})
        assert again["adaptation"]["stop_reason"] != "remembered"
        assert each.get(f"/v1/memory/records/{saved}")["state"] == "erased"


def test_feedback_reports_and_traces_are_there_for_answers_of_others(clients: Clients) -> None:
    first, second, third = clients
    time.sleep(2 * SKEW_S)  # what is answered beside an erasure elsewhere is not kept
    answer = first.chat("How many windows has the mill?")
    heard = second.post("/v1/feedback", completion_id=answer["id"], verdict="correct")
    assert heard["action"] in ("created", "confirmed")
    again = third.post("/v1/feedback", completion_id=answer["id"], verdict="correct")
    assert again["reason"] == "this feedback is known already"
    answer = first.chat("How many windows has the tower?", adaptation={"strategy": "consistency"})
    report = third.get(f"/v1/reports/{answer['id']}")["adaptation"]
    assert report == answer["adaptation"]
    answer = second.chat("How many windows has the inn?", adaptation={"strategy": "consistency"})
    assert first.get(f"/v1/traces/{answer['id']}")["id"] == answer["id"]
    assert third.get(f"/v1/trace/{answer['id']}")["data"][0]["id"] == answer["id"]
    assert first.http.get("/v1/reports/chatcmpl-none").status_code == 404


def test_a_champion_that_one_promotes_answers_everywhere(
    clients: Clients, memory: LongTermMemory, tmp_path: Path
) -> None:
    version = register(memory, tmp_path, 1.0)
    clients[0].post(f"/v1/adapters/{version.id}/promote")
    for each in clients:
        until(lambda each=each: adapter_of(each) == version.id)
        (series,) = adapters_served(each)
        assert f'running_lora_adapters="{version.id}"' in series
    named = [[model["id"] for model in each.get("/v1/models")["data"]] for each in clients]
    assert named[0] == named[1] == named[2]
    assert f"whet-pebble@{version.number}" in named[0]
    clients[1].post("/v1/adapters/reset")
    for each in clients:
        until(lambda each=each: adapter_of(each) is None)
        (series,) = adapters_served(each)
        assert 'running_lora_adapters=""' in series


def adapter_of(client: Client) -> str | None:
    body = asked("Who are you?", adaptation={"strategy": "plain"})
    response = client.http.post("/v1/chat/completions", json=body)
    assert response.status_code == 200
    return response.headers.get("x-whet-adapter")


def adapters_served(client: Client) -> list[str]:
    lines = client.http.get("/metrics").text.splitlines()
    return [line for line in lines if line.startswith("vllm:lora_requests_info{")]


def test_responses_and_conversations_are_read_and_gone_on_with_anywhere(clients: Clients) -> None:
    first, second, third = clients
    made = first.post("/v1/responses", model="whet-pebble", input="Remember 12.")
    assert second.get(f"/v1/responses/{made['id']}")["output"] == made["output"]
    more = {"model": "whet-pebble", "input": "And now?", "previous_response_id": made["id"]}
    assert third.post("/v1/responses", **more)["previous_response_id"] == made["id"]
    assert second.delete(f"/v1/responses/{made['id']}")["deleted"]
    assert first.http.get(f"/v1/responses/{made['id']}").status_code == 404
    talk = first.post("/v1/conversations", metadata={"topic": "lamps"})["id"]
    second.post("/v1/responses", model="whet-pebble", input="Hello.", conversation=talk)
    assert len(third.get(f"/v1/conversations/{talk}/items")["data"]) == 2
    third.delete(f"/v1/conversations/{talk}")
    assert first.http.get(f"/v1/conversations/{talk}").status_code == 404


def test_a_response_in_the_background_is_seen_and_cancelled_elsewhere(clients: Clients) -> None:
    first, second, _ = clients
    body = {"model": "whet-pebble", "input": "Please wait 50 s.", "background": True}
    made = first.post("/v1/responses", **body)
    assert second.get(f"/v1/responses/{made['id']}")["status"] in ("queued", "in_progress")
    assert second.post(f"/v1/responses/{made['id']}/cancel")["status"] == "cancelled"
    assert first.get(f"/v1/responses/{made['id']}")["status"] == "cancelled"


def test_a_batch_is_answered_once_whoever_has_its_file(clients: Clients) -> None:
    first, second, third = clients
    lines = [
        {
            "custom_id": str(n),
            "method": "POST",
            "url": "/v1/chat/completions",
            "body": asked(f"{n}?"),
        }
        for n in range(12)
    ]
    content = "\n".join(map(json.dumps, lines)).encode()
    before = told(clients, "whet_requests_total")
    sent = first.http.post(
        "/v1/files", files={"file": ("night.jsonl", content)}, data={"purpose": "batch"}
    ).json()
    assert second.http.get(f"/v1/files/{sent['id']}/content").content == content
    asking = {"endpoint": "/v1/chat/completions", "completion_window": "24h"}
    made = second.post("/v1/batches", input_file_id=sent["id"], **asking)["id"]
    done = until(lambda: third.get(f"/v1/batches/{made}")["status"] == "completed")
    assert done
    batch = first.get(f"/v1/batches/{made}")
    assert batch["request_counts"] == {"total": 12, "completed": 12, "failed": 0}
    output = third.http.get(f"/v1/files/{batch['output_file_id']}/content").text
    assert [json.loads(line)["custom_id"] for line in output.splitlines()] == [
        str(n) for n in range(12)
    ]
    assert told(clients, "whet_requests_total") - before == 12


def test_a_job_is_done_by_one(replicas: list[Replica], clients: Clients) -> None:
    made = clients[0].post("/v1/jobs", kind="reindex")["id"]
    until(lambda: clients[1].get(f"/v1/jobs/{made}")["status"] == "succeeded")
    begun = [each.log.read_text().count(f"job {made} (reindex) begins") for each in replicas]
    assert sorted(begun) == [0, 0, 1]
    assert clients[2].get(f"/v1/jobs/{made}")["status"] == "succeeded"


def test_keys_and_limits_of_one_hold_for_all(replicas: list[Replica], clients: Clients) -> None:
    first, second, third = clients
    made = first.post("/v1/admin/keys", tenant="acme", role="user")
    acme = [Client(each.url, made["key"]) for each in replicas]
    for each in acme:
        until(lambda each=each: each.http.get("/v1/models").status_code == 200)
    second.http.put("/v1/admin/tenants/acme", json={"requests_per_minute": 1})
    for each in acme:
        until(lambda each=each: status_of(each) == 429)
    third.delete(f"/v1/admin/keys/{made['id']}")
    for each in acme:
        until(lambda each=each: each.http.get("/v1/models").status_code == 401)
        each.http.close()


def status_of(client: Client) -> int:
    return client.http.post("/v1/chat/completions", json=asked("And?")).status_code


def test_the_ledger_is_one(clients: Clients) -> None:
    for each in clients:
        each.chat("How many steps has the pier?", adaptation={"strategy": "consistency"})
    until(lambda: len({json.dumps(each.get("/v1/ledger")) for each in clients}) == 1)
    assert clients[0].get("/v1/ledger")["data"]


def test_a_restarted_replica_has_it_all(replicas: list[Replica], clients: Clients) -> None:
    question = "How many boats lie in the harbour?"
    clients[1].chat(question, adaptation=VERIFIED)
    replicas[0].kill()
    replicas[0].begin()
    replicas[0].wait()
    assert clients[0].chat(question)["adaptation"]["stop_reason"] == "remembered"
