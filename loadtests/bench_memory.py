"""`make bench-memory`: recall at a hundred thousand and at a million records of one tenant.

Beside it, in the same run and on the same vectors, mem0's FAISS store in an environment of its own,
and plain FAISS with a pickle; rounds take turns. Then what a commit, an import and a small tenant
cost. Each size has a database of its own in a temporary folder (about 4 GB for a million).
"""

from __future__ import annotations

import argparse
import json
import pickle
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
from rich.console import Console
from rich.table import Table

from loadtests import arguments
from loadtests.environment import NotInstalledError, python_with
from loadtests.measure.memory import (
    DIM,
    TENANT,
    GivenVectors,
    Vectors,
    asked,
    draft,
    exact,
    fill,
    question,
)
from memory.index.faiss_index import FaissIndex
from memory.jsonl import import_lines
from memory.memory import LongTermMemory
from server.console import write_json
from server.server_process import ROOT

EXAMPLES = """\
examples:
  python -m loadtests.bench_memory                       the README's table: ten minutes, 8 GB
  python -m loadtests.bench_memory --quick               20,000 records, a minute
  python -m loadtests.bench_memory --sizes 100000 --no-peers
"""
Do = Callable[[], Sequence[float]]
"""Does something several times and returns the seconds each took."""
K = 32
QUERIES = 100
PEERS_AT = 100_000
SMALL = 64
IMPORTED = 10_000
COMMITS = 30
MEM0 = ("mem0ai==2.2.1", "faiss-cpu==1.15.1")
TARGET_P99_MS = {100_000: 5.0, 1_000_000: 12.0}
TARGET_RECALL, TARGET_FOUND_MS, TARGET_IMPORT, TARGET_MEM0 = 0.99, 50.0, 2_000.0, 10.0


@dataclass
class Figures:
    """What one size came to; a value for each round, times in milliseconds."""

    records: int
    recall: float = 0.0
    """Share of the exact neighbours among those found by the vector alone."""
    filled_per_s: float = 0.0
    opened_s: float = 0.0
    """Of reading all vectors from the database."""
    sealed_s: float = 0.0
    """Until the inverted lists were in place; searches went on."""
    reopened_s: float = 0.0
    """First search after a restart, from the snapshot."""
    p50: dict[str, list[float]] = field(default_factory=dict)
    """By who searched; likewise below."""
    p99: dict[str, list[float]] = field(default_factory=dict)
    added: dict[str, list[float]] = field(default_factory=dict)
    """One record stored durably, and found."""

    def take(self, who: str, seconds: Sequence[float]) -> None:
        """Note one round's searches."""
        self.p50.setdefault(who, []).append(float(np.quantile(seconds, 0.5)) * 1e3)
        self.p99.setdefault(who, []).append(float(np.quantile(seconds, 0.99)) * 1e3)


@dataclass
class Report:
    """All that was measured."""

    sizes: list[Figures]
    small_ms: list[float]
    """p50 of a tenant of `SMALL` records, a value for each round."""
    import_per_s: list[float]
    """Lines read, checked and stored, a value for each round."""
    store_per_s: list[float]
    """Drafts stored."""
    notes: list[str] = field(default_factory=list)


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
    _print(report)
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
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "memory.json")
    args = parser.parse_args(argv)
    if args.quick:
        args.rounds = min(args.rounds, 2)
    args.sizes = args.sizes or ([20_000] if args.quick else [100_000, 1_000_000])
    args.peers_at = None if args.no_peers else min(args.sizes, key=lambda n: abs(n - PEERS_AT))
    return args


def _measured(size: int, args: argparse.Namespace, console: Console, report: Report) -> Figures:
    figures, vectors = Figures(size), Vectors(size)
    queries = asked(vectors, QUERIES)
    with TemporaryDirectory(prefix="whet-memory-") as name, ExitStack() as stack:
        folder = Path(name)
        memory = LongTermMemory.open(folder / "whet", GivenVectors(queries))
        began = time.perf_counter()
        fill(memory, vectors, lambda done: console.print(f"{done:,} of {size:,}", end="\r"))
        figures.filled_per_s = size / (time.perf_counter() - began)
        memory = _opened(memory, folder / "whet", queries, figures, console)
        stack.callback(lambda: memory.close())
        figures.recall = _recall(memory, vectors, queries)
        searchers: dict[str, Callable[[], Sequence[float]]] = {
            "Whet": lambda: _whet(memory, queries)
        }
        adders: dict[str, Callable[[], Sequence[float]]] = {
            "Whet": lambda: _commits(memory, queries)
        }
        if size == args.peers_at:
            np.save(folder / "vectors.npy", np.vstack([some for _, some in vectors.chunks()]))
            np.save(folder / "queries.npy", queries)
            plain = stack.enter_context(_plain(folder))
            searchers["FAISS and pickle"], adders["FAISS and pickle"] = plain
            try:
                mem0 = stack.enter_context(_mem0(folder, console))
                searchers["mem0"], adders["mem0"] = mem0
            except (NotInstalledError, OSError) as error:
                report.notes.append(f"mem0 was not measured: {error}")
        for number in range(args.rounds):
            console.print(f"{size:,} records, round {number + 1} of {args.rounds}")
            for who, search in searchers.items():
                figures.take(who, search())
        for who, add in adders.items():
            figures.added[who] = [seconds * 1e3 for seconds in add()]
    return figures


