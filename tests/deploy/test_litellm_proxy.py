"""`deploy/litellm` before `whet serve`: LiteLLM's proxy and the server, each a process of its own.

The database is left out; what it would tell of a key comes from a `custom_auth`.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from loadtests.environment import NotInstalledError
from server.server_process import ROOT, free_port
from tests.e2e.apart import interpreter
from tests.e2e.running import wait_until
from tests.server.replicas.replica import ANSWER, VERIFIED, Client, Replica, asked

FOLDER = ROOT / "deploy" / "litellm"
MODEL = "smollm2"
FLAGS = ("--trusted-header", "X-Tenant", "--enable-force-include-usage")
QUICK = ("--embedder", "hashing", "--train-steps", "0", "--max-concurrent-requests", "2")
NAMED = ("--served-model-name", MODEL, "--tenant-metrics")
DATABASE = "database_url: os.environ/DATABASE_URL"
KEYS = '''
"""Keys of anybody, as in `sk-acme`; that of nobody names no tenant. What each costs is logged."""
import litellm
from litellm.integrations.custom_logger import CustomLogger
from litellm.proxy._types import UserAPIKeyAuth

async def known(request, api_key):
    who = api_key.removeprefix("sk-")
    told = {} if who == "nobody" else {"tenant": who}
    return UserAPIKeyAuth(api_key=api_key, key_alias=who, metadata=told)

class Spent(CustomLogger):
    async def async_log_success_event(self, kwargs, response_obj, start_time, end_time):
        who = kwargs["standard_logging_object"]["metadata"]["user_api_key_alias"]
        print(who, "spent", kwargs["response_cost"], flush=True)

litellm.logging_callback_manager.add_litellm_callback(Spent())
'''
TURNS = {"messages": asked("How many?")["messages"], "max_tokens": 100}
FORMS: Mapping[str, Mapping[str, Any]] = {
    "completions": {"prompt": "How many?"},
    "chat/completions": TURNS,
    "responses": {"input": "How many?"},
    "messages": TURNS,
}
"""The same question, by the routes that take it."""
AWAY = "Whet cannot be reached: send the request again"
SAMPLE_COST = 10 * 0.0000008
"""Of what one sample of the scripted answer generates, by the price in the file."""
CLAIM = {"X-Tenant": "acme"}
SCOPED = {"custom_llm_provider": "openai", "extra_headers": CLAIM}
CLAIMS: tuple[Mapping[str, Any], ...] = (
    {"headers": CLAIM},
    {"extra_headers": CLAIM},
    {"extra_body": {"extra_headers": CLAIM}},
    {"provider_specific_header": SCOPED},
    {"metadata": {"tenant": "acme"}},
    {"adaptation": {"no such": 1}, "fallbacks": [{"model": MODEL, "adaptation": {}, **SCOPED}]},
)
"""Ways of a request's body to speak for another tenant; the last by a fallback that is needed."""


