"""The server that `whet eval` starts for itself: on a memory of its own, through any adapter."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from memory.embedding.embedder import create_embedder
from memory.memory import LongTermMemory
from memory.versions.adapters import NewVersion
from server.config import DEFAULT_TENANT, Settings
from server.memory_opening import memory_of
from server.models.catalogue import BUILT_IN
from server.models.named import choose
from server.server_process import WHET, running
from server.terminal import CommandError, console


@contextmanager
def own_server(
    model: str | None, adapter: str | None, settings: Settings, folder: Path
) -> Iterator[str]:
    """Serve a model on a memory of its own, through `adapter` if one is named; yields the URL."""
    data_dir = folder / "server"
    if adapter is not None:
        promote_copy(adapter, settings, data_dir)
    named = serve_words(model, settings)
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in chosen(settings).items()]
    own = ("--data-dir", str(data_dir), "--database-url", "none")
    with running(WHET, console(stderr=True), *named, *own, *flags) as server:
        yield server.url


def chosen(settings: Settings) -> dict[str, str]:
    """What was chosen differently from the defaults, by name: a measurement is of these."""
    elsewhere = {"data_dir", "database_url", "artifacts", "device_locks", "engine_key"}
    found = settings.model_dump(mode="json", exclude=elsewhere, exclude_defaults=True)
    for name in ("instructions", "refusals"):
        if (path := getattr(settings, name)) is not None:
            found[name] = path.expanduser().absolute()
    return {name: str(value) for name, value in found.items()}


def serve_words(model: str | None, settings: Settings) -> list[str]:
    """Return how to serve a model on another data folder, and from another working directory."""
    if model in (None, BUILT_IN):
        return []
    chosen = choose(model, settings.data_dir)
    folder = Path(chosen.model).expanduser()
    words = [str(folder.absolute()) if folder.is_dir() else chosen.model]
    return [*words, "--served-model-name", chosen.served_as] if chosen.served_as else words


def promote_copy(adapter: str, settings: Settings, data_dir: Path) -> None:
    """Serve a version from a registry of our own: the user's aliases stay as they are."""
    embedder = create_embedder("hashing")  # not a text is embedded
    with (
        closing(memory_of(settings, embedder=embedder)) as theirs,
        closing(LongTermMemory.open(data_dir, embedder)) as ours,
    ):
        named = theirs.adapters.alias(DEFAULT_TENANT, adapter)
        version = named or theirs.adapters.show(DEFAULT_TENANT, adapter)
        if not theirs.adapters.files_ok(version):  # fetches what another server made
            raise CommandError(f"the files of {version.id} are missing or damaged")
        new = NewVersion(tenant=DEFAULT_TENANT, base_model=version.base_model, rank=version.rank)
        copy = ours.adapters.register(Path(version.path), new)
        ours.adapters.promote(DEFAULT_TENANT, copy.id)
