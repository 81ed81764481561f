"""The programs of `examples/`, as they are, against a server whose engine is scripted."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from loadtests.environment import NotInstalledError, node_modules
from server.tenancy.issuing import make
from server.tenancy.principal import Role
from tests.e2e.apart import interpreter
from tests.e2e.running import free_port
from tests.server.composed import ASK, Composed, Reply, Script, composed
from tests.server.listening import listening

pytestmark = pytest.mark.filterwarnings("ignore:max_tokens is deprecated:DeprecationWarning")
EXAMPLES = Path(__file__).parents[2] / "examples"
TIMEOUT_S = 240
MASTER = "sk-0123456789abcdef0123456789abcdef"
CUSTOMERS = ("acme", "globex")


async def said(
    *words: str | Path, given: str = "", env: dict[str, str] | None = None, status: int = 0
) -> str:
    """Run a program and return what it printed."""
    process = await asyncio.create_subprocess_exec(
        *map(str, words), env={**os.environ, **(env or {})},
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(TIMEOUT_S):
            printed, complaint = await process.communicate(given.encode())
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == status, complaint.decode()[-3000:]
    return printed.decode()


@asynccontextmanager
async def serving(
    folder: Path, monkeypatch: pytest.MonkeyPatch, script: Script, **given: Any
) -> AsyncIterator[tuple[Composed, str]]:
    async with composed(folder, monkeypatch, script, **given) as server, listening(server) as url:
        yield server, url


def asked(server: Composed, request: Any) -> str:
    """Return the prompt of a request to the engine."""
    text: str = server.client.get_tokenizer().decode(request.prompt_token_ids)
    return text


def key_of(server: Composed, tenant: str, role: Role = Role.ADMIN) -> str:
    """Make a tenant's key."""
    made = make(server.memory.keys, server.parts.secret, tenant, role, "", None)
    server.parts.keyring.forget()
    key: str = made["key"]
    return key


def a_client(name: str) -> Path:
    """Return the interpreter of a client's environment, or skip."""
    try:
        return interpreter(name)
    except NotInstalledError as error:
        pytest.skip(f"it cannot be installed here (python -m tests.e2e.apart): {error}")


async def test_the_support_bot_gives_the_right_answer_once_it_was_corrected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = "How long may I return a lamp?\n30 days\nHow long may I return a lamp?\n\n"
    async with serving(tmp_path, monkeypatch, lambda _: Reply("14 days")) as (_, url):
        told = await said(sys.executable, EXAMPLES / "support_bot.py", "--url", url, given=typed)
    assert re.findall(r"bot(?: \(known\))?: .*", told) == ["bot: 14 days", "bot (known): 30 days"]
    assert "[created: " in told


async def test_the_coding_assistant_prints_fixes_that_pass_and_has_them_learned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fixes = {
        "mean": "def mean(numbers):\n    return sum(numbers) / len(numbers) if numbers else 0.0",
        "initials": 'def initials(name):\n    return "".join(name)',
    }

    def script(request: Any) -> Reply:
        text = asked(served[0], request)
        name = next(name for name in fixes if f"def {name}(" in text)
        return Reply(f"```python\n{fixes[name]}\n```")

    served: list[Composed] = []
    program = (sys.executable, EXAMPLES / "coding_assistant.py", EXAMPLES / "tickets.jsonl")
    async with serving(tmp_path, monkeypatch, script) as (server, url):
        served.append(server)
        told = await said(*program, "--url", url, "--distil", status=1)
        jobs = (await server.http.get("/v1/jobs")).json()["data"]
    assert "if numbers else 0.0" in told
    assert told.count("no fix that passes") == 1
    assert f"learning: {jobs[0]['id']}" in told
    assert jobs[0]["kind"] == "distill"


