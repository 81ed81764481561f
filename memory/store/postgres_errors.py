"""What PostgreSQL and its driver raise, in one line that says what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from memory.errors import StorageBusyError, StorageUnavailableError

DENIED = "42501"
EMPTIED = "42P01"
LOCKED = "55P03"
_BUSY = {
    "40001": "is busy: try again",
    "40P01": "is busy: try again",
    LOCKED: "is locked by another process: wait for it to finish or stop it",
}
_BY_STATE = {
    DENIED: "refuses its user something: its tables must be its owner's, see docs/postgres.md",
    EMPTIED: "was emptied: it is made anew, restore a backup in its place",
    "25006": "is read-only: name the primary server",
    "53100": "is on a full disk: free some space there, saving resumes by itself",
    "53300": "has no connection to spare: raise max_connections there, or stop what uses it",
    "57P03": "is not ready yet: wait until it has started",
}
_BY_WORDS = (
    ("password", "refuses the user or its password: check both in --database-url"),
    ("no pg_hba.conf entry", "lets nobody in from here: add this machine to its pg_hba.conf"),
    ("role", "does not know the user: create it, or name another in --database-url"),
    ("does not exist", "does not exist: create it with createdb"),
    ("certificate", "cannot be trusted: check sslmode and sslrootcert in --database-url"),
    ("SSL", "and this machine do not agree on TLS: check sslmode in --database-url"),
    ("invalid connection option", "has an unknown parameter in --database-url"),
    ("too many clients", "has no connection to spare: raise max_connections there"),
    ("starting up", "is not ready yet: wait until it has started"),
)
UNREACHABLE = "is not reachable: start the server, or check host and port in --database-url"


@contextmanager
def translated(name: str) -> Iterator[None]:
    """Raise `StorageUnavailableError` for what is the storage's fault; a defect of ours stays."""
    try:
        yield
    except PoolTimeoutError as error:
        raise StorageBusyError(f"{name} has too much to do: try again") from error
    except (DBAPIError, OSError) as error:
        if _is_ours(error):
            raise
        state = state_of(error)
        kind = StorageBusyError if state in _BUSY else StorageUnavailableError
        raise kind(f"{name} {_advice(state, str(getattr(error, 'orig', error)))}") from error


def _is_ours(error: DBAPIError | OSError) -> bool:
    """Whether it is a defect: also a row that a policy refuses, as its tenant was not named."""
    if isinstance(error, ProgrammingError) and state_of(error) in (DENIED, EMPTIED, None):
        return "row-level security" in str(error)
    return isinstance(error, IntegrityError | DataError | ProgrammingError)


def state_of(error: DBAPIError | OSError) -> str | None:
    """Return PostgreSQL's five letters, where it was reached at all."""
    state: str | None = getattr(getattr(error, "orig", None), "sqlstate", None)
    return state


def _advice(state: str | None, said: str) -> str:
    if state is not None and (told := _BUSY.get(state) or _BY_STATE.get(state)):
        return told
    for words, told in _BY_WORDS:
        if words in said:
            return told
    if state is None or state.startswith(("08", "57P")):
        return UNREACHABLE
    return f"cannot be used ({said.splitlines()[0]}): run `whet doctor`"
