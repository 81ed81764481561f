"""The bars for one sample that `whet eval --calibrate` found, one for each model, in one file."""

from __future__ import annotations

from pathlib import Path

from pydantic import RootModel, ValidationError

from adaptation.calibration import Calibration
from server.config import ConfigError

FILE = "calibration.json"


class _Kept(RootModel[dict[str, Calibration]]):
    """By the model's name."""


def load_calibration(data_dir: Path, model: str) -> Calibration | None:
    """Return what was found for a model, None where nothing was; `ConfigError` if broken."""
    return _read(data_dir / FILE).get(_key(model))


def save_calibration(data_dir: Path, model: str, calibration: Calibration | None) -> Path:
    """Keep what was found for a model, in one move; None takes an older bar away."""
    path = data_dir / FILE
    data_dir.mkdir(parents=True, exist_ok=True)
    kept = _read(path)
    kept.pop(_key(model), None)
    if calibration is not None:
        kept[_key(model)] = calibration
    fresh = path.with_suffix(".new")
    fresh.write_text(_Kept(kept).model_dump_json(indent=1), "utf-8")
    fresh.replace(path)
    return path


def _key(model: str) -> str:
    """A model in a folder goes by the folder's full path, however it was named."""
    return str(Path(model).absolute()) if Path(model).is_dir() else model


def _read(path: Path) -> dict[str, Calibration]:
    try:
        return _Kept.model_validate_json(path.read_bytes()).root
    except FileNotFoundError:
        return {}
    except (OSError, ValidationError) as error:
        raise ConfigError(
            f"{path} cannot be read: delete it, and calibrate again with `whet eval --calibrate`"
        ) from error
