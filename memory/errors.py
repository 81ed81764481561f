"""The error tree of the memory package.

WhetMemoryError
├── StorageUnavailableError   the database cannot be read or written (disk full, read-only, missing)
│   ├── StorageBusyError      another process holds its lock; the file itself is well
│   └── LeftBehindError       an upload took so long that what it shared may be deleted
├── NotFoundError             no such record, completion or adapter for this tenant
│   └── NoPlaceError          what a list was to go on after is not there
├── ConflictError             the request contradicts what is stored
├── SpentError                the tenant has saved what it may in a day
├── UnreadableError           the embedder knows too few of a text's words to find anything by them
├── InvalidImportError        a line of an import cannot become a record
└── InvalidAdapterError       a folder does not hold a LoRA this registry can keep
"""


class WhetMemoryError(Exception):
    """Base of every error this package raises on purpose."""


class StorageUnavailableError(WhetMemoryError):
    """The database cannot be read or written; nothing was acknowledged."""


class StorageBusyError(StorageUnavailableError):
    """Another process holds the database's lock."""


class LeftBehindError(StorageUnavailableError):
    """An upload took so long that it was taken for one that a kill left behind."""


class NotFoundError(WhetMemoryError):
    """The tenant has no such record, completion or adapter."""


class NoPlaceError(NotFoundError):
    """What a list was to go on after is not there."""


class ConflictError(WhetMemoryError):
    """The request contradicts what is stored."""


class SpentError(WhetMemoryError):
    """The tenant has saved what it may in a day."""

    def __init__(self, message: str, retry_after_s: float) -> None:
        """`retry_after_s` is what is left of the day."""
        super().__init__(message)
        self.retry_after_s = retry_after_s


class UnreadableError(WhetMemoryError):
    """The embedder knows too few of a text's words to find anything by them."""


class InvalidImportError(WhetMemoryError):
    """A line of an import cannot become a record."""


class InvalidAdapterError(WhetMemoryError):
    """The folder does not hold a LoRA this registry can keep."""
