"""How the names of adapter versions move: candidate, champion, previous.

Each move is one transaction with the step that notes it (`memory.versions.release`), so a
kill leaves what was before or what comes after, never a half.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, delete, update

from memory.errors import ConflictError
from memory.store.schema import adapter, alias
from memory.store.upsert import upsert
from memory.types import AdapterVersion
from memory.versions.adapter_versions import AdapterVersions, aliases_in, version_row
from memory.versions.release import UNAPPROVED, Stage, note_step, stage_of
from memory.versions.standing import refuse_lost

BY_HAND = "by hand"


class AdapterMoves(AdapterVersions):
    """Versions whose names move."""

    def offer(
        self,
        tenant: str,
        adapter_id: str,
        stage: Stage = Stage.SHARE,
        reason: str = BY_HAND,
        *,
        anyway: bool = False,
    ) -> AdapterVersion:
        """Make a version the candidate, to be tried.

        Raises `ConflictError` where it cannot be served, or lost its guards and not `anyway`.
        """
        with self._database.writing(tenant) as connection:
            version = self._fit(connection, tenant, adapter_id)
            if not anyway:
                refuse_lost(version)
            self._offer(connection, version, stage, reason)
        return version

    def approve(self, tenant: str, adapter_id: str, stage: Stage) -> AdapterVersion:
        """Have a version that the gate let through go on to its first stage.

        Raises `ConflictError` for one that waits for nobody.
        """
        if stage is Stage.ALL:
            return self.promote(tenant, adapter_id, "approved", of=UNAPPROVED, anyway=True)
        with self._database.writing(tenant) as connection:
            version = self._fit(connection, tenant, adapter_id)
            _refuse_elsewhere(connection, adapter_id, UNAPPROVED)
            self._offer(connection, version, stage, "approved")
        return version

    def advance(self, tenant: str, adapter_id: str, since: Stage, to: Stage, reason: str) -> None:
        """Note that a candidate, or a champion, has come from one stage to the next.

        Does nothing where another has moved it meanwhile.
        """
        if to is Stage.ALL:
            self._fit_files(tenant, adapter_id)
        with self._database.writing(tenant) as connection:
            named = adapter_id in aliases_in(connection, tenant).values()
            if not named or stage_of(connection, adapter_id) not in (since, None):
                return
            if to is Stage.ALL:
                crown(connection, self._fit(connection, tenant, adapter_id), reason)
            else:
                note_step(connection, tenant, adapter_id, to, reason)

    def promote(
        self,
        tenant: str,
        adapter_id: str,
        reason: str = BY_HAND,
        of: tuple[Stage, ...] | None = None,
        *,
        anyway: bool = False,
    ) -> AdapterVersion:
        """Make a version the champion and the old champion `previous`.

        Promoting the champion again changes nothing. Raises `ConflictError` for a version that
        was rejected or whose files are damaged, that is at none of the stages `of`, or that lost
        its guards and not `anyway`.
        """
        version = self._fit_files(tenant, adapter_id)
        if not anyway:
            refuse_lost(version)
        with self._database.writing(tenant) as connection:
            version = self._fit(connection, tenant, adapter_id)
            if of is not None:
                _refuse_elsewhere(connection, adapter_id, of)
            crown(connection, version, reason)
        return version

    def rollback(self, tenant: str) -> AdapterVersion:
        """Make the previous champion the champion again; `ConflictError` when there is none."""
        with self._database.writing(tenant) as connection:
            aliases = aliases_in(connection, tenant)
            previous = aliases.get("previous")
            if previous is None:
                raise ConflictError("there is no previous adapter to roll back to")
            _restore(connection, tenant, previous)
            if (left := aliases.get("champion")) is not None:
                note_step(connection, tenant, left, Stage.BACK, f"rolled back to {previous}")
            return self._version(connection, version_row(connection, tenant, previous))

    def reset(self, tenant: str) -> None:
        """Serve the base model again; the champion becomes `previous`, so `rollback` undoes it."""
        with self._database.writing(tenant) as connection:
            champion = aliases_in(connection, tenant).get("champion")
            if champion is not None:
                point(connection, tenant, "previous", champion)
                point(connection, tenant, "champion", None)
                note_step(connection, tenant, champion, Stage.BACK, "the base is served instead")

    def record_reject(self, tenant: str, adapter_id: str, reason: str = BY_HAND) -> AdapterVersion:
        """Note why a version was refused, which then cannot be promoted; a trial of it ends.

        What was refused or retired before stays as it is, with its first reason. Raises
        `ConflictError` for the champion: roll back first.
        """
        with self._database.writing(tenant) as connection:
            version = self._version(connection, version_row(connection, tenant, adapter_id))
            if version.rejected is not None or version.retired is not None:
                return version
            if aliases_in(connection, tenant).get("champion") == adapter_id:
                raise ConflictError(f"{adapter_id} is the champion: roll back first")
            return self._rejected(connection, tenant, adapter_id, reason)

    def take_back(self, tenant: str, adapter_id: str, since: Stage, reason: str) -> None:
        """Reject what hurts, at whatever stage: of a champion, what was served before comes back.

        Does nothing where another has moved it meanwhile.
        """
        with self._database.writing(tenant) as connection:
            aliases = aliases_in(connection, tenant)
            named = adapter_id in (aliases.get("champion"), aliases.get("candidate"))
            if not named or stage_of(connection, adapter_id) not in (since, None):
                return
            if aliases.get("champion") == adapter_id:
                _restore(connection, tenant, aliases.get("previous"))
            self._rejected(connection, tenant, adapter_id, reason)

    def _rejected(
        self, connection: Connection, tenant: str, adapter_id: str, reason: str
    ) -> AdapterVersion:
        own = adapter.c.id == adapter_id
        connection.execute(update(adapter).where(own).values(rejected=reason))
        for name in ("candidate", "previous"):
            if aliases_in(connection, tenant).get(name) == adapter_id:
                point(connection, tenant, name, None)
        note_step(connection, tenant, adapter_id, Stage.BACK, reason)
        return self._version(connection, version_row(connection, tenant, adapter_id))

    def _fit_files(self, tenant: str, adapter_id: str) -> AdapterVersion:
        version = self.show(tenant, adapter_id)
        refuse_unfit(version)
        if not self.files_ok(version):
            raise ConflictError(f"the files of {adapter_id} are missing or damaged: train it again")
        return version

    def _fit(self, connection: Connection, tenant: str, adapter_id: str) -> AdapterVersion:
        version = self._version(connection, version_row(connection, tenant, adapter_id))
        refuse_unfit(version)
        return version

    def _offer(
        self, connection: Connection, version: AdapterVersion, stage: Stage, reason: str
    ) -> None:
        tenant = version.tenant
        if aliases_in(connection, tenant).get("champion") == version.id:
            raise ConflictError(f"{version.id} is the champion: there is nothing to try")
        propose(connection, tenant, version.id, stage, reason)


def propose(
    connection: Connection, tenant: str, adapter_id: str, stage: Stage | None, reason: str
) -> None:
    """Make a version the candidate, at a stage; the one before is a suggestion again."""
    before = aliases_in(connection, tenant).get("candidate")
    if before not in (None, adapter_id) and stage_of(connection, before) is not None:
        note_step(connection, tenant, before, Stage.SUGGESTED, f"{adapter_id} is tried instead")
    point(connection, tenant, "candidate", adapter_id)
    if stage is not None:
        note_step(connection, tenant, adapter_id, stage, reason)


def point(connection: Connection, tenant: str, name: str, adapter_id: str | None) -> None:
    """Have a name point to a version, or nowhere."""
    if adapter_id is None:
        here = (alias.c.tenant == tenant) & (alias.c.name == name)
        connection.execute(delete(alias).where(here))
        return
    row: dict[str, Any] = {"tenant": tenant, "name": name, "adapter_id": adapter_id}
    upsert(connection, alias, ("tenant", "name"), row)


def refuse_unfit(version: AdapterVersion) -> None:
    """Raise `ConflictError` for a version that may not be served."""
    if version.retired is not None:
        raise ConflictError(f"{version.id} is retired: {version.retired.reason}")
    if version.rejected is not None:
        raise ConflictError(f"{version.id} was rejected: {version.rejected}")


def crown(connection: Connection, version: AdapterVersion, reason: str) -> None:
    """Make a version the champion, if it is not; `previous` is what was served, base included."""
    tenant, aliases = version.tenant, aliases_in(connection, version.tenant)
    champion = aliases.get("champion")
    if champion == version.id:
        return
    point(connection, tenant, "previous", champion)
    point(connection, tenant, "champion", version.id)
    if aliases.get("candidate") == version.id:
        point(connection, tenant, "candidate", None)
    note_step(connection, tenant, version.id, Stage.ALL, reason)


def _restore(connection: Connection, tenant: str, previous: str | None) -> None:
    """Serve what was served before, the base where that was it."""
    point(connection, tenant, "champion", previous)
    point(connection, tenant, "previous", None)
    if previous is not None:
        note_step(connection, tenant, previous, Stage.KEPT, "served again after a rollback")


def _refuse_elsewhere(connection: Connection, adapter_id: str, of: tuple[Stage, ...]) -> None:
    stage = stage_of(connection, adapter_id)
    if stage not in of:
        stands = "was never released" if stage is None else f"is at the stage {stage}"
        raise ConflictError(f"{adapter_id} {stands}: it waits for no approval")
