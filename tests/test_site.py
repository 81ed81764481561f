"""The documentation as a site: it builds, leads to every page, and loads nothing from elsewhere."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LOADED = re.compile(r'<(?:script|img|iframe|link)\b[^>]*?\b(?:src|href)="([^"]+)"')


def build(source: Path, target: Path) -> subprocess.CompletedProcess[str]:
    """Build the site of a checkout, as `make check` does."""
    words = [sys.executable, "-m", "mkdocs", "build", "--site-dir", str(target)]
    quiet = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run(words, cwd=source, env=quiet, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("site")
    built = build(ROOT, target)
    assert built.returncode == 0, built.stderr
    return target


def test_every_page_of_the_documentation_is_in_the_site(site: Path) -> None:
    pages = [path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*.md")]
    assert len(pages) >= 50
    for page in pages:
        assert (site / page.with_suffix(".html")).exists(), page
    assert "<h1" in (site / "index.html").read_text("utf-8")
    assert not (site / "generate").exists()


def test_the_tree_names_every_module_with_what_it_is_about(site: Path) -> None:
    page = (site / "reference" / "tree.html").read_text("utf-8")
    packages = ("server", "whet", "adaptation", "memory")
    modules = [path for package in packages for path in (ROOT / package).rglob("*.py")]
    assert len(modules) >= 800
    assert {path.name for path in modules if f"<code>{path.name}</code>" not in page} == {
        "__init__.py"
    }


def test_nothing_is_loaded_from_another_host(site: Path) -> None:
    loaded = {
        address
        for page in site.rglob("*.html")
        for address in LOADED.findall(page.read_text("utf-8"))
    }
    assert len(loaded) >= 3
    assert [address for address in loaded if "//" in address] == []
    for sheet in site.rglob("*.css"):
        assert not re.search(r"@import|url\(.?https?:", sheet.read_text("utf-8")), sheet


def test_links_of_pages_beside_the_folder_lead_to_where_the_site_has_them(site: Path) -> None:
    assert '<a href="tutorial.html">tutorial</a>' in (site / "index.html").read_text("utf-8")
    assert 'src="claims.svg"' in (site / "index.html").read_text("utf-8")
    assert '<a href="index.html">README</a>' in (site / "tutorial.html").read_text("utf-8")


def test_links_that_lead_nowhere_end_the_build(tmp_path: Path) -> None:
    wrong = ("nowhere.md", "voting.md#nowhere", "../server/cli.py")
    source = tmp_path / "checkout"
    shutil.copytree(ROOT / "docs", source / "docs")
    for path in [*ROOT.glob("*.md"), ROOT / "LICENSE", ROOT / "mkdocs.yml"]:
        shutil.copy(path, source)
    with (source / "docs" / "faq.md").open("a") as page:
        page.write("".join(f"\n[a link]({link})\n" for link in wrong))
    built = build(source, tmp_path / "site")
    assert built.returncode != 0
    assert [link for link in wrong if f"'{link}'" not in built.stderr] == []
