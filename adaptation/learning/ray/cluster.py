"""The cluster that the driver joins, or makes; one of two modules that import Ray.

A cluster of one's own listens on 127.0.0.1 alone, behind a token that nobody else has, and ends
with the process that made it. Ray's usage statistics are off.
"""

from __future__ import annotations

import logging
import os
import re
import secrets
import socket
from typing import Any

from adaptation.errors import TrainerError
from adaptation.learning.ray.placement import LOCAL

QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DISABLE_IMPORT_WARNING": "1",
    "RAY_DEDUP_LOGS": "0",
}
OWN = {
    # Ray takes 127.0.0.1 for the address that others reach this host by, and listens everywhere;
    # with this, which is what it does on macOS, it stays there (`services.get_node_ip_address`).
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_AUTH_MODE": "token",
    # Ray has its workers give way to everything else, the engine included: 15, of 19.
    "RAY_worker_niceness": "0",
    # Busy cores: the node waits for its helpers, each of which is seconds of imports.
    "RAY_raylet_start_wait_time_s": "240",
}
CLIENT = {
    # Ray's client tries for 30 s to get a lost connection back, in which whatever is asked of it
    # blocks; a server that has ended has forgotten the client, so that is in vain.
    "RAY_CLIENT_RECONNECT_GRACE_PERIOD": "0",
}
STORE_BYTES = 512 * 2**20
"""Of the object store of one's own cluster: adapters pass through it, and nothing stays."""
PROBE_S = 5.0
MOST_SAID = 300
"""Letters of a reason of Ray's that are passed on."""
ADDRESS = re.compile(r"(?:ray://)?(?P<host>\[.+\]|[^:/]+):(?P<port>\d+)")


def connect(address: str, folder: str) -> None:
    """Join the cluster at `address`, or make one with its files in `folder`.

    Raises `TrainerError` that says what to do. To be called by the main thread: on Linux the
    cluster's processes end with the thread that started them.
    """
    os.environ.update({**CLIENT, **os.environ, **QUIET})
    if address == LOCAL:
        os.environ.update(OWN, RAY_AUTH_TOKEN=secrets.token_hex(32))
    try:
        import ray
    except ImportError as error:
        raise TrainerError('Ray is not installed: pip install "whet[ray]"') from error
    # Its threads log what a lost connection raised; whoever asks is told.
    logging.getLogger("ray.util.client").setLevel(logging.CRITICAL)
    more: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    if address == LOCAL:
        more |= {"object_store_memory": STORE_BYTES, "_temp_dir": folder}
        more |= {"include_dashboard": False}
    else:
        probe(address)
    try:
        ray.init(address, **more)
    except Exception as error:
        raise TrainerError(_unreachable(address, str(error))) from error


def probe(address: str) -> None:
    """Raise `TrainerError` where nobody listens: Ray itself takes a minute to say so."""
    if (found := ADDRESS.fullmatch(address)) is None:
        return
    host, port = found["host"].strip("[]"), int(found["port"])
    try:
        socket.create_connection((host, port), timeout=PROBE_S).close()
    except OSError as error:
        raise TrainerError(_unreachable(address, error.strerror or str(error))) from error


def _unreachable(address: str, why: str) -> str:
    said = in_short(why)
    if address == LOCAL:
        return f"Ray cannot start on this machine: {said}"
    return (
        f"no Ray cluster is reached at {address} ({said}): "
        "start its head, or give another --ray-address"
    )


def in_short(why: str) -> str:
    """Return a reason of Ray's in one line."""
    return " ".join(why.split())[:MOST_SAID]


def cluster_gpus() -> float:
    """Return how many accelerators the cluster has."""
    import ray

    return float(ray.cluster_resources().get("GPU", 0))
