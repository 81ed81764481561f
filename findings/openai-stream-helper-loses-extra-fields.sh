#!/usr/bin/env bash
# openai 3.57.0 (Python): the helper `client.chat.completions.stream()` builds a final completion that
# keeps the extra fields of the first chunk only.
#
# The SDK keeps fields that it does not know (`model_extra`), and servers use them: vLLM's
# `stop_reason` of a choice is one, and so is what a server reports of its work in the last chunk.
#
# expected: the final completion has the extra fields that the chunks had, as each chunk of
#           `create(stream=True)` has them, or has none
# seen:     one that the first chunk brings stays; one that a later chunk brings is lost, at the top
#           as well as in a choice; of a changing one the first, outdated value stays. Extra fields of
#           a delta are kept from every chunk.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "openai==3.57.0"

cat >"$folder/check.py" <<'PYTHON'
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import openai

CHUNKS = [  # (fields at the top, fields of the choice, delta)
    ({"early": 1, "state": "begun"}, {}, {"role": "assistant", "content": ""}),
    ({}, {}, {"content": "Good", "thoughts": "polite"}),
    ({"late": 2, "state": "done"}, {"stop_reason": 7, "finish_reason": "stop"}, {"content": " day"}),
]


class Server(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        text = ""
        for top, of_choice, delta in CHUNKS:
            choice = {"index": 0, "finish_reason": None, **of_choice, "delta": delta}
            chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "tiny"}
            text += f"data: {json.dumps({**chunk, 'choices': [choice], **top})}\n\n"
        text += "data: [DONE]\n\n"
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())


server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
client = openai.OpenAI(base_url=f"http://127.0.0.1:{server.server_port}/v1", api_key="none")
question = {"model": "tiny", "messages": [{"role": "user", "content": "Hello"}]}

top, of_choices = {}, {}
for chunk in client.chat.completions.create(**question, stream=True):
    top |= chunk.model_extra
    of_choices |= chunk.choices[0].model_extra
with client.chat.completions.stream(**question) as stream:
    final = stream.get_final_completion()
choice = final.choices[0]
seen = (final.model_extra, choice.model_extra, choice.message.model_extra)

print(f"openai {openai.__version__}")
print(f"expected: what the chunks of create(stream=True) bring: {top}, choice {of_choices}")
print(f"seen:     the final completion of stream() has {seen[0]}, choice {seen[1]}")
print(f"          its message has {seen[2]}")
assert choice.message.content == "Good day" and choice.finish_reason == "stop"
assert top == {"early": 1, "late": 2, "state": "done"} and of_choices == {"stop_reason": 7}
at_the_top, of_the_choice, of_the_message = seen
if (
    at_the_top != {"early": 1, "state": "begun"}
    or "stop_reason" in of_the_choice
    or of_the_message.get("thoughts") != "polite"
):
    sys.exit("the behaviour has changed")
PYTHON
"$folder/venv/bin/python" "$folder/check.py"
