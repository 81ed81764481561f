#!/usr/bin/env bash
# LiteLLM 1.108.7: its proxy passes a server's own top-level fields on in a whole answer, and drops
# them from every chunk of the same answer streamed.
#
# Many inference servers add a field of their own beside `choices`, and clients of OpenAI's API read
# it as an extra field. A server here, on 127.0.0.1, adds `report` to its answers: whole ones have
# it, and streamed ones have it in each chunk.
#
# expected: the proxy gives `report` to its client either way, or neither way
# seen:     `report` is in the whole answer and in no chunk of the stream. LiteLLM's own Python
#           client keeps it in both: what loses it is the proxy.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "litellm[proxy]==1.108.7"

cat >"$folder/check.py" <<'PYTHON'
import json
import os
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from pathlib import Path

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # no look-up of prices in the net

import httpx
import litellm

FOLDER = Path(sys.argv[1])
REPORT = {"votes": 8}
MESSAGES = [{"role": "user", "content": "Hello"}]


class Upstream(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        common = {"id": "c", "created": 1, "model": asked["model"], "report": REPORT}
        if asked.get("stream"):
            deltas = [{"role": "assistant", "content": "Good"}, {"content": " day"}, {}]
            kind, text = "text/event-stream", ""
            for delta in deltas:
                choice = {"index": 0, "delta": delta, "finish_reason": None if delta else "stop"}
                chunk = {**common, "object": "chat.completion.chunk", "choices": [choice]}
                text += f"data: {json.dumps(chunk)}\n\n"
            text += "data: [DONE]\n\n"
        else:
            message = {"role": "assistant", "content": "Good day"}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            usage = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
            kind = "application/json"
            text = json.dumps(
                {**common, "object": "chat.completion", "choices": [choice], "usage": usage}
            )
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())


def through_the_client(url):
    more = {"model": "openai/tiny", "api_base": url, "api_key": "none", "messages": MESSAGES}
    whole = litellm.completion(**more).model_dump().get("report") == REPORT
    stream = litellm.completion(**more, stream=True)
    return whole, any(chunk.model_dump().get("report") == REPORT for chunk in stream)


def through_the_proxy(url):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    model = {"model": "openai/tiny", "api_base": url, "api_key": "none"}
    config = FOLDER / "config.yaml"
    config.write_text(json.dumps({"model_list": [{"model_name": "tiny", "litellm_params": model}]}))
    command = [Path(sys.executable).with_name("litellm"), "--config", config]
    command += ["--host", "127.0.0.1", "--port", str(port), "--telemetry", "False"]
    with (FOLDER / "proxy.log").open("w") as log:
        proxy = subprocess.Popen(
            list(map(str, command)), stdout=log, stderr=log, cwd=FOLDER,
            env={**os.environ, "LITELLM_MASTER_KEY": "sk-none"},
        )  # fmt: skip
    try:
        with httpx.Client(
            base_url=f"http://127.0.0.1:{port}", headers={"Authorization": "Bearer sk-none"},
            timeout=60,
        ) as client:  # fmt: skip
            wait_for(client, proxy)
            route, body = "/v1/chat/completions", {"model": "tiny", "messages": MESSAGES}
            whole = client.post(route, json=body).raise_for_status().json()
            stream = client.post(route, json={**body, "stream": True}).raise_for_status().text
    finally:
        proxy.terminate()
        proxy.wait(60)
    lines = [line.removeprefix("data: ") for line in stream.splitlines() if line]
    chunks = [json.loads(line) for line in lines if line != "[DONE]"]
    text = "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks)
    assert text == "Good day", text
    return whole.get("report") == REPORT, any(chunk.get("report") == REPORT for chunk in chunks)


def wait_for(client, proxy):
    for _ in range(600):
        if proxy.poll() is not None:
            break
        try:
            if client.get("/health/liveliness").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.3)
    sys.exit("the proxy did not start:\n" + (FOLDER / "proxy.log").read_text()[-2000:])


upstream = ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
threading.Thread(target=upstream.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{upstream.server_port}/v1"
client, proxy = through_the_client(url), through_the_proxy(url)
print(f"litellm {version('litellm')}")
print("expected: the proxy passes the field `report` on in whole and in streamed answers alike")
print(f"seen, LiteLLM's client: whole answer {client[0]}, stream {client[1]}")
print(f"seen, LiteLLM's proxy:  whole answer {proxy[0]}, stream {proxy[1]}")
if client != (True, True) or proxy != (True, False):
    sys.exit("the behaviour has changed")
PYTHON
"$folder/venv/bin/python" "$folder/check.py" "$folder"
