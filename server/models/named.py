"""What a command takes for a model: a name, a GGUF file, or what vLLM takes.

A name wins over a folder of that name in the working directory; `./NAME` is the folder.
Nothing is downloaded here: a server that is started asks nobody for anything.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from adaptation.pebble import model_path
from server.config import ConfigError
from server.models.catalogue import BUILT_IN, PACKAGED, meant, unknown
from server.models.getting import from_file
from server.models.origin import origin_of
from server.models.shelf import Shelf
from server.telling import telling

SUFFIX = ".gguf"
CONFIGURATIONS = ("config.json", "params.json")
"""Files by which vLLM knows a model's folder: Transformers' and Mistral's."""
INSTEAD = "a name of `whet models list`"
_HUB_NAME = re.compile(r"\w[\w.-]*(?:/\w[\w.-]*)?(?::\w+)?|\w+://.+", re.ASCII)
"""What may be a model on a hub or in a bucket; anything else can only be a path."""


@dataclass(frozen=True)
class Chosen:
    """A model, as engine and trainer load it."""

    model: str
    """A folder, or a model's name on a hub."""
    served_as: str | None = None
    """What clients call it; None: the same."""


def check_model(model: str, data_dir: Path) -> None:
    """Refuse at once what cannot be served; raises `ConfigError`."""
    path = Path(model).expanduser()
    if model in PACKAGED and Shelf(data_dir).find(model) is None:
        raise ConfigError(f"{model} is not here yet: run {PACKAGED[model].how_to_get(data_dir)}")
    if model == BUILT_IN or model in PACKAGED:
        return
    if is_gguf(model):
        if not (path.is_file() and os.access(path, os.R_OK)):
            raise ConfigError(f"no file {model} to read: give a GGUF file, or {INSTEAD}")
    elif path.is_dir():
        if not any((path / name).is_file() for name in CONFIGURATIONS):
            raise ConfigError(f"no model in {model}: it holds no config.json; give {INSTEAD}")
    elif path.exists() or not _HUB_NAME.fullmatch(model):
        raise ConfigError(f"no model at {model}: give a folder with config.json, or {INSTEAD}")
    elif "/" not in model and meant(model):  # of hubs only a few old names have no slash
        raise ConfigError(unknown(model))


def choose(model: str, data_dir: Path) -> Chosen:
    """Return what to load for `model`; a GGUF file is converted once. Raises `ConfigError`."""
    check_model(model, data_dir)
    if model == BUILT_IN:
        return Chosen(str(model_path()), BUILT_IN)
    if model in PACKAGED:
        return Chosen(str(Shelf(data_dir).folder / model), model)
    if is_gguf(model):
        path = Path(model).expanduser()
        with telling() as advance:
            made = from_file(path, Shelf(data_dir), advance)
        return Chosen(str(made.path), path.stem)
    return Chosen(model)


def taken_for(model: str) -> str:
    """Return what to say of a model that could not be loaded, if it was no folder."""
    if Path(model).is_dir():
        return ""
    return f"; {model} was taken for a name on a model hub: give a folder, or {INSTEAD}"


def is_gguf(model: str) -> bool:
    """Whether a GGUF file is meant."""
    return model.lower().endswith(SUFFIX) and not Path(model).expanduser().is_dir()


def base_model(path: str) -> str:
    """Return what records and adapters call the model at `path`; `whet distill` says the same."""
    if path == str(model_path()):
        return BUILT_IN
    origin = origin_of(Path(path))
    return origin.name if origin else path
