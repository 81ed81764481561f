#!/usr/bin/env bash
# Ray 2.60.0: `ray.cluster_utils.Cluster`, which tests start several nodes with, cannot start in a
# folder of its own (`temp_dir`) on a machine where no Ray has run.
#
# Everything of the cluster is written below `temp_dir`. Then the address is written into the default
# folder (`/tmp/ray`, or `ray` below RAY_TMPDIR), which nothing has made. So tests pass on machines
# where another Ray has run since the last start, and fail on fresh ones, such as those of CI.
#
# expected: the head starts
# seen:     FileNotFoundError for ray_current_cluster; once the empty folder is there, it starts
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "ray==2.60.0"

cat >"$folder/check.py" <<'PYTHON'
import logging
import os
import sys
from pathlib import Path

unused, used = (Path(name) for name in sys.argv[1:])
# Where there is no RAY_TMPDIR the same happens with /tmp/ray.
os.environ |= {"RAY_TMPDIR": str(unused), "RAY_USAGE_STATS_ENABLED": "0"}
os.environ |= {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}  # listen on 127.0.0.1

import ray
from ray.cluster_utils import Cluster

logging.disable(logging.ERROR)


def started():
    """Return what became of a head whose files lie in `used`."""
    try:
        cluster = Cluster(
            initialize_head=True,
            head_node_args={"num_cpus": 1, "include_dashboard": False, "temp_dir": str(used)},
        )
    except FileNotFoundError as error:
        return f"FileNotFoundError: {Path(error.filename).relative_to(unused)}"
    cluster.shutdown()
    return "started"


print(f"ray {ray.__version__}")
print("expected: started, started")
found = [started()]
(unused / "ray").mkdir()
found.append(started())
print(f"seen:     {', '.join(found)}")
if found != ["FileNotFoundError: ray/ray_current_cluster", "started"]:
    sys.exit("the behaviour has changed")
PYTHON
mkdir "$folder/a" "$folder/b"
"$folder/venv/bin/python" "$folder/check.py" "$folder/a" "$folder/b"
