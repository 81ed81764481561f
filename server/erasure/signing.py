"""The data folder's own key, with which certificates are signed (Ed25519, RFC 8032).

It is made at the first signature, and lies for its owner only beside the server's secret. Whoever
loses it can no longer show that older certificates are the server's: a backup holds it.
"""

from __future__ import annotations

from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from server.config import ConfigError
from server.private_file import make_private

FILE_NAME = "signing-key"
SIZE_BYTES = 32


class SigningKey:
    """A private key."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key

    @classmethod
    def of_folder(cls, data_dir: Path) -> SigningKey:
        """Read a data folder's key, or make it; raises `ConfigError`."""
        path = data_dir / FILE_NAME
        try:
            if not path.exists():
                make_private(path, Ed25519PrivateKey.generate().private_bytes_raw())
            value = path.read_bytes()
        except OSError as error:
            raise ConfigError(f"{path} cannot be used: {error.strerror}") from error
        if len(value) != SIZE_BYTES:
            raise ConfigError(f"{path} is damaged: restore it from a backup, or delete it")
        return cls(Ed25519PrivateKey.from_private_bytes(value))

    @property
    def public(self) -> str:
        """The public key, in hex, which anybody may know."""
        return self._key.public_key().public_bytes_raw().hex()

    def sign(self, message: bytes) -> str:
        """Return the signature, in hex."""
        return self._key.sign(message).hex()


def known_public(data_dir: Path) -> str | None:
    """Return the public key of a data folder that has one; makes none."""
    if not (data_dir / FILE_NAME).exists():
        return None
    return SigningKey.of_folder(data_dir).public


def is_signed(message: bytes, signature: str, public: str) -> bool:
    """Whether a signature is of the message and by the key; what is no key signs nothing."""
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public))
        key.verify(bytes.fromhex(signature), message)
    except (InvalidSignature, ValueError):
        return False
    return True
