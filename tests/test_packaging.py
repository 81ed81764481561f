"""What is published: a source distribution and a wheel, built and installed from nothing."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("adaptation", "memory", "server", "whet")
BESIDE = {
    "CHANGELOG.md", "CITATION.cff", "LICENSE", "MANIFEST.in", "README.md", "SECURITY.md",
    "pyproject.toml",
}  # fmt: skip
SHOWN = """
from starlette.requests import Request
from server.console.page import INDEX, Page
asked = Request({"type": "http", "headers": [], "query_string": b""})
print(Page().response(INDEX, asked).body.decode())
"""
"""Prints the console's first page, whose addresses name files that were found."""
MADE = ("PKG-INFO", "setup.cfg", "whet.egg-info/")
"""What the build adds."""
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
DISTRIBUTION = f"whet-{VERSION}"


def tracked() -> list[str]:
    """The files of the checkout, new ones included, and nothing that git ignores."""
    words = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    return sorted({name for name in listed.stdout.splitlines() if (ROOT / name).exists()})


def run(*words: str | Path, folder: Path) -> str:
    """Run a command that knows nothing of the checkout, and return what it printed."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    ended = subprocess.run(
        [*map(str, words)], cwd=folder, env=clean, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    return ended.stdout


@dataclass(frozen=True)
class Published:
    """The two files, and what is in them."""

    sdist: Path
    wheel: Path

    def sources(self) -> set[str]:
        with tarfile.open(self.sdist) as archive:
            names = [member.name for member in archive.getmembers() if member.isfile()]
        return {name.removeprefix(f"{DISTRIBUTION}/") for name in names}

    def installed(self) -> set[str]:
        with zipfile.ZipFile(self.wheel) as archive:
            return {name for name in archive.namelist() if not name.endswith("/")}


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Published:
    """The source distribution, built of a copy of the checkout, and the wheel, built of that."""
    folder = tmp_path_factory.mktemp("packaging")
    copy(tracked(), folder / "checkout")
    run(
        sys.executable, "-m", "build", "--no-isolation", "--outdir", folder / "dist", ".",
        folder=folder / "checkout",
    )  # fmt: skip
    (sdist,), (wheel,) = (folder / "dist").glob("*.tar.gz"), (folder / "dist").glob("*.whl")
    return Published(sdist, wheel)


def copy(names: Sequence[str], folder: Path) -> None:
    for name in names:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((ROOT / name).read_bytes())


@pytest.fixture(scope="module")
def whet(published: Published, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command, from the wheel, in an environment that sees Whet's dependencies and no Whet."""
    folder = tmp_path_factory.mktemp("installed")
    run(sys.executable, "-m", "venv", "--without-pip", "new", folder=folder)
    run(
        sys.executable, "-m", "pip", "--python", folder / "new/bin/python", "install", "--quiet",
        "--no-deps", "--no-index", "--disable-pip-version-check", published.wheel,
        folder=folder,
    )  # fmt: skip
    own, ours = (
        Path(sysconfig.get_path("purelib", vars={"base": str(base), "platbase": str(base)}))
        for base in (folder / "new", sys.prefix)
    )
    (own / "ours.pth").write_text(f"{ours}\n", "utf-8")
    return folder / "new" / "bin" / "whet"


def test_the_wheel_holds_every_file_of_the_packages_and_nothing_else(published: Published) -> None:
    held = {name for name in published.installed() if ".dist-info/" not in name}
    assert held == {name for name in tracked() if name.startswith(tuple(f"{p}/" for p in PACKAGES))}
    assert {Path(name).suffix for name in held} >= {".html", ".css", ".js", ".json", ".safetensors"}


def test_the_source_distribution_holds_what_a_wheel_is_made_of(published: Published) -> None:
    held = {name for name in published.sources() if not name.startswith(MADE)}
    packages = {name for name in published.installed() if ".dist-info/" not in name}
    assert held == packages | BESIDE


def test_the_wheel_tells_its_licence_its_version_and_its_command(published: Published) -> None:
    with zipfile.ZipFile(published.wheel) as archive:
        told = archive.read(f"{DISTRIBUTION}.dist-info/METADATA").decode()
        commands = archive.read(f"{DISTRIBUTION}.dist-info/entry_points.txt").decode()
    assert f"\nVersion: {VERSION}\n" in told
    assert "\nLicense-Expression: Apache-2.0\n" in told
    assert "whet = server.cli:main" in commands
    assert f"{DISTRIBUTION}.dist-info/licenses/LICENSE" in published.installed()


def test_what_is_installed_works_outside_of_the_checkout(whet: Path, tmp_path: Path) -> None:
    python = whet.with_name("python")
    where = run(python, "-c", "import server.cli; print(server.cli.__file__)", folder=tmp_path)
    assert Path(where.strip()).is_relative_to(whet.parents[1])
    assert run(whet, "--version", folder=tmp_path).strip() == f"whet {VERSION}"
    assert "--max-samples" in run(whet, "serve", "--help", folder=tmp_path)


def test_what_is_installed_makes_its_tables_and_reads_an_import(whet: Path, tmp_path: Path) -> None:
    (tmp_path / "lines.jsonl").write_text('{"question": "What is 2 + 2?", "answer": "4"}\n')
    here = ("--data-dir", "data", "--embedder", "hashing", "--json")
    told = json.loads(run(whet, "memory", "import", "lines.jsonl", *here, folder=tmp_path))
    assert told["imported"] == 1
    assert (tmp_path / "data" / "whet.db").exists()


def test_what_is_installed_brings_its_help_its_model_and_its_console(
    whet: Path, tmp_path: Path
) -> None:
    assert "whet serve smollm2" in run(whet, "--help", folder=tmp_path)
    assert "whet demo --fast" in run(whet, "demo", "--help", folder=tmp_path)
    here = ("--data-dir", "data", "--json")
    models = json.loads(run(whet, "models", "list", *here, folder=tmp_path))["data"]
    pebble = Path(next(each["path"] for each in models if each["name"] == "whet-pebble"))
    assert pebble.is_relative_to(whet.parents[1])
    assert (pebble / "model.safetensors").is_file()
    page = run(whet.with_name("python"), "-c", SHOWN, folder=tmp_path)
    assert page.startswith("<!doctype html>")
    assert len(re.findall(r"console/[0-9a-f]{16}/[\w.-]+\.(?:css|js)\"", page)) >= 2
