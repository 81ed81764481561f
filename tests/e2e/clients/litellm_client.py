"""What LiteLLM's proxy passes on for two customers, as JSON: `python litellm_client.py URL`.

`ACME_KEY` and `GLOBEX_KEY` are their keys; globex may ask once in a minute.
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import httpx
from openai import OpenAI, RateLimitError

MODEL, LIMITED, KEY = "acme", "globex", "sk-none"
STORY = "Tom has 12 apples. He buys 7 more and gives 5 away. How many apples does Tom have?"
WEATHER = {
    "name": "get_weather",
    "description": "Tell the weather.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    },
}
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
}
START_S = 240


def served(url: str, customer: str) -> dict:
    """Return a customer's deployment: the server, with a key of its own."""
    key = f"os.environ/{customer.upper()}_KEY"
    return {"model": "openai/whet-pebble", "api_base": f"{url}/v1", "api_key": key}


@contextmanager
def proxy(url: str):
    """Run the proxy before the server, as its users do; yield its URL."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = {
        "model_list": [
            {"model_name": n, "litellm_params": served(url, n)} for n in (MODEL, LIMITED)
        ],
        "router_settings": {"num_retries": 0},
    }
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "config.yaml")
        config.write_text(json.dumps(settings), "utf-8")  # JSON is YAML
        command = [Path(sys.executable).with_name("litellm"), "--config", config]
        command += ["--host", "127.0.0.1", "--port", str(port), "--telemetry", "False"]
        process = subprocess.Popen(
            list(map(str, command)), stdout=sys.stderr, stderr=sys.stderr, cwd=folder,
            env={**os.environ, "LITELLM_MASTER_KEY": KEY, "LITELLM_LOCAL_MODEL_COST_MAP": "True"},
        )  # fmt: skip
        try:
            wait_for(f"http://127.0.0.1:{port}", process)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.terminate()
            process.wait(60)


def wait_for(url: str, process: subprocess.Popen) -> None:
    """Return when the proxy answers."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"{url}/health/liveliness").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.3)
    sys.exit("the proxy does not answer")


def strategy(shown) -> str | None:
    """Return the strategy that the report in `shown` names, if there is one."""
    report = (shown.model_extra or {}).get("adaptation")
    return report["strategy"] if report else None


def ask(client: OpenAI, question: str, model: str = MODEL, **more):
    """Ask one question."""
    messages = [{"role": "user", "content": question}]
    return client.chat.completions.create(model=model, messages=messages, **more)


def customers(client: OpenAI, completion_id: str) -> dict:
    """Correct an answer of acme's, and see what either customer is told afterwards."""

    def told(customer: str, path: str, **body) -> int:
        key = os.environ[f"{customer.upper()}_KEY"]
        asking = {"headers": {"Authorization": f"Bearer {key}"}, "timeout": 60}
        url = f"{sys.argv[1]}{path}"
        return (
            httpx.post(url, json=body, **asking) if body else httpx.get(url, **asking)
        ).status_code

    word = {"completion_id": completion_id, "verdict": "incorrect", "answer": "99"}
    statuses = {
        who: [told(who, f"/v1/reports/{completion_id}"), told(who, "/v1/feedback", **word)]
        for who in (LIMITED, MODEL)
    }
    return {
        "statuses": statuses,
        "acme": ask(client, STORY).choices[0].message.content,
        "globex": ask(client, STORY, LIMITED).choices[0].message.content,
        "limited": refusal(client),
        "unlimited": ask(client, STORY).choices[0].message.content,
    }


def refusal(client: OpenAI) -> str | None:
    """Ask as globex until that is too much."""
    for _ in range(3):
        try:
            ask(client, STORY, LIMITED)
        except RateLimitError as error:
            return str(error)
    return None


with proxy(sys.argv[1]) as url:
    client = OpenAI(base_url=url, api_key=KEY, max_retries=0)
    raw = client.chat.completions.with_raw_response.create(
        model=MODEL, messages=[{"role": "user", "content": STORY}]
    )
    whole = raw.parse()
    chunks = list(ask(client, STORY, stream=True))
    tools = [{"type": "function", "function": WEATHER}]
    calls = ask(client, "What is the weather in Paris?", tools=tools).choices[0].message.tool_calls
    person = ask(
        client,
        "Reply in JSON with keys name and age: Tom is 12.",
        response_format={
            "type": "json_schema",
            "json_schema": {"name": "person", "schema": PERSON},
        },
    )
    deltas = [c.choices[0].delta.content or "" for c in chunks if c.choices]
    found = {
        "text": whole.choices[0].message.content,
        "id": whole.id,
        "streamed": "".join(deltas),
        "pieces": sum(map(bool, deltas)),
        "calls": [
            {"name": c.function.name, "args": json.loads(c.function.arguments)} for c in calls
        ],
        "person": json.loads(person.choices[0].message.content),
        "headers": sorted(h for h in raw.headers if "whet" in h or "x-request-id" in h),
        "stream_ids": sorted({chunk.id for chunk in chunks}),
        "customers": customers(client, whole.id),
        "report": {
            "whole": strategy(whole),
            "chunks": next(filter(None, map(strategy, reversed(chunks))), None),
        },
    }
print(json.dumps(found))
