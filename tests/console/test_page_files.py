"""The console's files: small, whole, from nowhere else, and safe to put data into."""

from __future__ import annotations

import gzip
import hashlib
import re
from pathlib import Path

from adaptation.options import Strategy
from adaptation.report import StopReason
from memory.types import State, Tier
from server.console.page import STATIC

VENDORED = {
    "htm.js": "ab33dd3f38059b9be4d5f5350128eefb2356639c4e0bbe9d9e8b3ba75847e9e4",
    "hooks.js": "69b3b46cbeedeb2eac134482f6eb30abdd5af0467e6f2ffa50e5f776a0a1dae2",
    "preact.js": "86c693f569d3ec7b694002cc62d0aac3c00231cc0ab76e48f607b3c3df3f6217",
}
"""SHA-256 of what was taken from npm; `vendor/README.md` says from where."""
MOST_BYTES = 150 * 1024
MOST_LINES = 300
SENT = {".js", ".css", ".html", ".svg"}
IMPORT = re.compile(r"""^(?:import|export)\b[^'"]*?from\s+'([^']+)'|^import\s+'([^']+)'""", re.M)


def sources() -> list[Path]:
    """Our own modules."""
    return [path for path in sorted(STATIC.rglob("*.js")) if path.parent.name != "vendor"]


def test_all_files_together_are_small_enough_compressed() -> None:
    sent = [path for path in STATIC.rglob("*") if path.suffix in SENT]
    assert len(sent) > 20
    assert sum(len(gzip.compress(path.read_bytes(), 9)) for path in sent) <= MOST_BYTES


def test_what_was_taken_from_npm_is_as_it_was_and_has_its_licence() -> None:
    vendor = STATIC / "vendor"
    for name, digest in VENDORED.items():
        assert hashlib.sha256((vendor / name).read_bytes()).hexdigest() == digest, name
    assert {path.name for path in vendor.glob("*.js")} == set(VENDORED)
    assert {path.name for path in vendor.glob("LICENSE-*")} == {"LICENSE-htm", "LICENSE-preact"}


def test_every_module_is_imported_and_every_import_is_there() -> None:
    reached: set[Path] = set()
    waiting = [STATIC / "app.js"]
    while waiting:
        module = waiting.pop()
        if module in reached:
            continue
        reached.add(module)
        names = [a or b for a, b in IMPORT.findall(module.read_text("utf-8"))]
        waiting += [(module.parent / name).resolve() for name in names]
    assert set(sources()) <= reached


def test_nothing_names_another_host_and_no_text_becomes_markup() -> None:
    for path in [*sources(), STATIC / "index.html", STATIC / "style.css"]:
        text = path.read_text("utf-8")
        assert not re.search(r"(?<!xmlns=\")https?://", text), path.name
        assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(", text)
    index = (STATIC / "index.html").read_text("utf-8")
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\bstyle=|\bon\w+=", index)


def test_every_word_that_a_newcomer_has_to_be_told_has_its_sentence() -> None:
    known = set(re.findall(r"^  (\w+): '", (STATIC / "lib" / "words.js").read_text("utf-8"), re.M))
    assert {str(word) for kind in (Strategy, StopReason, State, Tier) for word in kind} <= known


def test_modules_are_short() -> None:
    longer = [p.name for p in sources() if len(p.read_text("utf-8").splitlines()) > MOST_LINES]
    assert longer == []
