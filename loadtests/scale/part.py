"""The command line that the parts share: `python -m loadtests.scale.NAME --out FILE`.

A part measures, prints its table, and writes `Result.as_json()` into FILE. `python -m
loadtests.scale` reads nothing else of it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from loadtests import arguments
from loadtests.measure import table
from loadtests.measure.result import Result
from server.server_process import ServerFailedError, ended_in_order
from server.terminal import write_json


def run(
    name: str,
    about: str | None,
    measure: Callable[[argparse.Namespace], Result],
    argv: Sequence[str] | None = None,
    add: Callable[[argparse.ArgumentParser], object] = lambda _: None,
    module: str | None = None,
) -> int:
    """Measure, print, keep; 0 unless something broke, whatever became of the targets.

    `add` gives the parser flags of the part's own, `module` is named where it is not
    `scale.NAME`. `args.quick` asks for a short run.
    """
    parser = arguments.parser(module or f"scale.{name}", about, "")
    parser.add_argument("--out", type=Path, help="file of figures (default: none)")
    parser.add_argument("--quick", action="store_true", help="a short run, for a look")
    add(parser)
    args = parser.parse_args(argv)
    try:
        with ended_in_order():
            result = measure(args)
    except KeyboardInterrupt:
        return 130
    except (ServerFailedError, RuntimeError, OSError) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 1
    print(table.whole(result))
    if args.out:
        write_json(result.as_json(), str(args.out))
    return 0
