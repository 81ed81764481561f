#!/usr/bin/env bash
# Ray 2.60.0: once the connection of Ray's client (`ray.init("ray://…")`) is lost, `await` on a call
# stops the whole event loop for as long as the client tries to get the connection back, 30 seconds
# by default.
#
# The id of what a call returns comes from the server, and `ObjectRef.__await__` waits for it with a
# lock and not by the loop (`ClientObjectRef._wait_for_id`). So no other task runs, and no timeout
# expires. Where the server has ended the wait is in vain, since another one does not know the
# client. Later calls raise a bare `Exception`, which is no `RayError` and no `ConnectionError`.
#
# expected: `asyncio.timeout(2)` around a call ends it after 2 s
# seen:     the loop stands still until the client gives up; then a ConnectionError, and an
#           Exception for each further call
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "ray[client]==2.60.0"

cat >"$folder/check.py" <<'PYTHON'
import asyncio
import logging
import os
import socket
import subprocess
import sys
import time

TRIES_S = 8
os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_CLIENT_RECONNECT_GRACE_PERIOD": str(TRIES_S)}
os.environ |= {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}  # listen on 127.0.0.1
os.environ |= {"RAY_AUTH_MODE": "disabled", "RAY_raylet_start_wait_time_s": "240"}  # busy cores

import ray

logging.disable(logging.ERROR)
HEAD = """
import ray, sys
head = ray.init("local", num_cpus=1, include_dashboard=False, _temp_dir=sys.argv[1])
print(head.address_info["address"], flush=True)
sys.stdin.read()
"""


class Named:
    def name(self):
        return "actor"


async def ask(actor):
    """Return what became of a call, and after how long."""
    began = time.monotonic()
    try:
        async with asyncio.timeout(2):
            await actor.name.remote()
        became = "answered"
    except Exception as error:
        became = type(error).__name__
    return became, time.monotonic() - began


async def look(server):
    actor = ray.remote(Named).remote()
    await actor.name.remote()
    server.kill()
    await asyncio.sleep(1)
    return await ask(actor), await ask(actor)


head = subprocess.Popen(
    (sys.executable, "-c", HEAD, sys.argv[1]),
    stdin=subprocess.PIPE,
    stdout=subprocess.PIPE,
    stderr=subprocess.DEVNULL,
    text=True,
)
cluster = head.stdout.readline().strip()
with socket.create_server(("127.0.0.1", 0)) as free:
    port = str(free.getsockname()[1])
where = ("--address", cluster, "--host", "127.0.0.1", "--port", port, "--mode", "legacy")
server = subprocess.Popen(
    (sys.executable, "-m", "ray.util.client.server", *where),
    stdout=subprocess.DEVNULL,
    stderr=subprocess.DEVNULL,
)
try:
    ray.init(f"ray://127.0.0.1:{port}", log_to_driver=False)
    (first, took_s), (second, _) = asyncio.run(look(server))
finally:
    server.kill()
    server.wait()
    head.communicate()
print(f"ray {ray.__version__}, a client that tries for {TRIES_S} s")
print("expected: TimeoutError after 2 s")
print(f"seen:     {first} after {took_s:.0f} s, then {second}", flush=True)
# Ray's own end would wait for the connection once more.
os._exit(0 if took_s > 4 and second == "Exception" else 1)
PYTHON
mkdir "$folder/ray"
"$folder/venv/bin/python" -W ignore "$folder/check.py" "$folder/ray"
