"""A hook of MkDocs: pages that lie beside `docs`, README.md among them, belong to the site too, and
the tree gets its modules.

Their links are written for GitHub, from where they lie; here they are brought to where the site has
them. A link to any other file of the repository ends the build, for the site does not hold those.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path, PurePosixPath
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))  # MkDocs loads this file by its path

from docs.generate import tree  # noqa: E402

MODULES = "<!-- modules -->"
"""Stands where the tree has them."""
BESIDE = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "LICENSE")
LINK = re.compile(r"(?<=\]\()([^)\s:#]+)(#[^)\s]*)?(?=\))")


def on_files(files: Files, *, config: Any) -> Files:
    """Add what lies beside `docs`."""
    for name in BESIDE:
        files.append(File.generated(config, name, abs_src_path=str(ROOT / name)))
    return files


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Files) -> str:
    """Put the modules into the tree, and bring links to where the site has what they name."""
    source = page.file.src_uri
    if MODULES in markdown:
        markdown = markdown.replace(MODULES, tree.write(ROOT))
    folder = PurePosixPath("." if source in BESIDE else "docs") / PurePosixPath(source).parent
    return LINK.sub(lambda found: _link(found, folder, source), markdown)


def _link(found: re.Match[str], folder: PurePosixPath, source: str) -> str:
    target = _normal(folder / found[1])
    if target.parts[0] == "docs":
        target = PurePosixPath(*target.parts[1:])
    elif str(target) not in BESIDE:
        return found[0]
    up = "../" * (len(PurePosixPath(source).parts) - 1)
    return f"{up}{target}{found[2] or ''}"


def _normal(path: PurePosixPath) -> PurePosixPath:
    """Return a path without `..`."""
    parts: list[str] = []
    for part in path.parts:
        parts = parts[:-1] if part == ".." else [*parts, part]
    return PurePosixPath(*parts)
