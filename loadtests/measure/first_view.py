"""How long a browser takes to show a view of the console, and what it is sent for that."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import psutil

QUIET_MS = 800
"""A view is whole that did not change for so long; what it shows had come by its last change."""
WITHIN_S = 30.0
NOTE_CHANGES = """
globalThis.whetChanged = 0;
const note = () => { globalThis.whetChanged = performance.now(); };
new MutationObserver(() => requestAnimationFrame(note))
  .observe(document, { subtree: true, childList: true, characterData: true, attributes: true });
"""
QUIET_FOR = "() => globalThis.whetChanged && performance.now() - globalThis.whetChanged"
IS_WHOLE = "() => Boolean(document.querySelector('main h1') && !document.querySelector('.loading'))"
FOUND = """
() => {
  const [page] = performance.getEntriesByType('navigation');
  const all = [page, ...performance.getEntriesByType('resource')];
  const isData = ({ name }) => new URL(name).pathname.startsWith('/v1/');
  const sent = (some) => some.reduce((sum, { transferSize }) => sum + transferSize, 0);
  const files = all.filter((each) => !isData(each));
  return {
    loaded_ms: page.loadEventEnd,
    shown_ms: globalThis.whetChanged,
    requests: all.length,
    file_bytes: sent(files),
    data_bytes: sent(all.filter(isData)),
  };
}
"""


class NotShownError(Exception):
    """A view did not come to rest in time."""


@dataclass(frozen=True)
class FirstView:
    """One load of a page."""

    loaded_ms: float
    """Until the end of the browser's `load` event, from the start of the navigation."""
    shown_ms: float
    """Likewise, until the frame after which nothing changes any more."""
    requests: int
    """Addresses that were needed; what the browser had of them is not sent again."""
    file_bytes: int
    """Sent for the page itself, compressed, with headers; likewise below for what it shows."""
    data_bytes: int
    core_ms: float
    """Processor time of the browser, its driver and the server together, by ticks of 10 ms: what
    others take of the machine is not in it."""

    @property
    def after_load_ms(self) -> float:
        """What a person still waits for when the page has loaded."""
        return max(0.0, self.shown_ms - self.loaded_ms)


def first_view(page: Any, url: str) -> FirstView:
    """Load an address in a page of Playwright's that has `NOTE_CHANGES`; raises `NotShownError`."""
    page.goto("about:blank")
    before = _core_s()
    page.goto(url)
    until = time.monotonic() + WITHIN_S
    while time.monotonic() < until:
        if page.evaluate(QUIET_FOR) > QUIET_MS and page.evaluate(IS_WHOLE):
            spent = (_core_s() - before) * 1e3
            return FirstView(**page.evaluate(FOUND), core_ms=round(spent, 1))
        page.wait_for_timeout(100)
    raise NotShownError(f"{url} goes on changing after {WITHIN_S:.0f} s")


def _core_s() -> float:
    """Return what the processes that this one began have taken; those that ended count no more."""
    spent = 0.0
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            times = child.cpu_times()
            spent += times.user + times.system
    return spent
