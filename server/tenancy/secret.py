"""The server's secret, from which everything that must not be guessed is derived.

It lies in the data folder, for its owner only. Whoever loses it makes all keys anew.
"""

from __future__ import annotations

import hmac
import secrets
from pathlib import Path

from server.config import ConfigError
from server.private_file import make_private

FILE_NAME = "secret"
SIZE_BYTES = 32
PREFIX = "whet-"
"""What every key begins with, so that scanners of leaked secrets know it."""
HINT_CHARS = 4


class Secret:
    """Derives digests and salts (HMAC-SHA-256, RFC 2104), a purpose apart from the other."""

    def __init__(self, value: bytes) -> None:
        self._value = value

    @classmethod
    def of_folder(cls, data_dir: Path) -> Secret:
        """Read a data folder's secret, or make it; raises `ConfigError`."""
        path = data_dir / FILE_NAME
        try:
            if not path.exists():
                make_private(path, secrets.token_bytes(SIZE_BYTES))
            value = path.read_bytes()
        except OSError as error:
            raise ConfigError(f"{path} cannot be used: {error.strerror}") from error
        if len(value) != SIZE_BYTES:
            raise ConfigError(f"{path} is damaged: restore it from a backup, or delete it and keys")
        return cls(value)

    def digest_of(self, key: str) -> str:
        """Return what is remembered of a key."""
        return self._derived("key", key)

    def salt_of(self, tenant: str) -> str:
        """Return what keeps a tenant's prefix cache apart from all others'."""
        return self._derived("cache", tenant)

    def seal_of(self, content: str) -> str:
        """Return what is kept of a record that is erased: nobody can guess the one from it."""
        return self._derived("record", content)

    def _derived(self, purpose: str, text: str) -> str:
        message = f"{purpose}\0{text}".encode()
        return hmac.digest(self._value, message, "sha256").hex()


def new_key() -> str:
    """Return a key nobody else has: 256 random bits."""
    return PREFIX + secrets.token_urlsafe(32)


def hint_of(key: str) -> str:
    """Return what may be shown of a key later on."""
    return key[-HINT_CHARS:]
