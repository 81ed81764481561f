"""Measure on this machine what the model needs to know: `python -m loadtests.simulate.calibrate`.

front: processor time of a request in front and database. memory: a record's commit and room.
trainer: its start, a step, an adapter. engine: its steps by the size of the batch; this part alone
starts vLLM. What is left out keeps the figures that the file has.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from loadtests import arguments
from loadtests.bench import machine
from loadtests.simulate import costs, of_engine, of_front, of_memory, of_trainer
from server.server_process import ServerFailedError, ended_in_order
from server.terminal import write_json

PARTS: dict[str, Callable[[], dict[str, Any]]] = {
    "front": of_front.measure,
    "memory": of_memory.measure,
    "trainer": of_trainer.measure,
    "engine": of_engine.measure,
}
EXAMPLES = """\
examples:
  python -m loadtests.simulate.calibrate                         two minutes on quiet cores
  python -m loadtests.simulate.calibrate --only front --out costs.json
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, and write after each part."""
    parser = arguments.parser("simulate.calibrate", __doc__, EXAMPLES)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--out", type=Path, default=costs.FILE, help=f"default: {costs.FILE.name}")
    args = parser.parse_args(argv)
    try:
        with ended_in_order():
            for name in args.only:
                _measure(name, args)
    except KeyboardInterrupt:
        return 130
    except (ServerFailedError, RuntimeError, OSError) as error:
        print(f"calibrate: {error}", file=sys.stderr)
        return 1
    return 0


def _measure(name: str, args: argparse.Namespace) -> None:
    known: dict[str, Any] = json.loads(args.out.read_text("utf-8")) if args.out.exists() else {}
    load = os.getloadavg()[0]
    found = {key: _as_json(value) for key, value in PARTS[name]().items()}
    when = {"on": f"{datetime.now(UTC):%Y-%m-%d}", "load_average": round(load, 1)}
    here = {key: value for key, value in machine().items() if key != "load_average"}
    known |= found | {"machine": here, "measured": {**known.get("measured", {}), name: when}}
    write_json(known, str(args.out))
    print(json.dumps({name: found}, indent=1))


def _as_json(value: Any) -> Any:
    if isinstance(value, costs.Spread):
        return value.model_dump()
    return {key: each.model_dump() for key, each in value.items()}


if __name__ == "__main__":
    sys.exit(main())
