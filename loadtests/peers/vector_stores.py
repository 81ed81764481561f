"""What others keep vectors in, each given the same ones and asked the same questions.

Neither is given a chance to miss: both look at every vector, with as many threads as they choose.
"""

from __future__ import annotations

import json
import pickle
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import faiss
import numpy as np

from loadtests.environment import python_with

MEM0 = ("mem0ai==2.2.1", "faiss-cpu==1.15.1")
ADDED = 3
"""Each rewrites all files."""

Do = Callable[[], Sequence[float]]
"""Does something several times and returns the seconds each took."""


def timed(work: Callable[[int], int], times: int, expected: int) -> list[float]:
    """Return the seconds of each call of `work` with 0, 1, …, which must find so many."""
    taken = []
    for place in range(times):
        began = time.perf_counter()
        found = work(place)
        taken.append(time.perf_counter() - began)
        if found != expected:
            raise OSError(f"a search found {found}, not {expected}")
    return taken


@contextmanager
def plain_faiss(folder: Path, k: int) -> Iterator[tuple[Do, Do]]:
    """FAISS's exact index and a dictionary of texts, both written anew for each record."""
    vectors, queries = np.load(folder / "vectors.npy"), np.load(folder / "queries.npy")
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    texts = [{"question": f"question {number}"} for number in range(len(vectors))]

    def search(place: int) -> int:
        _, found = index.search(queries[place : place + 1], k)
        return len([texts[number] for number in found[0]])

    def add(place: int) -> int:
        index.add(queries[place : place + 1])
        texts.append({"question": f"added {place}"})
        faiss.write_index(index, str(folder / "plain.faiss"))
        (folder / "plain.pickle").write_bytes(pickle.dumps(texts))
        return 1

    yield lambda: timed(search, len(queries), k), lambda: timed(add, ADDED, 1)


@contextmanager
def mem0(folder: Path, k: int) -> Iterator[tuple[Do, Do]]:
    """mem0's FAISS store in a process of its own; raises `NotInstalledError`, `OSError`."""
    script = Path(__file__).parent / "mem0_faiss.py"
    command = [str(python_with("mem0", *MEM0)), "-P", str(script), str(folder), str(k)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:

        def told(order: str | None) -> list[float]:
            assert process.stdin is not None
            assert process.stdout is not None
            if order:
                process.stdin.write(f"{order}\n")
                process.stdin.flush()
            if not (line := process.stdout.readline()):
                raise OSError("mem0 ended: see what it wrote above")
            times: list[float] = json.loads(line)
            return times

        try:
            told(None)
            yield lambda: told("search"), lambda: told("add")
        finally:
            process.kill()