async def test_extraction_has_each_tenants_own_form(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forms = dict(zip(CUSTOMERS, (("item", "count"), ("sku", "quantity")), strict=True))

    def script(request: Any) -> Reply:
        text = asked(served[0], request)
        count, thing = re.findall(r"(\d+) (\w+)s please", text)[-1]
        shown = [form for form in forms.values() if f'"{form[0]}"' in text]
        assert len(shown) <= 1, "examples of one tenant, and nobody else's"
        return Reply(
            json.dumps(dict(zip(*shown, (thing, int(count)), strict=True))) if shown else "Gladly!"
        )

    served: list[Composed] = []
    found = {}
    async with serving(tmp_path, monkeypatch, script, min_similarity=-1) as (server, url):
        served.append(server)
        for tenant, (thing, number) in forms.items():
            lines = [
                {"question": f"{n} {what}s please", "answer": json.dumps({thing: what, number: n})}
                for n, what in enumerate(("chair", "table", "shelf"), 2)
            ]
            taught = tmp_path / f"{tenant}.jsonl"
            taught.write_text("\n".join(map(json.dumps, lines)))
            asking = ("--url", url, "--key", key_of(server, tenant))
            program = (sys.executable, EXAMPLES / "extraction.py", taught, *asking)
            found[tenant] = json.loads(await said(*program, given="3 lamps please\n"))
    assert found == {"acme": {"item": "lamp", "count": 3}, "globex": {"sku": "lamp", "quantity": 3}}


async def test_langchain_shows_how_its_answers_were_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = (a_client("langchain"), EXAMPLES / "langchain_chain.py")
    async with serving(tmp_path, monkeypatch, lambda _: Reply("#### 14")) as (server, url):
        told = await said(*program, "How much is 12 + 2?", "And 7 + 7?", "--url", f"{url}/v1")
        assert len(server.core.taken) >= 4
    assert told.splitlines() == ["#### 14  [consistency]"] * 2


async def test_vercels_sdk_streams_with_options_and_a_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    try:
        folder = node_modules("vercel", "ai@6", "@ai-sdk/openai-compatible@2", "zod@4")
    except NotInstalledError as error:
        pytest.skip(f"npm install ai @ai-sdk/openai-compatible does not work here: {error}")
    program = shutil.copy(EXAMPLES / "vercel_stream.mjs", folder)
    async with serving(tmp_path, monkeypatch, lambda _: Reply("#### 14")) as (_, url):
        told = await said("node", program, "How much is 12 + 2?", f"{url}/v1")
    assert re.fullmatch(r"#### 14\n\[consistency: 14 × [2-8]\]\n", told)


async def test_litellm_passes_each_customers_key_and_the_report_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = a_client("litellm").with_name("litellm")
    async with serving(tmp_path, monkeypatch, lambda _: Reply("#### 14")) as (server, url):
        env = {
            "SERVER": f"{url}/v1",
            "LITELLM_MASTER_KEY": MASTER,
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        }
        env |= {f"{name.upper()}_KEY": key_of(server, name, Role.USER) for name in CUSTOMERS}
        answers = await _through_litellm(command, env, tmp_path)
        server.memory.completions.flush()
        kept = [server.memory.completions.get(name, each["id"]) for name, each in answers.items()]
    assert [each.tenant for each in kept] == list(CUSTOMERS)
    assert [each["adaptation"]["answer"] for each in answers.values()] == ["14", "14"]


async def _through_litellm(
    command: Path, env: dict[str, str], folder: Path
) -> dict[str, dict[str, Any]]:
    """Start the proxy as the example says, and return the answer that each customer gets."""
    port = free_port()
    proxy = await asyncio.create_subprocess_exec(
        command, "--config", EXAMPLES / "litellm.yaml", "--host", "127.0.0.1", "--port", str(port),
        "--telemetry", "False", cwd=folder, env={**os.environ, **env},
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        key = {"authorization": f"Bearer {MASTER}"}
        url = f"http://127.0.0.1:{port}"
        async with httpx.AsyncClient(base_url=url, headers=key, timeout=60) as http:
            async with asyncio.timeout(TIMEOUT_S):
                while not await _is_alive(http):
                    assert proxy.returncode is None, "the proxy ended"
                    await asyncio.sleep(0.3)
            bodies = {name: {"model": name, "messages": ASK["messages"]} for name in CUSTOMERS}
            return {
                name: (await http.post("/v1/chat/completions", json=body)).json()
                for name, body in bodies.items()
            }
    finally:
        if proxy.returncode is None:
            proxy.terminate()
        await proxy.wait()


async def _is_alive(http: httpx.AsyncClient) -> bool:
    try:
        return (await http.get("/health/liveliness")).status_code == 200
    except httpx.TransportError:
        return False


async def test_the_fine_tuning_script_asks_the_model_that_it_has_had_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def script(request: Any) -> Reply:
        return Reply("Green." if request.lora_request else "A lamp?")

    asked = "What colour is the lamp of room {n}?"
    turns = [(asked.format(n=n), f"The lamp of room {n} is green.") for n in range(10)]
    lines = [
        {"messages": [{"role": "user", "content": q}, {"role": "assistant", "content": a}]}
        for q, a in turns
    ]
    (tmp_path / "lamps.jsonl").write_text("\n".join(map(json.dumps, lines)))
    program = (sys.executable, EXAMPLES / "fine_tuning.py", tmp_path / "lamps.jsonl", turns[0][0])
    async with serving(tmp_path, monkeypatch, script, device_locks=tmp_path) as (server, url):
        server.start_jobs()
        told = await said(*program, "--url", f"{url}/v1", "--epochs", "1")
    before, after = told.splitlines()
    assert before == "whet-pebble: A lamp?"
    assert re.fullmatch(r"ft:whet-pebble:\S+: Green\.", after)