def _opened(
    memory: LongTermMemory, folder: Path, queries: np.ndarray, figures: Figures, console: Console
) -> LongTermMemory:
    """Search for the first time, wait for the sealed index, and come back from its snapshot."""
    began = time.perf_counter()
    memory.near(TENANT, queries[0], k=K)
    figures.opened_s = time.perf_counter() - began
    console.print(f"read in {figures.opened_s:.1f} s; the index is being sealed")
    began = time.perf_counter()
    index = memory._indexes._view(TENANT).index
    while index.is_due() or memory._indexes._upkeep.is_busy(TENANT):
        time.sleep(0.1)
    figures.sealed_s = time.perf_counter() - began
    memory.close()
    again = LongTermMemory.open(folder, memory.embedder)
    began = time.perf_counter()
    again.near(TENANT, queries[0], k=K)
    figures.reopened_s = time.perf_counter() - began
    return again


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

    return _timed(recall, range(len(queries)))


def _timed(work: Callable[[int], int], places: Sequence[int]) -> list[float]:
    times = []
    for place in places:
        began = time.perf_counter()
        if work(place) != K:
            raise OSError("a search found too little")
        times.append(time.perf_counter() - began)
    return times


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


@contextmanager
def _plain(folder: Path) -> Iterator[tuple[Do, Do]]:
    """FAISS's exact index in memory, and texts in a dictionary, both written to files anew."""
    vectors, queries = np.load(folder / "vectors.npy"), np.load(folder / "queries.npy")
    index = FaissIndex(DIM)
    index.add(np.arange(len(vectors)), vectors)
    texts = {number: {"question": question(number)} for number in range(len(vectors))}

    def search(place: int) -> int:
        return len([texts[number] for number, _ in index.search(queries[place], K)])

    def add() -> list[float]:
        times = []
        for number in range(3):
            began = time.perf_counter()
            index.add(np.array([10**7 + number]), queries[number : number + 1])
            texts[10**7 + number] = {"question": question(number)}
            ((_, rows),) = index.blocks()
            np.save(folder / "plain.npy", rows)
            (folder / "plain.pickle").write_bytes(pickle.dumps(texts))
            times.append(time.perf_counter() - began)
        return times

    yield lambda: _timed(search, range(len(queries))), add


@contextmanager
def _mem0(folder: Path, console: Console) -> Iterator[tuple[Do, Do]]:
    console.print("mem0 is being installed, if it is not, and filled")
    python = python_with("mem0", *MEM0)
    script = Path(__file__).parent / "peers" / "mem0_faiss.py"
    command = [str(python), "-P", str(script), str(folder), str(K)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:

        def told(order: str | None) -> list[float]:
            assert process.stdin is not None
            assert process.stdout is not None
            if order:
                process.stdin.write(order + "\n")
                process.stdin.flush()
            line = process.stdout.readline()
            if not line:
                raise OSError("mem0 ended")
            times: list[float] = json.loads(line)
            return times

        told(None)
        try:
            yield lambda: told("search"), lambda: told("add")
        finally:
            process.kill()


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


def _print(report: Report) -> None:
    console = Console(markup=False, highlight=False)
    table = Table("records", "who", "search p50, ms", "p99, ms", "one record added, ms", box=None)
    for each in report.sizes:
        for who in each.p50:
            shown = map(_spread, (each.p50[who], each.p99[who], each.added[who]))
            table.add_row(f"{each.records:,}", who, *shown)
    console.print(table)
    for each in report.sizes:
        console.print(
            f"{each.records:,}: recall {each.recall:.4f}; filled at {each.filled_per_s:,.0f}/s, "
            f"read in {each.opened_s:.1f} s, sealed beside searches in {each.sealed_s:.0f} s, "
            f"back from its snapshot in {each.reopened_s:.1f} s"
        )
    console.print(f"a tenant of {SMALL} records: p50 {_spread(report.small_ms)} ms")
    console.print(f"import of lines: {_spread(report.import_per_s)} records/s")
    console.print(f"drafts stored: {_spread(report.store_per_s)} records/s")
    for line in (*_verdicts(report), *report.notes):
        console.print(line)


def _verdicts(report: Report) -> Iterator[str]:
    for each in report.sizes:
        name = f"{each.records:,} records"
        if each.records in TARGET_P99_MS:
            limit = TARGET_P99_MS[each.records]
            yield _verdict(f"{name}: p99 ≤ {limit} ms", median(each.p99["Whet"]) <= limit)
        yield _verdict(f"{name}: recall ≥ {TARGET_RECALL}", each.recall >= TARGET_RECALL)
        found = max(each.added["Whet"]) <= TARGET_FOUND_MS
        yield _verdict(f"{name}: found {TARGET_FOUND_MS} ms after its commit", found)
        for who in each.p50:
            if who != "Whet":
                ratio = median(each.p50[who]) / median(each.p50["Whet"])
                added = median(each.added[who]) / median(each.added["Whet"])
                told = f"{name}: {who} searches in {ratio:.1f} × and adds in {added:.0f} × the time"
                yield told if who != "mem0" else _verdict(told, ratio >= TARGET_MEM0)
    rate = median(report.import_per_s)
    yield _verdict(f"import ≥ {TARGET_IMPORT:,.0f} records/s", rate >= TARGET_IMPORT)


def _verdict(text: str, met: bool) -> str:
    return f"{text}: {'met' if met else 'MISSED'}"


def _spread(values: Sequence[float]) -> str:
    return f"{median(values):,.3g} ({min(values):,.3g} to {max(values):,.3g})"


if __name__ == "__main__":
    sys.exit(main())
