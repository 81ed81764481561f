"""Which pages have a part that is written from the code, and where in a page it stands."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from docs.generate import commands, metrics, options, report, routes, settings

FOLDER = Path(__file__).parents[1] / "reference"
PART = re.compile(r"(?<=<!-- generated -->\n)(.*)(?=<!-- end of generated -->)", re.DOTALL)
PAGES: Mapping[str, Callable[[], str]] = {
    "settings": settings.write,
    "options": options.write,
    "report": report.write,
    "commands": commands.write,
    "metrics": metrics.write,
    "routes": routes.write,
}
"""The generated part of each page, by the name of its file."""


def path_of(name: str) -> Path:
    """Return the file of a page."""
    return FOLDER / f"{name}.md"


def filled(name: str, page: str) -> str:
    """Return a page with its marked part written anew."""
    assert len(PART.findall(page)) == 1, f"{name}: no marks, or more than one pair"
    part = PAGES[name]()
    return PART.sub(lambda _: f"\n{part.strip()}\n\n", page)
