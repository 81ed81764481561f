"""What was found out about models, one finding for each, in one file of the data folder."""

from __future__ import annotations

from pathlib import Path
from typing import Generic, TypeVar

from pydantic import RootModel, ValidationError

from memory.store.data_folder import make_data_folder
from memory.types import Frozen
from server.config import ConfigError

T = TypeVar("T", bound=Frozen)


class ByModel(Generic[T]):
    """A file of findings by model."""

    def __init__(self, file: str, kind: type[T], again: str) -> None:
        """`again` is the command that makes the file anew, for whoever has a broken one."""
        self._file, self._again = file, again
        self._form = RootModel[dict[str, kind]]  # type: ignore[valid-type]

    def load(self, data_dir: Path, model: str) -> T | None:
        """Return what was found for a model, None where nothing was; `ConfigError` if broken."""
        return self._read(data_dir / self._file).get(key_of(model))

    def save(self, data_dir: Path, model: str, finding: T | None) -> Path:
        """Keep what was found for a model, in one move; None takes an older finding away."""
        path = data_dir / self._file
        make_data_folder(data_dir)
        kept = self._read(path)
        kept.pop(key_of(model), None)
        if finding is not None:
            kept[key_of(model)] = finding
        fresh = path.with_suffix(".new")
        fresh.write_text(self._form(kept).model_dump_json(indent=1), "utf-8")
        fresh.replace(path)
        return path

    def _read(self, path: Path) -> dict[str, T]:
        try:
            found: dict[str, T] = self._form.model_validate_json(path.read_bytes()).root
        except FileNotFoundError:
            return {}
        except (OSError, ValidationError) as error:
            raise ConfigError(
                f"{path} cannot be read: delete it, and make it again with `{self._again}`"
            ) from error
        return found


def key_of(model: str) -> str:
    """Return what a model goes by: in a folder by the folder's full path, however it was named."""
    return str(Path(model).absolute()) if Path(model).is_dir() else model
