"""`python -m tests.adaptation.verifiers.tries [KIND …]`: every try, counted by kind."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from tests.adaptation.verifiers.tries.running import every_try, run_all, table
from tests.adaptation.verifiers.tries.surroundings import surroundings


def main() -> int:
    """Say what came of the tries; 1 where one succeeded."""
    with tempfile.TemporaryDirectory() as folder, surroundings(Path(folder)) as world:
        tries = [t for t in every_try(world.around) if not sys.argv[1:] or t.kind in sys.argv[1:]]
        outcomes = asyncio.run(run_all(tries, world))
        left = world.left_behind()
    for outcome in outcomes:
        if outcome.escaped or outcome.accepted:
            print(outcome)
    print(table(outcomes), f"\nprocesses left: {len(left)}")
    return any(outcome.escaped or outcome.accepted for outcome in outcomes) or bool(left)


if __name__ == "__main__":
    sys.exit(main())
