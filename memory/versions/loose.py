"""What may lie in the artifact store though no version has it: noted, so that no kill leaves it.

An upload is noted before it begins, until its version is registered; a version that is retired,
until its files are deleted. Nothing else in the store is touched or even listed: it may be a model,
another database's, or no artifact at all.

Whoever notes an upload and whoever deletes take turns. So nothing is deleted that another server
has begun to put there, and what was deleted before is put there again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from uuid import uuid4

from sqlalchemy import Connection, delete, insert, select, update

from memory.errors import LeftBehindError, StorageBusyError
from memory.store.database import Database
from memory.store.schema import adapter, loose_artifact, retirement
from memory.store.scope import EVERYONE
from memory.versions.adapter_shelf import AdapterShelf
from memory.versions.retirement import AT_ONCE, retirement_of

log = logging.getLogger(__name__)

SAFE_S = 86_400.0
"""Age at which an upload without a version counts as left behind: none may take five hours."""
MOST = 100
"""Digests that are deleted in one sweep."""
TURNS = "what replicas share"
TURN_S = 180.0
"""Longer than a deletion that the store does not answer."""
POLL_S = 0.2


class LooseArtifacts:
    """Uploads and deletions of all tenants; what cannot be done raises `StorageUnavailableError`.

    Nothing is done where nothing is shared.
    """

    def __init__(self, database: Database, shelf: AdapterShelf) -> None:
        self._database = database
        self._shelf = shelf

    def put(self, tenant: str, adapter_id: str, content: str) -> str | None:
        """Share the files of a version that is to be registered; return the upload's id."""
        if not self._shelf.is_shared:
            return None
        upload = uuid4().hex
        row = {"id": upload, "tenant": tenant, "content_hash": content, "at": time.time()}
        with self._turn(), self._database.writing(tenant) as connection:
            connection.execute(insert(loose_artifact).values(row))
        self._shelf.put(adapter_id, content)
        return upload

    def give_up(self, tenant: str, upload: str | None, content: str) -> None:
        """Delete what an upload put there, whose version will not be registered.

        It is noted anew, as its note may be gone, and the store away.
        """
        if upload is None:
            return
        row = {"id": upload, "tenant": tenant, "content_hash": content, "at": AT_ONCE}
        with self._database.writing(tenant) as connection:
            connection.execute(delete(loose_artifact).where(loose_artifact.c.id == upload))
            connection.execute(insert(loose_artifact).values(row))
        self.drop([content])

    def drop(self, contents: Iterable[str]) -> int:
        """Delete what is under these digests, but what a version has or is being put there.

        Return how many of them were noted, and are gone.
        """
        return sum(map(self._dropped, contents)) if self._shelf.is_shared else 0

    def sweep(self) -> None:
        """Delete what was left behind."""
        if not self._shelf.is_shared:
            return
        is_left = loose_artifact.c.at <= time.time() - SAFE_S
        left = select(loose_artifact.c.content_hash).where(is_left).distinct().limit(MOST)
        with self._database.reading(EVERYONE) as connection:
            contents = list(connection.execute(left).scalars())
        if gone := self.drop(contents):
            log.info("adapters that no version has, deleted from the artifacts: %d", gone)

    def _dropped(self, content: str) -> bool:
        noted = select(loose_artifact.c.id, loose_artifact.c.at)
        noted = noted.where(loose_artifact.c.content_hash == content)
        with self._turn():
            with self._database.reading(EVERYONE) as connection:
                notes = connection.execute(noted).all()
                is_used = _is_used(connection, content)
            if any(note.at > time.time() - SAFE_S for note in notes):
                return False
            if not is_used:
                self._shelf.unshare(content)
            with self._database.writing(EVERYONE) as connection:
                for note in notes:
                    connection.execute(delete(loose_artifact).where(loose_artifact.c.id == note.id))
        return bool(notes) and not is_used

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Wait for a turn; `StorageBusyError` where it does not come."""
        until = time.monotonic() + TURN_S
        with ExitStack() as stack:
            while True:
                try:
                    stack.enter_context(self._database.alone(TURNS))
                    break
                except StorageBusyError:
                    if time.monotonic() > until:
                        raise
                time.sleep(POLL_S)
            yield


def settle(
    connection: Connection, tenant: str, upload: str | None, adapter_id: str, content: str
) -> None:
    """End an upload within the transaction that registers its version, before the version is.

    The tenant's earlier ones of the same files end with it: they were killed. What was put there
    for a version that is retired is left to the next sweep. Raises `LeftBehindError` where the
    upload has counted as left behind since: some of what it put there may be gone.
    """
    if upload is None:
        return
    mine = loose_artifact.c.id == upload
    is_noted = connection.execute(select(loose_artifact.c.id).where(mine)).first() is not None
    if not is_noted and not _is_used(connection, content):
        raise LeftBehindError(
            f"{adapter_id} was shared more than a day ago, and is there no more: register it again"
        )
    if retirement_of(connection, adapter_id) is not None:
        connection.execute(update(loose_artifact).where(mine).values(at=AT_ONCE))
        return
    same = (loose_artifact.c.tenant == tenant) & (loose_artifact.c.content_hash == content)
    connection.execute(delete(loose_artifact).where(same))


def _is_used(connection: Connection, content: str) -> bool:
    """Whether a version has these files that is not retired."""
    gone = select(retirement.c.adapter_id)
    here = (adapter.c.content_hash == content) & adapter.c.id.not_in(gone)
    return connection.execute(select(adapter.c.id).where(here)).first() is not None
