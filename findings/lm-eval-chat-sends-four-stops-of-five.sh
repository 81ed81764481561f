#!/usr/bin/env bash
# lm-eval 0.4.13: `local-chat-completions` sends the first four stop sequences of a task, and says
# nothing of the others.
#
# OpenAI allows four; servers that are evaluated locally (vLLM, llama.cpp and others) take any number.
# The harness does not stop at the missing ones itself either, so an answer runs past them into the
# score. `local-completions` sends them all.
#
# expected: five stops in a task's `until` are sent, or the harness says which are left out
# seen:     four are sent; the fifth, where the made-up model goes on to the next question, is not,
#           and an answer that would have been right is scored wrong. No warning names it.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "lm-eval[api]==0.4.13"

cat >"$folder/check.py" <<'PYTHON'
import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from pathlib import Path

FOLDER = Path(sys.argv[1])
STOPS = ["END", "User:", "###", "</s>", "Question:"]
TASK = f"""task: five_stops
dataset_path: json
dataset_kwargs: {{data_files: {{test: {FOLDER}/questions.jsonl}}}}
test_split: test
output_type: generate_until
doc_to_text: "{{{{question}}}}"
doc_to_target: "{{{{answer}}}}"
generation_kwargs: {{until: {json.dumps(STOPS)}, max_gen_toks: 32}}
metric_list: [{{metric: exact_match, aggregation: mean, higher_is_better: true}}]
"""
asked = []


class Server(BaseHTTPRequestHandler):
    """Says a text, and stops it where it is asked to, as a server does."""

    def log_message(self, *_):
        pass

    def do_POST(self):
        asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        text = "4Question: what is 3 + 3?"
        for stop in asked[-1].get("stop") or []:
            text = text.split(stop)[0]
        message = {"role": "assistant", "content": text}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        body = {"id": "c", "object": "chat.completion", "created": 1, "model": "tiny"}
        data = json.dumps({**body, "choices": [choice]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
(FOLDER / "five_stops.yaml").write_text(TASK)
(FOLDER / "questions.jsonl").write_text('{"question": "What is 2 + 2?", "answer": "4"}\n')
url = f"http://127.0.0.1:{server.server_port}/v1/chat/completions"


def score(*more):
    command = [Path(sys.executable).with_name("lm_eval"), "--model", "local-chat-completions"]
    command += ["--model_args", f"base_url={url},model=tiny", "--include_path", FOLDER]
    command += ["--tasks", "five_stops", "--apply_chat_template", "--output_path", FOLDER / "out"]
    ran = subprocess.run(
        [*map(str, command), *more], capture_output=True, text=True, timeout=600, cwd=FOLDER,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(FOLDER), "OPENAI_API_KEY": "none"},
    )  # fmt: skip
    if ran.returncode:
        sys.exit(ran.stderr[-3000:])
    newest = max((FOLDER / "out").rglob("results_*.json"), key=lambda path: path.stat().st_mtime_ns)
    return json.loads(newest.read_text())["results"]["five_stops"]["exact_match,none"], ran.stderr


five, log = score()
four, _ = score("--gen_kwargs", json.dumps({"until": STOPS[1:]}))
sent = [request["stop"] for request in asked]
named = [line for line in log.splitlines() if "WARNING" in line and STOPS[-1] in line]

print(f"lm-eval {version('lm-eval')}")
print(f"expected: all of {STOPS} are sent, and the score is 1.0")
print(f"seen:     {sent[0]} are sent, and the score is {five}; warnings that name the fifth: {len(named)}")
print(f"          with the last four of them alone: {sent[1]}, {four}")
if sent != [STOPS[:4], STOPS[1:]] or (five, four) != (0.0, 1.0) or named:
    sys.exit("the behaviour has changed")
PYTHON
"$folder/venv/bin/python" "$folder/check.py" "$folder"
