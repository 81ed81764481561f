"""nginx and Envoy, as `deploy` has them, before three replicas that die under requests."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from loadtests.environment import NotInstalledError
from server.server_process import ROOT, free_port
from tests.e2e.apart import interpreter
from tests.server.replicas.replica import ANSWER, VERIFIED, Client, Replica, asked

NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
PORT = re.compile(r"(127\.0\.0\.1(?::|, port_value: ))(800\d)")
SLOW = "How long may a reader wait 3 s for an answer?"


@pytest.fixture(scope="module", params=["nginx.conf", "envoy.yaml"])
def front(
    request: pytest.FixtureRequest,
    three: list[Replica],
    operator: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Client]:
    """A balancer, whatever became of the replicas behind it."""
    folder, port = tmp_path_factory.mktemp("balancer"), free_port()
    ports = {"8000": port, **{f"800{n}": each.port for n, each in enumerate(three, 1)}}
    text = (ROOT / "deploy" / request.param).read_text()
    text, found = PORT.subn(lambda found: f"{found[1]}{ports[found[2]]}", text)
    assert found == len(ports)
    (folder / request.param).write_text(text)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(_command(request.param, folder), stdout=log, stderr=log)
    client = Client(f"http://127.0.0.1:{port}", operator)
    try:
        yield client
    finally:
        client.http.close()
        process.terminate()
        process.wait(30)


def _command(file: str, folder: Path) -> list[str]:
    """Return what runs the file of that name in the folder; skips where that is not to be had."""
    if file == "envoy.yaml":
        try:
            envoy = interpreter("envoy").with_name("envoy")
        except NotInstalledError as error:
            pytest.skip(f"Envoy cannot be installed here (python -m tests.e2e.apart): {error}")
        return [str(envoy), "--config-path", str(folder / file), "--use-dynamic-base-id"]
    if NGINX is None:
        pytest.skip("nginx is not installed here (Debian: apt-get install nginx-light)")
    return [NGINX, "-p", str(folder), "-c", file, "-g", "daemon off;"]


@pytest.fixture
def balancer(front: Client, replicas: list[Replica]) -> Client:
    """What clients ask: all three are asked by it."""
    seen: set[str | None] = set()
    end = time.monotonic() + 60
    while not seen >= {each.name for each in replicas}:
        assert time.monotonic() < end, seen
        with suppress(httpx.TransportError):  # it is about to listen
            seen.add(front.http.get("/v1/models").headers.get("x-whet-replica"))
    return front


def test_requests_are_shared_and_answers_say_by_whom(
    balancer: Client, replicas: list[Replica]
) -> None:
    with ThreadPoolExecutor(6) as threads:
        bodies = [asked(f"wait 0.2 s for {n}") for n in range(12)]
        sent = threads.map(
            lambda each: balancer.http.post("/v1/chat/completions", json=each), bodies
        )
        found = list(sent)
    assert {each.status_code for each in found} == {200}
    assert {each.headers["x-whet-replica"] for each in found} == {each.name for each in replicas}
    assert balancer.http.get("/metrics").status_code == 404


def test_a_log_has_a_clients_own_id_and_no_address_that_it_made_up(
    balancer: Client, replicas: list[Replica]
) -> None:
    name = f"mine-{time.monotonic_ns()}"
    sent = {"x-request-id": name, "x-forwarded-for": "203.0.113.9"}
    response = balancer.http.get("/v1/models", headers=sent)
    assert response.headers["x-request-id"] == name
    lines: list[str] = []
    end = time.monotonic() + 30
    while not lines and time.monotonic() < end:
        text = "".join(each.log.read_text() for each in replicas)
        lines = [line for line in text.splitlines() if f"request_id={name}" in line]
    assert "client=" in lines[0]
    assert "client=203.0.113.9" not in lines[0]


def test_tokens_of_a_stream_come_as_they_are_made(balancer: Client) -> None:
    body = asked(SLOW, stream=True, adaptation={"strategy": "plain"})
    with balancer.http.stream("POST", "/v1/chat/completions", json=body) as response:
        came = [time.monotonic() for line in response.iter_lines() if line]
    assert came[-1] - came[0] > 1.5, "the first event is there while the answer is not"


def test_a_replica_killed_in_mid_vote_costs_no_answer(
    balancer: Client, replicas: list[Replica]
) -> None:
    """All clients are answered, by those that are left."""
    question = f"{SLOW} At {time.monotonic_ns()}."  # another balancer's is remembered
    body = asked(question, adaptation=VERIFIED)
    with ThreadPoolExecutor(6) as threads:
        sent = [
            threads.submit(balancer.http.post, "/v1/chat/completions", json=body) for _ in range(6)
        ]
        time.sleep(1.5)
        replicas[0].kill()
        found = [each.result() for each in sent]
    assert [each.status_code for each in found] == [200] * 6
    assert {each.headers["x-whet-replica"] for each in found} == {"second", "third"}
    assert {each.json()["choices"][0]["message"]["content"] for each in found} == {ANSWER}
    saved = {each.json()["adaptation"]["memory"]["saved"] for each in found}
    assert len(saved - {None}) == 1


def test_a_rolling_restart_fails_no_request(balancer: Client, replicas: list[Replica]) -> None:
    statuses: list[int] = []
    with ThreadPoolExecutor(1) as threads:
        restarting = threads.submit(_restart, replicas)
        while not restarting.done():
            response = balancer.http.post("/v1/chat/completions", json=asked("Still there?"))
            statuses.append(response.status_code)
    restarting.result()
    assert set(statuses) == {200}


def _restart(replicas: list[Replica]) -> None:
    for each in replicas[:2]:
        each.stop()
        each.begin()
        each.wait()


def test_the_last_replica_answers_all_and_without_any_clients_are_told_to_come_back(
    balancer: Client, replicas: list[Replica]
) -> None:
    *others, last = replicas
    for each in others:
        each.kill()

    def made(number: int) -> int:
        if number % 2:
            return balancer.http.post("/v1/conversations", json={}).status_code
        body = asked("Please wait 0.5 s.")
        return balancer.http.post("/v1/chat/completions", json=body).status_code

    with ThreadPoolExecutor(6) as threads:
        assert set(threads.map(made, range(24))) == {200}
    last.kill()
    for path in ("/v1/chat/completions", "/v1/batches"):
        refused = balancer.http.post(path, json=asked("Anybody?"))
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert refused.json()["error"]["code"] == "service_unavailable"
