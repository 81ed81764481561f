"""What keeps a server from starting, told before vLLM is imported: a slip costs no ten seconds.

What it looks at may change until the start; whoever uses it looks again.
"""

from __future__ import annotations

import argparse
import errno
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from adaptation.rewards.folder import check_folder
from server.config import ConfigError, Settings
from server.installation import installed
from server.models.named import check_model
from server.startup.early_values import check_values
from server.startup.engine_defaults import refuse_flags

PORTS = range(65536)
FILES = ("instructions", "refusals")
FOLDERS = ("reward_model",)
ENGINE_FILES = ("chat_template", "ssl_keyfile", "ssl_certfile", "ssl_ca_certs")
TEMPLATE = frozenset("{}\n")
"""What only a template itself holds; vLLM takes one in place of its file."""


def check_start(args: argparse.Namespace, settings: Settings, on_cpu: bool) -> None:
    """Raise `ConfigError` for what cannot be served; `args` holds the flags that were given."""
    check_values(args)
    refuse_flags(args, settings, on_cpu)
    _check_trainer(settings)
    if model := args.model_tag or args.model:
        check_model(model, settings.data_dir)
    _check_paths(args, settings)
    check_data_folder(settings.data_dir)
    check_address(args.host, args.port)


def check_data_folder(folder: Path) -> None:
    """Refuse what is no folder, and one that cannot be written or made."""
    there = check_is_folder(folder)
    if not os.access(there, os.W_OK | os.X_OK):
        raise ConfigError(f"data_dir = {folder}: {there} cannot be written; give another folder")


def check_is_folder(folder: Path) -> Path:
    """Refuse a data folder that is a file, or below one; return what of its path exists."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if not there.is_dir():
        raise ConfigError(f"data_dir = {folder}: {there} is a file; give a folder")
    return there


def check_address(host: str, port: int) -> None:
    """Refuse a port that is none, or that cannot be listened on now."""
    if port not in PORTS:
        raise ConfigError(f"--port {port} is no port: give one from 1024 to {PORTS[-1]}")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, port))
            trial.listen()
        except OSError as error:
            raise ConfigError(cannot_listen(host, port, error)) from error


def cannot_listen(host: str | None, port: int, error: OSError) -> str:
    """Say why, and what to do about it."""
    where = f"{host or 'every address'}:{port}"
    if error.errno == errno.EADDRINUSE:
        return f"{where} is in use: stop what listens there, or give another --port"
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return f"cannot listen on {where}: no address of this machine; give another --host"
    return f"cannot listen on {where}: {error.strerror}; give another --port"


def _check_trainer(settings: Settings) -> None:
    """Raise `ConfigError` where the trainer that is asked for cannot be had."""
    for name, asks in (
        ("trainer", settings.trainer == "ray"),
        ("distill_ray", settings.distill_ray),
    ):
        if asks and installed("ray") is None:
            value = getattr(settings, name)
            raise ConfigError(f'{name} = {value}: Ray is not installed: pip install "whet[ray]"')
    if settings.trainer == "process":
        return
    if ":" in settings.trainer_device:
        raise ConfigError(
            f"trainer_device = {settings.trainer_device}: with trainer = ray, Ray chooses the "
            "device: give auto, cpu or cuda"
        )


def _check_paths(args: argparse.Namespace, settings: Settings) -> None:
    for told, path, kind in _named(args, settings):
        if not path.exists():
            raise ConfigError(f"{told}: there is no such {kind}")
        if path.is_dir() != (kind == "folder"):
            raise ConfigError(f"{told}: it is no {kind}; give a {kind}")
    if settings.reward_model is not None:
        try:
            check_folder(settings.reward_model)
        except ValueError as error:
            raise ConfigError(f"reward_model = {settings.reward_model}: {error}") from error


def _named(args: argparse.Namespace, settings: Settings) -> Iterator[tuple[str, Path, str]]:
    """Yield what settings and flags name: how it is told, where it is, and what it has to be."""
    for kind, names in (("file", FILES), ("folder", FOLDERS)):
        for name in names:
            if path := getattr(settings, name):
                yield f"{name} = {path}", path.expanduser(), kind
    for name in ENGINE_FILES:
        given = getattr(args, name, None)
        if given and not TEMPLATE & set(given):
            yield f"--{name.replace('_', '-')} {given}", Path(given), "file"
