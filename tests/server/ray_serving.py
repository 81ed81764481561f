"""Whet in Ray Serve on a cluster, by a process: `ray_serving ADDRESS PORT FOLDER`.

Says `ready` once it serves under `/whet`, and ends all of it with stdin. A process of its own,
since Ray reads its environment when it is imported, and takes signals for itself. Each replica is
a server on a scripted engine, with its data in the folder.
"""

from __future__ import annotations

import sys

import ray
from ray import serve

from server.ray_serve import deployed
from server.server_process import Launch

SCRIPTED = Launch("whet", ("tests.server.replicas.scripted",), "/ready")


def main() -> None:
    """Serve until stdin ends."""
    address, port, folder = sys.argv[1:]
    # As `serve run` gives what stands after it: words by their names.
    asked = {"data_dirs": folder, "flags": "--embedder hashing --train-steps 0", "gpus": "0"}
    ray.init(address, log_to_driver=False, logging_level="ERROR")
    serve.start(http_options={"host": "127.0.0.1", "port": int(port)})
    serve.run(deployed(asked, SCRIPTED), route_prefix="/whet")
    print("ready", flush=True)
    sys.stdin.read()
    serve.shutdown()
    ray.shutdown()


if __name__ == "__main__":
    main()
