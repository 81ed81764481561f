"""`make fuzz`: every parser of what others send, put bytes that nobody would send.

A target may refuse its bytes in its own words only: any other exception, a 5xx or a broken promise
is a fault, and its input is kept in results/fuzz. `make test` puts a few hundred to each target.
"""

from __future__ import annotations

import logging
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from loadtests import arguments
from loadtests.fuzz.targets import TARGETS
from server.server_process import ROOT

EXAMPLES = """\
examples:
  make fuzz                                             a minute for each target
  make fuzz ARGS="--seconds 600 --only lines"           ten minutes for one
  python -m loadtests.fuzz --only lines --input FILE    a fault once more
"""
KEPT = ROOT / "results" / "fuzz"


def main() -> int:
    """Fuzz each target in a process of its own; 1 where one has a fault."""
    parser = arguments.parser("fuzz", __doc__, EXAMPLES)
    parser.add_argument(
        "--only", choices=TARGETS, action="append", help="a target; may be repeated"
    )
    parser.add_argument("--seconds", type=int, default=60, help="for each (default: 60)")
    parser.add_argument("--input", type=Path, help="put this file to the target, and nothing else")
    args = parser.parse_args()
    names = args.only or list(TARGETS)
    logging.disable()
    if args.input:
        for name in names:
            TARGETS[name](args.input.read_bytes())
        return 0
    if find_spec("atheris") is None:
        raise SystemExit(
            "atheris is missing: pip install 'whet[fuzz]' (Linux, Python 3.11 to 3.13)"
        )
    return max([_in_a_process(name, args.seconds) for name in names])


def _in_a_process(name: str, seconds: int) -> int:
    """libFuzzer ends its process at the first fault."""
    command = [sys.executable, "-m", "loadtests.fuzz.inside", name, str(seconds), str(KEPT)]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, errors="replace")
    lines = done.stderr.splitlines()
    runs = next((line for line in lines if line.startswith("Done ")), "it ended early")
    print(f"{name:<10} {'no fault' if done.returncode == 0 else 'FAULT':<9} {runs}", flush=True)
    if done.returncode:
        print("\n".join(lines[-40:]), flush=True)
    return min(1, abs(done.returncode))


if __name__ == "__main__":
    sys.exit(main())
