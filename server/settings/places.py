"""Where a server keeps what it has, for how long, and how texts are found there."""

from __future__ import annotations

import tempfile
from pathlib import Path

import platformdirs
from pydantic import Field, field_validator

from memory.embedding.embedder import EMBEDDERS, check_embedder
from memory.store.artifacts import Artifacts
from memory.store.postgres_url import parse_url
from server.settings.database_url import DatabaseUrl
from server.settings.group import AbsolutePath, Group


class Places(Group):
    """Data folder, database and memory."""

    data_dir: AbsolutePath = Field(default_factory=lambda: default_data_dir())
    """folder of the database, where it is a file, the adapters, the snapshots and the converted
    models"""
    database_url: DatabaseUrl | None = None
    """PostgreSQL in place of the SQLite file in the data folder, as
    `postgresql://USER:PASSWORD@HOST/DATABASE`; `none` for the file"""
    artifacts: str | None = None
    """where servers on one database share the files of distilled adapters and of models: a folder,
    or an object store as `s3://BUCKET/PATH`"""
    device_locks: AbsolutePath = Field(default_factory=lambda: default_device_locks())
    """folder in which whoever trains on a device of this machine locks it; containers that share
    a device share the folder"""
    embedder: str = "minilm"
    """`minilm`, `hashing` or a sentence-transformers folder; changing it re-embeds the memory"""
    recall_text: bool = True
    """neighbours are found by the rare words of a question too, such as codes and names"""
    completion_retention_days: float = Field(default=30.0, gt=0)
    """days for which feedback on a completion is accepted"""
    trace_rows: int = Field(default=1_000, ge=0, le=100_000)
    """traces of answers that each tenant keeps, the latest, as long as completions are kept
    at most; 0 keeps none"""
    response_retention_days: float = Field(default=30.0, gt=0)
    """days for which a stored response is kept that is not gone on with"""

    @field_validator("embedder")
    @classmethod
    def _known_embedder(cls, name: str) -> str:
        folder = Path(name).expanduser().absolute()
        if name in EMBEDDERS or not folder.is_dir():
            return check_embedder(name)
        return str(folder)

    @field_validator("database_url")
    @classmethod
    def _readable(cls, url: DatabaseUrl | None) -> DatabaseUrl | None:
        if url is not None:
            parse_url(url.get_secret_value())
        return url

    @field_validator("artifacts")
    @classmethod
    def _usable(cls, url: str | None) -> str | None:
        if url is not None:
            Artifacts(url)
        return url


def default_data_dir() -> Path:
    """Return the platform's folder for a user's data."""
    return platformdirs.user_data_path("whet", appauthor=False)


def default_device_locks() -> Path:
    """Return the machine's folder for temporary files."""
    return Path(tempfile.gettempdir())
