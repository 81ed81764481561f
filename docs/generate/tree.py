"""The tables of all modules, folder by folder, each with the first sentence of its docstring.

The site has them and the repository does not: every new file would change the page.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from docs.generate.markdown import table

PACKAGES = ("server", "whet", "adaptation", "memory")
SENTENCE = re.compile(r"(?<=[.!?])\s")


def write(root: Path) -> str:
    """Return a section for every folder of the packages in a checkout."""
    folders = (folder for package in PACKAGES for folder in _folders(root / package))
    return "\n".join(_section(folder, root) for folder in folders)


def _folders(package: Path) -> Iterator[Path]:
    inits = package.rglob("__init__.py")
    yield from sorted(path.parent for path in inits if "__pycache__" not in path.parts)


def _section(folder: Path, root: Path) -> str:
    modules = sorted(path for path in folder.glob("*.py") if path.name != "__init__.py")
    name = folder.relative_to(root).as_posix()
    rows = ((f"`{path.name}`", _told(path)) for path in modules)
    heading = "##" if folder.parent == root else "###"
    files = table(("file", "what it is about"), rows) if modules else ""
    return f"{heading} {name}/\n\n{_told(folder / '__init__.py')}\n\n{files}"


def _told(path: Path) -> str:
    docstring = ast.get_docstring(ast.parse(path.read_text("utf-8")))
    if not docstring:
        raise LookupError(f"{path} has no docstring to be told by")
    return SENTENCE.split(" ".join(docstring.split()), maxsplit=1)[0]
