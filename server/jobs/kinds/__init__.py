"""How each kind of job is done: one file each, one dict."""

from __future__ import annotations

from collections.abc import Mapping

from memory.job import JobKind
from server.jobs.kind import Run
from server.jobs.kinds import distill, evaluate, fine_tune, import_file, practise, reindex, tune

KINDS: Mapping[JobKind, Run] = {
    JobKind.DISTILL: distill.run,
    JobKind.EVALUATE: evaluate.run,
    JobKind.FINE_TUNE: fine_tune.run,
    JobKind.IMPORT: import_file.run,
    JobKind.PRACTISE: practise.run,
    JobKind.REINDEX: reindex.run,
    JobKind.TUNE: tune.run,
}
