"""What LiteLLM's proxy passes on: `python litellm_client.py URL` prints it as JSON."""

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
from openai import OpenAI

MODEL, KEY = "whet", "sk-none"
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
START_S = 120


@contextmanager
def proxy(url: str):
    """Run the proxy before the server, as its users do; yield its URL."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    served = {"model": "openai/whet-pebble", "api_base": f"{url}/v1", "api_key": "none"}
    settings = {"model_list": [{"model_name": MODEL, "litellm_params": served}]}
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


def ask(client: OpenAI, question: str, **more):
    """Ask one question."""
    messages = [{"role": "user", "content": question}]
    return client.chat.completions.create(model=MODEL, messages=messages, **more)


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
        "report": {
            "whole": strategy(whole),
            "chunks": next(filter(None, map(strategy, reversed(chunks))), None),
        },
    }
print(json.dumps(found))
