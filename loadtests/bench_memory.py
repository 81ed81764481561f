"""`make bench-memory`: recall at a hundred thousand and at a million records of one tenant.

Beside it, in the same run and on the same vectors, mem0's FAISS store in an environment of its own,
and plain FAISS with a pickle; rounds take turns. Then what a commit, an import and a small tenant
cost. Each size has a database of its own in a temporary folder (about 4 GB for a million).
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
from rich.console import Console

from loadtests import arguments
from loadtests.environment import NotInstalledError
from loadtests.measure.memory import (
    TENANT,
    GivenVectors,
    Vectors,
    asked,
    draft,
    exact,
    question,
)
from loadtests.measure.prepared import prepare
from loadtests.memory_table import SMALL, Figures, Report, show
from loadtests.peers.vector_stores import Do, mem0, plain_faiss, timed
from memory.jsonl import import_lines
from memory.memory import LongTermMemory
from server.server_process import ROOT
from server.terminal import write_json

EXAMPLES = """\
examples:
  python -m loadtests.bench_memory                       docs/measured/memory.md: ten minutes, 8 GB
  python -m loadtests.bench_memory --quick               20,000 records, a minute
  python -m loadtests.bench_memory --sizes 100000 --no-peers
  python -m loadtests.bench_memory --sizes 1000000 --keep /var/tmp/bench   again in a minute
"""
K = 32
QUERIES = 100
PEERS_AT = 100_000
IMPORTED = 10_000
COMMITS = 30


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, keep."""
    args = _arguments(argv)
    console = Console(stderr=True, markup=False, highlight=False)
    report = Report([], [], [], [])
    try:
        for size in args.sizes:
            report.sizes.append(_measured(size, args, console, report))
        _small_things(args, console, report)
    except OSError as error:
        print(f"bench-memory: {error}", file=sys.stderr)
        return 1
    show(report)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    write_json(asdict(report), str(args.out))
    print(f"kept in {args.out}")
    return 0


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = arguments.parser("bench_memory", __doc__, EXAMPLES)
    parser.add_argument("--sizes", type=int, nargs="+", help="records of the tenant, in turn")
    parser.add_argument("--rounds", type=int, default=5, help="of each measurement (default: 5)")
    parser.add_argument("--quick", action="store_true", help="20,000 records and two rounds")
    parser.add_argument("--no-peers", action="store_true", help="without mem0 and plain FAISS")
    parser.add_argument("--keep", type=Path, help="folder that keeps each large memory for reruns")
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "memory.json")
    args = parser.parse_args(argv)
    if args.quick:
        args.rounds = min(args.rounds, 2)
    args.sizes = args.sizes or ([20_000] if args.quick else [100_000, 1_000_000])
    args.peers_at = None if args.no_peers else min(args.sizes, key=lambda n: abs(n - PEERS_AT))
    return args


def _measured(size: int, args: argparse.Namespace, console: Console, report: Report) -> Figures:
    vectors = Vectors(size)
    queries = asked(vectors, QUERIES)
    with TemporaryDirectory(prefix="whet-memory-") as name, ExitStack() as stack:
        folder = Path(name)
        filling = prepare(folder / "whet", vectors, queries, args.keep, console)
        memory = LongTermMemory.open(folder / "whet", GivenVectors(queries))
        stack.callback(memory.close)
        began = time.perf_counter()
        memory.near(TENANT, queries[0], k=K)
        figures = Figures(size, **asdict(filling), reopened_s=time.perf_counter() - began)
        # As vLLM does once a server has started: what was imported is looked at no more.
        gc.collect()
        gc.freeze()
        figures.probes = _probes(memory)
        figures.recall = _recall(memory, vectors, queries)
        doers = {"Whet": (partial(_whet, memory, queries), partial(_commits, memory, queries))}
        if size == args.peers_at:
            np.save(folder / "vectors.npy", np.vstack([some for _, some in vectors.chunks()]))
            np.save(folder / "queries.npy", queries)
            doers |= _peers(folder, stack, console, report)
        for number in range(args.rounds):
            console.print(f"{size:,} records, round {number + 1} of {args.rounds}")
            for who, (search, _) in doers.items():
                spent = time.process_time()
                figures.take(who, search())
                if who == "Whet":
                    figures.core_ms.append((time.process_time() - spent) / QUERIES * 1e3)
        for who, (_, add) in doers.items():
            figures.added[who] = [seconds * 1e3 for seconds in add()]
    return figures


def _peers(
    folder: Path, stack: ExitStack, console: Console, report: Report
) -> dict[str, tuple[Do, Do]]:
    found = {"FAISS and pickle": stack.enter_context(plain_faiss(folder, K))}
    console.print("mem0 is being installed, if it is not, and filled")
    try:
        found["mem0"] = stack.enter_context(mem0(folder, K))
    except (NotInstalledError, OSError) as error:
        report.notes.append(f"mem0 was not measured: {error}")
    return found


def _probes(memory: LongTermMemory) -> int:
    lists = memory._indexes._view(TENANT).index.contents().lists
    return 0 if lists is None else lists.probes


def _recall(memory: LongTermMemory, vectors: Vectors, queries: np.ndarray) -> float:
    shares = []
    for query, places in zip(queries, exact(vectors, queries, K), strict=True):
        found = {number - 1 for number, _ in memory._indexes.search(TENANT, query, K)}
        shares.append(len(found & places) / K)
    return float(np.mean(shares))


def _whet(memory: LongTermMemory, queries: np.ndarray) -> list[float]:
    """Recall as a request does: by vector and by words, every hit read again."""

    def recall(place: int) -> int:
        asked_for = question(place * 37)
        return len(memory.near(TENANT, queries[place], k=K, question=asked_for))

    return timed(recall, len(queries), K)


def _commits(memory: LongTermMemory, queries: np.ndarray) -> list[float]:
    """Seconds from the end of a commit until a search has found the record."""
    times = []
    for number in range(COMMITS):
        vector = queries[number]
        saved = memory.store(draft(10**7 + number), vector).record.id
        began = time.perf_counter()
        found = memory.near(TENANT, vector, k=1)
        assert found[0].record.id == saved, "what was committed is the nearest of all"
        times.append(time.perf_counter() - began)
    return times


def _small_things(args: argparse.Namespace, console: Console, report: Report) -> None:
    """A small tenant, and imports, in a memory of their own."""
    pool = asked(Vectors(IMPORTED), QUERIES)
    count = IMPORTED // 5 if args.quick else IMPORTED
    lines = [
        json.dumps({"question": question(n), "answer": str(n), "rationale": f"It is {n}."})
        for n in range(count)
    ]
    with TemporaryDirectory(prefix="whet-memory-") as name:
        memory = LongTermMemory.open(Path(name), GivenVectors(pool))
        for number in range(SMALL):
            memory.store(draft(number, "small"), pool[number])
        for number in range(args.rounds):
            console.print(f"imports, round {number + 1} of {args.rounds}")
            times = []
            for place in range(len(pool)):
                began = time.perf_counter()
                memory.near("small", pool[place], k=K, question=question(place))
                times.append(time.perf_counter() - began)
            report.small_ms.append(median(times) * 1e3)
            began = time.perf_counter()
            assert import_lines(memory, f"lines {number}", lines).imported == count
            report.import_per_s.append(count / (time.perf_counter() - began))
            drafts = [draft(n, f"drafts {number}") for n in range(count)]
            began = time.perf_counter()
            for start in range(0, count, 500):
                memory.save_many(drafts[start : start + 500])
            report.store_per_s.append(count / (time.perf_counter() - began))
        memory.close()


if __name__ == "__main__":
    sys.exit(main())
