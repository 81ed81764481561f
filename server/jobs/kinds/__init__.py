"""How each kind of job is done: one file each, imported when such a job is done.

An evaluation needs OpenAI's client, for which no distillation should wait.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

from memory.offline.job import JobKind
from server.jobs.kind import Run

MODULES: Mapping[JobKind, str] = {
    JobKind.DISTILL: "distill",
    JobKind.EVALUATE: "evaluate",
    JobKind.FINE_TUNE: "fine_tune",
    JobKind.IMPORT: "import_file",
    JobKind.PRACTISE: "practise",
    JobKind.REINDEX: "reindex",
    JobKind.TUNE: "tune",
}


def run_of(kind: JobKind) -> Run:
    """Return what does a kind."""
    run: Run = import_module(f"{__name__}.{MODULES[kind]}").run
    return run
