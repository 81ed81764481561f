"""Pages of the console that are watched: what they load, what they complain of."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

KEY = "whet.key"
NEWCOMER = "newcomer"
"""In the place of a role: an admin of a tenant that has nothing yet."""
WATCH = """
addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) =>
  console.error('CSP', violatedDirective, blockedURI));
"""


@dataclass(frozen=True)
class Served:
    """A server that answers."""

    url: str
    keys: dict[str, str]
    """By role."""

    def ask(self, method: str, path: str, role: str = "admin", **given: Any) -> Any:
        """Return the JSON that the server answers."""
        headers = {"authorization": f"Bearer {self.keys[role]}"}
        response = httpx.request(method, self.url + path, headers=headers, timeout=60, **given)
        assert response.status_code < 300, response.text
        return response.json()


@dataclass
class Watched:
    """A page, and what was seen of it."""

    page: Any
    """Playwright's."""
    complaints: list[str] = field(default_factory=list)
    """Errors and warnings of its console, and exceptions."""
    hosts: set[str] = field(default_factory=set)
    """Which were asked for anything."""


@dataclass(frozen=True)
class Browsing:
    """A browser beside a server."""

    browser: Any
    served: Served

    @contextmanager
    def page(self, role: str | None = "admin", **context: Any) -> Iterator[Watched]:
        """Open a page of its own, signed in with the key of a role."""
        given = {"viewport": {"width": 1280, "height": 800}, "reduced_motion": "reduce"}
        opened = self.browser.new_context(**{**given, **context})
        opened.add_init_script(WATCH)
        if role is not None:
            key = json.dumps(self.served.keys[role])
            opened.add_init_script(
                f"sessionStorage.getItem('{KEY}') ?? sessionStorage.setItem('{KEY}', {key})"
            )
        watched = Watched(opened.new_page())
        watch(watched)
        try:
            yield watched
        finally:
            opened.close()

    def go(self, watched: Watched, view: str) -> None:
        """Come to a view, and wait until it has loaded what it shows."""
        watched.page.goto(f"{self.served.url}/console#/{view}")
        watched.page.wait_for_selector("main h1")
        # No `wait_for_function`: it evaluates text in the page, which the policy forbids.
        watched.page.locator(".loading").first.wait_for(state="detached")


def watch(watched: Watched) -> None:
    """Note what a page complains of and whom it asks."""
    page = watched.page

    def heard(message: Any) -> None:
        if message.type in ("error", "warning"):
            watched.complaints.append(message.text)

    page.on("console", heard)
    page.on("pageerror", lambda error: watched.complaints.append(str(error)))
    page.on("request", lambda request: watched.hosts.add(request.url.split("/")[2]))


def axe(page: Any) -> list[str]:
    """Return what axe-core finds wrong with a page as it is now."""
    import axe_playwright_python

    source = Path(axe_playwright_python.__file__).parent / "axe.min.js"
    # By the debugger: the page's own policy lets no other script in.
    page.evaluate(source.read_text("utf-8"))
    rules = {
        "type": "tag",
        "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    }
    found = page.evaluate("(rules) => axe.run(document, {runOnly: rules})", rules)
    return [
        f"{each['id']}: {each['help']}: {node['html'][:160]} {node['failureSummary'][:300]}"
        for each in found["violations"]
        for node in each["nodes"][:3]
    ]
