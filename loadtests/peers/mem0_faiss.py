"""mem0's FAISS store behind a pipe; runs in mem0's own environment, knows no Whet.

Arguments: a folder with `vectors.npy` and `queries.npy` (float32, rows of unit length), and k.
Reads a command per line of stdin, `search` or `add`, and writes the seconds that each call took as
a JSON list. Vectors are handed over, so that neither an embedder nor a language model is timed.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
from mem0.vector_stores.faiss import FAISS

ADDED = 3
"""Each rewrites the whole index."""


def main(folder: Path, k: int) -> None:
    """Fill the store, say how long that took, and answer commands until stdin ends."""
    vectors, queries = np.load(folder / "vectors.npy"), np.load(folder / "queries.npy")
    store = FAISS("memories", str(folder / "mem0" / "memories"), "cosine", False, vectors.shape[1])
    payloads = [{"data": f"question {n}", "user_id": "ann"} for n in range(len(vectors))]
    began = time.perf_counter()
    store.insert(vectors, payloads, [f"memory-{n}" for n in range(len(vectors))])
    print(json.dumps([time.perf_counter() - began]), flush=True)
    for line in sys.stdin:
        times = []
        for n in range(len(queries) if line.strip() == "search" else ADDED):
            began = time.perf_counter()
            if line.strip() == "search":
                found = store.search("", queries[n], k, {"user_id": "ann"})
                assert len(found) == k, len(found)
            else:
                store.insert(queries[n : n + 1], [{"data": "added", "user_id": "ann"}])
            times.append(time.perf_counter() - began)
        print(json.dumps(times), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
