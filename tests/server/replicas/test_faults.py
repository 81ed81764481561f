"""Faults among three replicas: each ends in an answer or in 503 with `retry-after`.

What was acknowledged is there afterwards.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import httpx
import pytest

from loadtests.postgres import Cluster
from memory.memory import LongTermMemory
from tests.server.replicas.replica import VERIFIED, Client, Replica, asked

SOON_S = 240.0


def test_a_request_that_is_sent_twice_is_answered_twice_and_remembered_once(
    clients: list[Client],
) -> None:
    """As a balancer does that gave up on the first, which is under way still."""
    body = asked("Does a lamp wait 0.5 s?", adaptation=VERIFIED)
    headers = {"idempotency-key": "a-key-of-the-clients"}

    def send(client: Client) -> httpx.Response:
        return client.http.post("/v1/chat/completions", json=body, headers=headers)

    with ThreadPoolExecutor(3) as threads:
        found = list(threads.map(send, clients))
    assert [each.status_code for each in found] == [200] * 3
    answers = [each.json() for each in found]
    saved = {each["adaptation"]["memory"]["saved"] for each in answers} - {None}
    assert len(saved) == 1
    listed = clients[0].get("/v1/memory/records", q="Does a lamp wait")["data"]
    assert {each["id"] for each in listed} == saved
    said = {"completion_id": answers[0]["id"], "verdict": "correct"}
    with ThreadPoolExecutor(3) as threads:
        heard = list(threads.map(lambda each: each.post("/v1/feedback", **said), clients))
    assert {each["record"]["id"] for each in heard if each["record"]} == saved
    listed = clients[1].get("/v1/memory/records", q="Does a lamp wait")["data"]
    assert {each["id"] for each in listed} == saved


def test_a_replica_killed_in_mid_save_loses_nothing_acknowledged(
    replicas: list[Replica], clients: list[Client], memory: LongTermMemory
) -> None:
    acknowledged: list[str] = []
    enough = threading.Event()

    def save(worker: int) -> None:
        for number in itertools.count():
            question = f"What lies at mile {worker}-{number}?"
            try:
                answer = clients[0].chat(question, adaptation=VERIFIED)
            except httpx.TransportError:
                return
            acknowledged.append(answer["adaptation"]["memory"]["saved"])
            if len(acknowledged) >= 20:
                enough.set()

    with ThreadPoolExecutor(4) as threads:
        saving = [threads.submit(save, worker) for worker in range(4)]
        assert enough.wait(SOON_S)
        replicas[0].kill()
    for each in saving:
        each.result()
    assert None not in acknowledged
    for saved in acknowledged:
        assert clients[1].get(f"/v1/memory/records/{saved}")["state"] == "active"
    there = clients[2].get("/v1/memory/records", q="What lies at mile", limit=100)["data"]
    assert len(acknowledged) <= len(there) <= len(acknowledged) + 4
    assert memory.verify("default").ok


@dataclass
class Told:
    """What clients were told."""

    statuses: Counter[int] = field(default_factory=Counter)
    without_retry: list[str] = field(default_factory=list)
    saved: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    responses: list[str] = field(default_factory=list)

    def hear(self, response: httpx.Response) -> dict[str, object] | None:
        """Note a response; return what it says where it is good."""
        self.statuses[response.status_code] += 1
        if response.status_code == 200:
            found: dict[str, object] = response.json()
            return found
        if response.status_code != 503 or "retry-after" not in response.headers:
            self.without_retry.append(f"{response.status_code} {response.text}")
        return None


def ask_on(client: Client, told: Told, number: int, end: threading.Event) -> None:
    """Save records, files and responses until the end."""
    while not end.is_set():
        body = asked(f"What is {number} and {time.monotonic_ns()}?", adaptation=VERIFIED)
        if answer := told.hear(client.http.post("/v1/chat/completions", json=body)):
            memory = answer["adaptation"]["memory"]  # type: ignore[index]
            told.saved += [memory["saved"]] if memory["saved"] else []
        sent = client.http.post(
            "/v1/files", files={"file": ("a.jsonl", b"{}")}, data={"purpose": "user_data"}
        )
        if file := told.hear(sent):
            told.files.append(str(file["id"]))
        body = {"model": "whet-pebble", "input": "Hello."}
        if made := told.hear(client.http.post("/v1/responses", json=body)):
            told.responses += [str(made["id"])] if made["store"] else []


@pytest.mark.parametrize("away_s", [0.0, 3.0])
def test_a_database_restarted_under_load_loses_nothing_acknowledged(
    own_cluster: Cluster, replicas: list[Replica], clients: list[Client], away_s: float
) -> None:
    told, end = Told(), threading.Event()
    with ThreadPoolExecutor(6) as threads:
        asking = [threads.submit(ask_on, clients[n % 3], told, n, end) for n in range(6)]
        time.sleep(2)
        own_cluster.stop("immediate")
        time.sleep(away_s)
        own_cluster.start()
        before = len(told.saved)
        until_saved = time.monotonic() + SOON_S
        while len(told.saved) < before + 6 and time.monotonic() < until_saved:
            time.sleep(0.1)
        end.set()
    for each in asking:
        each.result()
    assert told.without_retry == []
    assert set(told.statuses) <= {200, 503}
    assert len(told.saved) >= before + 6
    _are_there(clients, told)
    assert all(each.is_ready for each in replicas)


def _are_there(clients: list[Client], told: Told) -> None:
    turns = itertools.cycle(clients)
    for saved in told.saved:
        assert next(turns).get(f"/v1/memory/records/{saved}")["state"] == "active"
    for file in told.files:
        assert next(turns).get(f"/v1/files/{file}")["id"] == file
    for made in told.responses:
        assert next(turns).get(f"/v1/responses/{made}")["id"] == made
