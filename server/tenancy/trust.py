"""Whom the server's flags and settings trust, besides the keys that were made."""

from __future__ import annotations

import argparse
import os
from collections.abc import Collection
from dataclasses import dataclass

from server.config import Settings
from server.settings.database_url import secret_of

LOCAL_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True)
class Trust:
    """What is believed without a look at the database."""

    operator_keys: tuple[str, ...] = ()
    tenant_header: str | None = None
    """A gateway that authenticates by itself names the tenant here."""
    hosts: Collection[str] = LOCAL_HOSTS
    """Names of this server that count where there is no key, lower case."""
    engine_routes: bool = False
    """Whether the engine's own administration is open to the operator."""


def trust_of(args: argparse.Namespace, settings: Settings) -> Trust:
    """Return what the flags and settings of `whet serve` say."""
    named = (args.host or "", *settings.allowed_hosts)
    return Trust(
        operator_keys=operator_keys(args),
        tenant_header=settings.trusted_header,
        hosts=LOCAL_HOSTS | {name.lower() for name in named},
        engine_routes=settings.engine_routes,
    )


def has_keys(settings: Settings) -> bool:
    """Whether any key was ever made in a memory; raises `StorageUnavailableError`."""
    from memory.keys import KeyStore
    from memory.store.database import open_database
    from memory.store.sqlite import FILE_NAME

    url = secret_of(settings.database_url)
    if url is None and not (settings.data_dir / FILE_NAME).exists():
        return False
    database = open_database(settings.data_dir, url)
    try:
        return KeyStore(database).revision() > 0
    finally:
        database.close()


def operator_keys(args: argparse.Namespace) -> tuple[str, ...]:
    """Return the keys of `--api-key`, else the one of `VLLM_API_KEY`, as vLLM takes them."""
    return tuple(key for key in (args.api_key or [os.environ.get("VLLM_API_KEY")]) if key)
