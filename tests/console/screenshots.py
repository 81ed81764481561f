"""The pictures of `docs/console.md`: `make screenshots`."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.console.browsing import Browsing, Watched
from tests.console.driving import driven
from tests.console.world import SLOWLY, World

FOLDER = Path(__file__).parents[2] / "docs" / "console"
SIZE = {"width": 1280, "height": 800}
MOST_BYTES = 100 * 1024
COLOURS = 128
"""Of a picture: screens have few, and the files stay small."""


STORIES = World("").stories[-8:]
"""Questions that nobody has asked before: what was is remembered."""


def ask(browsing: Browsing, watched: Watched, question: str, strategies: set[str]) -> None:
    """Put a question in the playground, to these strategies."""
    browsing.go(watched, "playground")
    page = watched.page
    page.get_by_label("Question").fill(question)
    for name in ("plain", "consistency", "auto", "ttt"):
        page.get_by_label(name, exact=True).set_checked(name in strategies)
    page.get_by_label("Question").press("Control+Enter")


def live(browsing: Browsing, watched: Watched) -> None:
    """Two that were answered, and one under way."""
    browsing.go(watched, "live")
    for number in (1, 2, 3):
        with browsing.page() as asking:
            ask(browsing, asking, f"{STORIES[number].question} {SLOWLY}", {"consistency"})
            if number < 3:
                asking.page.get_by_role("link", name="Show the trace").wait_for(timeout=60_000)
            else:
                watched.page.locator("[data-running=true] .dots i").nth(3).wait_for()
                save(watched, "live")


def trace(browsing: Browsing, watched: Watched) -> None:
    found = browsing.served.ask("GET", "/v1/traces?strategy=ttt&limit=1")["data"][0]["id"]
    browsing.go(watched, f"traces/{found}")
    save(watched, "trace", height=1180)


def playground(browsing: Browsing, watched: Watched) -> None:
    ask(browsing, watched, STORIES[4].question, {"plain", "consistency", "ttt"})
    watched.page.locator(".outcome[aria-busy=false]").nth(2).wait_for(timeout=60_000)
    watched.page.get_by_role("link", name="Show the trace").first.wait_for()
    save(watched, "playground", height=1060)


def plain(view: str, **given: Any) -> Callable[[Browsing, Watched], None]:
    """A view as it comes."""

    def take(browsing: Browsing, watched: Watched) -> None:
        browsing.go(watched, view)
        save(watched, view, **given)

    return take


def save(watched: Watched, name: str, height: int = 800) -> None:
    """Take the picture, with few colours."""
    from PIL import Image

    watched.page.set_viewport_size({**SIZE, "height": height})
    watched.page.wait_for_timeout(300)  # charts are drawn for the size, and fonts are there
    path = FOLDER / f"{name}.png"
    watched.page.screenshot(path=path)
    with Image.open(path) as whole:
        few = whole.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    few.save(path, optimize=True)
    size = path.stat().st_size
    print(f"{path.name}: {size / 1024:.0f} KB")
    assert size <= MOST_BYTES, f"{path.name} is too large"


PICTURES: tuple[tuple[Callable[[Browsing, Watched], None], str], ...] = (
    (trace, "light"),
    (playground, "light"),
    (live, "light"),
    (plain("review"), "light"),
    (plain("adapters"), "light"),
    (plain("ledger"), "light"),
    (plain("learning"), "dark"),
)


def main() -> None:
    """Take them all."""
    FOLDER.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="whet-console-"))
    try:
        with driven(folder) as browsing:
            for take, scheme in PICTURES:
                with browsing.page(color_scheme=scheme, viewport=SIZE) as watched:
                    take(browsing, watched)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
