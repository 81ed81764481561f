"""Where adapters in use lie, for the engine to read."""

from __future__ import annotations

import socket
from pathlib import Path

from adaptation.learning.leases import default_folder
from server.config import ConfigError, Settings


def adapter_folder(settings: Settings) -> Path:
    """Return where adapters in use are put: of a shared folder a part for each machine, as folders
    of processes that are gone are deleted there. Raises `ConfigError`."""
    if settings.engine_folder is None:
        return default_folder()
    own = settings.engine_folder / socket.gethostname()
    try:
        own.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"engine_folder: {error}") from error
    return own
