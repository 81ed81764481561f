"""Other people's clients, unmodified, against a real server: what they return, by value."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from loadtests.environment import NotInstalledError, node_modules
from tests.e2e.apart import interpreter
from tests.e2e.running import Running

HERE = Path(__file__).parent
PERSON = {"name": "Tom", "age": 12}


def printed(command: Sequence[str | Path], url: str) -> dict[str, Any]:
    """Run a client and return the JSON it prints last."""
    ended = subprocess.run(
        [*map(str, command), url], capture_output=True, text=True, timeout=300, check=False
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    found: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return found


def python_client(name: str) -> list[Path]:
    return [installed(name), HERE / "clients" / f"{name}_client.py"]


def installed(name: str) -> Path:
    try:
        return interpreter(name)
    except NotInstalledError as error:
        pytest.skip(f"it cannot be installed here: {error}")


@pytest.mark.parametrize("name", ["openai-2", "openai-3"])
def test_each_major_version_of_openais_client_finds_the_contract_kept(
    name: str, server: Running
) -> None:
    """The tests of `test_contract.py`, run by an interpreter that has this version."""
    python = installed(name)
    tests = str(HERE / "test_contract.py")
    ended = subprocess.run(
        [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", tests],
        capture_output=True, text=True, timeout=400, check=False, cwd=HERE.parents[1],
        env={**os.environ, "WHET_TEST_URL": server.url},
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout[-4000:] + ended.stderr[-1000:]
    assert "failed" not in ended.stdout
    found = printed([python, HERE / "clients" / "openai_client.py"], server.url)
    assert found["text"].endswith("#### 14")
    assert found["status"] == "completed"
    shown = ("whole", "chunks", "stream_events", "response", "response_events")
    seen = dict.fromkeys([*shown, "response_gathered"], "consistency")
    assert found["report"] == {**seen, "stream_gathered": None}


def test_langchain(server: Running) -> None:
    found = printed(python_client("langchain"), server.url)
    assert found["text"].endswith("#### 14")
    assert found["streamed"].endswith("#### 14")
    assert found["pieces"] > 5
    assert found["usage"]["output_tokens"] > found["usage"]["output_token_details"]["reasoning"] > 0
    assert found["streamed_usage"]["output_tokens"] > 0
    assert found["calls"] == [{"name": "get_weather", "args": {"city": "Paris"}}]
    assert found["person"] == PERSON
    assert found["batch"][0].endswith("#### 14")
    assert found["batch"][1].endswith("#### 5")
    assert found["dimensions"] == [384, 384]
    assert found["report"].pop("id").startswith("chatcmpl-")
    headers = dict.fromkeys(("headers", "stream_headers"), "consistency")
    assert found["report"] == {"whole": False, "pieces": False, **headers}


def test_pydantic_ai(server: Running) -> None:
    found = printed(python_client("pydantic_ai"), server.url)
    assert found["text"].endswith("#### 14")
    assert found["streamed"].endswith("#### 14")
    assert found["pieces"] > 5
    assert found["output_tokens"] > 20
    assert found["person"] == PERSON
    assert found["asked"][0] == "Paris"
    assert found["calls"][0] == "get_weather"
    assert found["told"]
    assert found["report"].pop("id").startswith("chatcmpl-")
    assert found["report"] == {"whole": False, "pieces": False, "headers": "consistency"}


def test_instructor(server: Running) -> None:
    found = printed(python_client("instructor"), server.url)
    assert found.pop("request_id").startswith("req_")
    assert found.pop("streamed") == found.pop("person") == PERSON
    told = {"strategy": "consistency", "streamed_headers": "consistency"}
    assert found == {**told, "streamed_report": False}


def test_llama_index(server: Running) -> None:
    found = printed(python_client("llama_index"), server.url)
    assert found["text"].endswith("#### 14")
    assert found["streamed"].endswith("#### 14")
    assert found["pieces"] > 5
    assert found["calls"] == [{"name": "get_weather", "args": {"city": "Paris"}}]
    assert found["person"] == PERSON
    seen = ("whole", "pieces", "headers")
    assert found["report"] == dict.fromkeys(seen, "consistency")
    assert found["request_id"].startswith("req_")


def test_vercel_ai_sdk(server: Running) -> None:
    try:
        folder = node_modules("vercel", "ai@6", "@ai-sdk/openai-compatible@2", "zod@4")
    except NotInstalledError as error:
        pytest.skip(f"the Vercel AI SDK cannot be installed here: {error}")
    script = folder / "vercel.mjs"
    script.write_text((HERE / "clients" / "vercel.mjs").read_text("utf-8"), "utf-8")
    found = printed(["node", script], server.url)
    assert found["text"].endswith("#### 14")
    assert found["finishReason"] == "stop"
    assert found["streamed"].endswith("#### 14")
    assert found["pieces"] > 5
    assert found["outputTokens"] > 20
    assert found["streamedTokens"] > 20
    assert found["object"] == PERSON
    weather = [{"name": "get_weather", "input": {"city": "Paris"}}]
    assert found["calls"] == found["streamedCalls"] == weather
    assert found["callFinish"] == "tool-calls"
    assert found["report"].pop("id").startswith("chatcmpl-")
    seen = ("whole", "pieces", "headers", "streamHeaders")
    assert found["report"] == {**dict.fromkeys(seen, "consistency"), "gathered": False}
    assert found["dimensions"] == [384, 384]
