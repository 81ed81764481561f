"""Where a memory is kept, as a backup has to know: a folder, and maybe a database elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from server.config import Settings
from server.settings.database_url import secret_of


@dataclass(frozen=True)
class Place:
    """What is backed up, or restored to."""

    data_dir: Path
    url: str | None = None
    """URL of the database, where it is not a file of the folder."""
    artifacts: str | None = None
    """The URL of what replicas share."""

    @classmethod
    def of(cls, settings: Settings) -> Place:
        """Return where the settings say it is."""
        return cls(settings.data_dir, secret_of(settings.database_url), settings.artifacts)
