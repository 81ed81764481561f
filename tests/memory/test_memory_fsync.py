"""A disk that cannot be synced: nothing is acknowledged that may not be there."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from memory.embedding.hashing import HashingEmbedder
from memory.memory import LongTermMemory

SHIM = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static int broken(void) { return access(getenv("BROKEN_DISK"), F_OK) == 0; }

int fsync(int fd) {
    if (broken()) { errno = EIO; return -1; }
    return ((int (*)(int)) dlsym(RTLD_NEXT, "fsync"))(fd);
}

int fdatasync(int fd) {
    if (broken()) { errno = EIO; return -1; }
    return ((int (*)(int)) dlsym(RTLD_NEXT, "fdatasync"))(fd);
}
"""
WRITER = """
import sys
from pathlib import Path
from memory.errors import StorageUnavailableError
from memory.embedding.hashing import HashingEmbedder
from memory.memory import LongTermMemory
from memory.types import Draft, Message, Tier

folder, broken = Path(sys.argv[1]), Path(sys.argv[2])
memory = LongTermMemory.open(folder, HashingEmbedder(64))

def save(name):
    question = Message(role="user", content=f"question {name}")
    draft = Draft(tenant="ann", messages=(question,), answer="4", rationale="r", tier=Tier.FEEDBACK)
    try:
        print("kept", memory.save(draft).record.id, flush=True)
    except StorageUnavailableError as error:
        print("refused", error, flush=True)

save("before")
broken.touch()
save("meanwhile")
print("recalled", len(memory.recall("ann", "question", k=3)), flush=True)
broken.unlink()
save("after")
"""


def test_what_could_not_be_synced_is_refused_and_saving_resumes(tmp_path: Path) -> None:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("there is no C compiler here")
    source, shim, broken = tmp_path / "shim.c", tmp_path / "shim.so", tmp_path / "broken"
    source.write_text(SHIM)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", shim, source, "-ldl"], check=True)
    data, preloaded = tmp_path / "data", (f"LD_PRELOAD={shim}", f"BROKEN_DISK={broken}")
    done = subprocess.run(
        ["env", *preloaded, sys.executable, "-c", WRITER, str(data), str(broken)],
        capture_output=True,
        text=True,
        check=True,
    )
    before, meanwhile, recalled, after = done.stdout.splitlines()
    assert before.startswith("kept")
    assert after.startswith("kept")
    assert meanwhile.startswith("refused")
    assert "whet.db" in meanwhile
    assert recalled == "recalled 1"
    memory = LongTermMemory.open(data, HashingEmbedder(64))
    held = {record.question: record.id for record in memory.walk("ann")}
    assert held["question before"] == before.split()[1]
    assert held["question after"] == after.split()[1]
    assert memory.verify("ann").ok
    memory.close()