@dataclass(frozen=True)
class Gateway:
    """The proxy, and the server behind it."""

    url: str
    log: Path
    whet: Replica
    operator: Client

    def ask(self, who: str, question: str, **more: Any) -> httpx.Response:
        """Ask as a customer who also says, in vain, that it is acme."""
        return self.post(who, "/v1/chat/completions", **asked(question, model=MODEL), **more)

    def post(self, who: str, path: str, **body: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer sk-{who}", **CLAIM}
        return httpx.post(self.url + path, json=body, headers=headers, timeout=60)

    def owners(self, completion_id: str) -> list[str]:
        """Return the tenants that find an answer's report; `default` is the operator's."""
        path = f"/v1/reports/{completion_id}"
        return [
            tenant
            for tenant in ("acme", "globex", "default")
            if self.operator.http.get(path, headers={"X-Tenant": tenant}).status_code == 200
        ]

    def spent(self, who: str) -> list[float]:
        """Return what each answer has cost a customer until now."""
        return list(map(float, re.findall(f"^{who} spent (.+)$", self.log.read_text(), re.M)))


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """As docs/gateways.md has it started."""
    try:
        command = interpreter("litellm").with_name("litellm")
    except NotInstalledError as error:
        pytest.skip(f"LiteLLM cannot be installed here (python -m tests.e2e.apart): {error}")
    folder = tmp_path_factory.mktemp("litellm")
    whet = Replica("whet", (*FLAGS, *QUICK, *NAMED), folder)
    operator = Client(whet.url, _key(whet, "admin"))
    key = _key(whet, "gateway")
    whet.begin()
    try:
        with _proxy(command, folder, whet.url, key) as url:
            whet.wait()
            yield Gateway(url, folder / "proxy.log", whet, operator)
    finally:
        operator.http.close()
        whet.stop()


def _key(whet: Replica, role: str) -> str:
    words = ("keys", "create", "--role", role, "--name", "litellm")
    made = subprocess.run(
        [sys.executable, "-m", "server.cli", *words, "--data-dir", str(whet.data_dir)],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    return made.stdout.strip()


@contextmanager
def _proxy(command: Path, folder: Path, whet: str, key: str) -> Iterator[str]:
    """Run the shipped files in `folder`, and give the proxy's URL."""
    for each in FOLDER.glob("*.py"):
        shutil.copy(each, folder)
    config = (FOLDER / "config.yaml").read_text()
    assert config.count(DATABASE) == 1
    (folder / "config.yaml").write_text(config.replace(DATABASE, "custom_auth: keys.known"))
    (folder / "keys.py").write_text(KEYS)
    named = {"WHET_URL": f"{whet}/v1", "WHET_KEY": key, "LITELLM_MASTER_KEY": "sk-0123456789"}
    env = {**os.environ, **named, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    env.pop("DATABASE_URL", None)
    port, log = free_port(), folder / "proxy.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [command, "--config", "config.yaml", "--host", "127.0.0.1", "--port", str(port)],
            cwd=folder, env=env, stdout=output, stderr=output,
        )  # fmt: skip

    def answers() -> bool:
        assert process.poll() is None, log.read_text()[-3000:]
        try:
            return httpx.get(f"{url}/health/liveliness").status_code == 200
        except httpx.TransportError:
            return False

    url = f"http://127.0.0.1:{port}"
    try:
        wait_until(answers, 240, "the proxy's start")
        yield url
    finally:
        process.terminate()
        process.wait(60)


def test_an_answer_comes_with_its_report_and_by_the_effort_asked_for(gateway: Gateway) -> None:
    voted = gateway.ask("acme", "How many?", adaptation={"strategy": "consistency"}).json()
    assert voted["choices"][0]["message"]["content"] == ANSWER
    assert voted["adaptation"]["strategy"] == "consistency"
    plain = gateway.ask("acme", "How many?", reasoning_effort="none").json()
    assert (plain["adaptation"]["strategy"], plain["adaptation"]["effort"]) == ("plain", "none")


def test_a_stream_comes_in_pieces_without_its_report(gateway: Gateway) -> None:
    text = gateway.ask("acme", "How many at once?", stream=True).text
    chunks = map(json.loads, re.findall(r"^data: (\{.*)$", text, re.M))
    pieces = [each["choices"][0]["delta"].get("content") or "" for each in chunks]
    assert sum(map(bool, pieces)) > 5
    assert "".join(pieces) == ANSWER
    assert "adaptation" not in text, "as docs/gateways.md says"


def test_two_customers_share_no_memory(gateway: Gateway) -> None:
    for who in ("acme", "globex"):
        first, again = (gateway.ask(who, "Same?", adaptation=VERIFIED).json() for _ in range(2))
        assert gateway.owners(first["id"]) == [who]
        assert first["adaptation"]["stop_reason"] == "exhausted", "what another asked is new"
        assert again["adaptation"]["stop_reason"] == "remembered"


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: [*claim][-1])
@pytest.mark.parametrize("stream", [False, True])
def test_no_body_speaks_for_another_tenant(
    claim: Mapping[str, Any], stream: bool, gateway: Gateway
) -> None:
    answer = gateway.ask("globex", "Whose?", stream=stream, **claim)
    assert answer.status_code == 200, answer.text
    assert gateway.owners(answer.headers["llm_provider-x-whet-completion-id"]) == ["globex"]


def test_nothing_is_asked_in_the_operators_name(gateway: Gateway) -> None:
    """LiteLLM's check of its own, and a route that forgets the headers of hooks before it."""
    key = {"authorization": "Bearer sk-globex"}
    assert httpx.get(f"{gateway.url}/health", headers=key, timeout=60).status_code == 200
    assert gateway.post("globex", "/interactions", model=MODEL, input="Hi?").status_code == 200
    told = gateway.operator.http.get("/metrics").text
    tenants = set(re.findall(r'^whet_tenant_requests_total{tenant="([^"]+)"}', told, re.M))
    assert {"globex", "litellm"} <= tenants
    assert "default" not in tenants


def test_a_key_without_a_tenant_asks_nothing(gateway: Gateway) -> None:
    refused = gateway.ask("nobody", "How many?")
    assert (refused.status_code, "no tenant" in refused.text) == (403, True)


@pytest.mark.parametrize("path", FORMS)
def test_every_route_costs_all_that_was_generated(path: str, gateway: Gateway) -> None:
    unseen = {"stream": True, "stream_options": {"include_usage": False}}
    costs = []
    for more in ({}, unseen):
        who = f"{path.replace('/', '-')}-{len(costs)}"
        answer = gateway.post(who, f"/v1/{path}", model=MODEL, **FORMS[path], **more)
        assert answer.status_code == 200, answer.text
        wait_until(partial(gateway.spent, who), 30, "the cost")
        costs += gateway.spent(who)
    whole, streamed = costs
    assert whole == streamed > 2 * SAMPLE_COST, "votes that lost are paid for"


def test_a_full_server_is_a_503_with_its_retry_after(gateway: Gateway) -> None:
    with ThreadPoolExecutor(3) as threads:
        asking = [threads.submit(gateway.ask, "acme", f"Wait, wait 3 s: {n}") for n in range(3)]
        *answered, refused = sorted((each.result() for each in asking), key=lambda r: r.status_code)
    assert [each.status_code for each in answered] == [200, 200]
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")


@pytest.mark.parametrize("stream", [False, True])
def test_one_customers_limit_is_a_429_and_nobody_elses(stream: bool, gateway: Gateway) -> None:
    tenant = f"limited-{stream}"
    gateway.operator.http.put(f"/v1/admin/tenants/{tenant}", json={"requests_per_minute": 1})
    assert gateway.ask(tenant, "Once?", stream=stream).status_code == 200
    refused = gateway.ask(tenant, "And again?", stream=stream)
    assert (refused.status_code, "requests_per_minute" in refused.text) == (429, True)
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert gateway.ask("acme", "Still there?").status_code == 200


def test_what_is_not_there_for_one_customer_shuts_nothing_to_others(gateway: Gateway) -> None:
    missing = gateway.post("globex", "/v1/embeddings", model=MODEL, input="How many?")
    assert missing.status_code == 404
    assert gateway.ask("acme", "Still here?").status_code == 200


def test_while_whet_is_away_clients_are_told_to_come_back(gateway: Gateway) -> None:
    with ThreadPoolExecutor(1) as threads:
        cut = threads.submit(gateway.ask, "acme", "Wait, wait 30 s.")
        time.sleep(2)
        gateway.whet.kill()
    told = [cut.result()]
    for path in ("chat/completions", "responses"):
        asking = partial(gateway.post, "acme", f"/v1/{path}", model=MODEL, **FORMS[path])
        told += [asking(stream=stream) for stream in (False, True)]
    found = [(each.status_code, each.headers.get("retry-after")) for each in told]
    assert found == [(503, "1")] * 5
    assert all(AWAY in each.text for each in told)
    gateway.whet.begin()
    gateway.whet.wait()
    assert gateway.ask("acme", "Anybody?").status_code == 200
