"""`whet memory import | rebuild --detach`: left to the server, as a job."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO

from server.commands.common import open_tables
from server.commands.doing import say_detached
from server.jobs.limits import MOST_OPEN
from server.terminal import CommandError, UsageError

KEPT_S = 7 * 86_400.0
"""A file whose job never ends well."""


def import_file(args: argparse.Namespace) -> int:
    """Keep the file in the database, wherever the server is, and have it imported."""
    from memory.history.files import PART_BYTES, NewFile
    from memory.offline.job import JobKind, NewJob
    from server.jobs.kinds.import_file import ImportRequest

    if args.file == "-":
        raise UsageError("standard input cannot be left to the server: name a file")
    with _opened(args.file) as stream, open_tables(args, create=True) as memory:
        until = time.time() + KEPT_S
        name = Path(args.file).name
        new = NewFile(tenant=args.tenant, name=name, purpose="user_data", expires_at=until)
        kept = memory.files.create(new, iter(partial(stream.read, PART_BYTES), b""))
        asked = ImportRequest(
            file=kept.id,
            trust=args.trust,
            unlimited=True,
            drop=True,
            licence=args.licence,
            provenance=args.provenance,
        )
        request = asked.model_dump(mode="json")
        job = NewJob(tenant=args.tenant, kind=JobKind.IMPORT, request=request)
        return say_detached(memory.jobs.create(job, MOST_OPEN))


def rebuild(args: argparse.Namespace) -> int:
    """Have the server rebuild the tenant's index."""
    from memory.offline.job import JobKind, NewJob

    with open_tables(args, create=True) as memory:
        job = NewJob(tenant=args.tenant, kind=JobKind.REINDEX, request={})
        return say_detached(memory.jobs.create(job, MOST_OPEN))


@contextmanager
def _opened(name: str) -> Iterator[BinaryIO]:
    try:
        stream = Path(name).open("rb")  # noqa: SIM115 (errors of the block are not ours to name)
    except OSError as error:
        raise CommandError(f"{name} cannot be read: {error.strerror}") from error
    with stream:
        yield stream
