"""Ray nodes on this machine, in a process of their own: `ray_nodes FOLDER`.

Says the address of its head, which has no cores. Then reads one command a line and answers each by
`done`: `add` (a node of one core), `remove` (the last one, at once), `end` (the head, and all the
rest). Everything ends with stdin. All of it listens on 127.0.0.1.
"""

from __future__ import annotations

import os
import random
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from adaptation.learning.ray.cluster import OWN, QUIET

AGENTS = (
    *("runtime_env_agent_port", "dashboard_agent_listen_port"),
    *("metrics_agent_port", "metrics_export_port"),
)
PORTS = range(20_000, 32_768)
"""None that Linux gives out by itself: it gave one out twice before an agent listened there."""
STORE_BYTES = 100 * 2**20


def is_free(port: int) -> bool:
    """Whether nobody listens there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def promised(start: Callable[..., None]) -> Callable[..., None]:
    """Have a node know its agents' ports before these say them.

    Ray 2.60 gives an agent fifteen seconds to import itself, on whatever busy cores, and then ends
    the node (`WaitForDashboardAgentPorts`).
    """
    from ray._raylet import get_port_filename

    ports = iter(random.sample(PORTS, len(PORTS)))

    def start_raylet(self: Any, *given: Any, **named: Any) -> None:
        for name in AGENTS:
            port = next(filter(is_free, ports))
            setattr(self._ray_params, name, port)
            file = get_port_filename(self._node_id, name)
            Path(self._session_dir, file).write_text(str(port))
        start(self, *given, **named)

    return start_raylet


def main() -> None:
    """Serve until stdin ends."""
    folder = sys.argv[1]
    # Ray 2.60 writes a cluster's address below this folder, wherever its files are, and makes none.
    Path(folder, "ray").mkdir()
    os.environ.update({**QUIET, **OWN, "RAY_AUTH_MODE": "disabled", "RAY_TMPDIR": folder})
    from ray._private.node import Node
    from ray.cluster_utils import Cluster

    # The dashboard's process is there without a dashboard too, and takes seconds to import.
    Node.start_api_server = lambda self, **_: None
    Node.start_raylet = promised(Node.start_raylet)
    node: dict[str, Any] = {"object_store_memory": STORE_BYTES, "include_log_monitor": False}
    head = {**node, "num_cpus": 0, "no_monitor": True, "temp_dir": folder}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    nodes: list[Any] = []
    print(cluster.address, flush=True)
    for line in sys.stdin:
        if line.strip() == "add":
            nodes.append(cluster.add_node(num_cpus=1, **node))
        elif line.strip() == "remove":
            cluster.remove_node(nodes.pop(), allow_graceful=False)
        else:
            cluster.shutdown()
        print("done", flush=True)
    cluster.shutdown()


if __name__ == "__main__":
    main()
