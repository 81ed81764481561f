"""The types of docs/whet.d.ts beside openai-node's own, by TypeScript's compiler."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from loadtests.environment import NotInstalledError, node_modules

ROOT = Path(__file__).parents[2]
STRICT = ("--noEmit", "--strict", "--target", "es2022", "--module", "nodenext", "--pretty", "false")


def test_an_app_in_typescript_compiles_against_the_types(tmp_path: Path) -> None:
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    try:
        folder = node_modules("typescript", "typescript@5", "openai@6", "@types/node@22")
    except NotInstalledError as error:
        pytest.skip(str(error))
    (tmp_path / "package.json").write_text('{"type": "commonjs"}', "utf-8")
    (tmp_path / "node_modules").symlink_to(folder / "node_modules")
    for source in (ROOT / "docs/whet.d.ts", ROOT / "tests/e2e/clients/typed.ts"):
        shutil.copy(source, tmp_path)
    compiled = subprocess.run(
        [folder / "node_modules/.bin/tsc", *STRICT, "typed.ts", "whet.d.ts"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert compiled.returncode == 0, compiled.stdout
