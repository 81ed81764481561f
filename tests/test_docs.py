"""The documents say what the code does: names in README.md, docs and Dockerfile exist.

`make check` builds them as a site, which checks their links and their anchors.
"""

from __future__ import annotations

import fnmatch
import json
import re
import shlex
import tomllib
from pathlib import Path

import pytest

from adaptation.report import Report
from server.cli import main
from server.config import Settings
from server.requests.request_context import CHAT
from server.settings.setting_sources import ENV_PREFIX, NO_SETTINGS

ROOT = Path(__file__).parent.parent
PAGES = {
    str(path.relative_to(ROOT)): path.read_text("utf-8")
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
}
README = PAGES["README.md"]
BOOK = "\n".join(PAGES.values())
MAKE, REPORT = (PAGES[f"docs/reference/{name}.md"] for name in ("make", "report"))
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LEAST_NAMED = {"targets": 6, "commands": 100, "flags": 50}
"""What a test must have found before it means anything."""


def blocks(*languages: str, text: str) -> list[str]:
    """The fenced blocks of a document in one of these languages."""
    return [body for language, body in FENCE.findall(text) if language in languages]


def inline_code(text: str) -> list[str]:
    """What stands between single backticks, outside of blocks."""
    return re.findall(r"`([^`\n]+)`", FENCE.sub("", text))


def commands(program: str, text: str) -> list[list[str]]:
    """Every command line of `program` in a document: words of shell blocks and inline code."""
    shells = blocks("sh", text=text)
    lines = [line.partition("#")[0] for block in shells for line in block.splitlines()]
    found = [line.strip() for line in [*lines, *inline_code(text)]]
    return [shlex.split(line) for line in found if line.split()[:1] == [program]]


def copied_paths() -> list[str]:
    """What the Dockerfile copies from the build context."""
    lines = re.findall(r"^(?:COPY|ADD) (.+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    words = [[w for w in line.split() if not w.startswith("--")] for line in lines]
    return [source for line in words for source in line[:-1]]


def test_the_first_screen_holds_one_sentence_two_commands_and_one_curl_with_its_reply() -> None:
    head = README.split("\n## ")[0]
    shells = [body for language, body in FENCE.findall(head) if language == "sh"]
    assert [line.split()[:2] for line in shells[0].splitlines()] == [
        ["make", "serve"],
        ["make", "test"],
    ]
    assert shells[1].startswith("curl ")
    assert CHAT in shells[1]
    body = json.loads(re.search(r"-d '(.*)'", shells[1], re.DOTALL)[1])  # type: ignore[index]
    assert set(body) == {"model", "messages"}
    reply = next(body for language, body in FENCE.findall(head) if language == "json")
    report = re.search(r'"adaptation": (\{.*\}), …\}', reply, re.DOTALL)
    assert report, "the reply shows the whole report"
    Report.model_validate(json.loads(report[1]))


def test_every_make_target_that_is_named_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z][a-z-]*):", makefile, re.MULTILINE))
    named = {words[1] for words in commands("make", BOOK) if len(words) > 1}
    assert len(named) >= LEAST_NAMED["targets"]
    assert named <= targets


def test_every_make_target_that_make_help_tells_has_its_row() -> None:
    told = re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE)
    rows = re.findall(r"^\| `make ([a-z-]+)` \|", MAKE, re.MULTILINE)
    assert len(rows) >= LEAST_NAMED["targets"]
    assert set(told) - {"help"} == set(rows)


def test_the_pages_show_enough_commands_and_flags_to_check() -> None:
    named = commands("whet", BOOK)
    assert len(named) >= LEAST_NAMED["commands"]
    assert sum(word.startswith("--") for words in named for word in words) >= LEAST_NAMED["flags"]


@pytest.mark.parametrize("page", PAGES)
def test_every_command_and_flag_of_a_page_is_one(
    page: str, capsys: pytest.CaptureFixture[str]
) -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {words[1] for words in commands("make", PAGES[page]) if len(words) > 1} <= targets
    for words in commands("whet", PAGES[page]):
        command = [word for word in words[1:3] if re.fullmatch(r"[a-z]+", word)]
        if command and command[0] != "serve":  # its parser is vLLM's
            assert main([*command, "--help"]) == 0, words
            told = set(re.findall(r"--[a-z-]+", capsys.readouterr().out))
            assert {word for word in words if word.startswith("--")} <= told, words


@pytest.mark.parametrize("page", PAGES)
def test_every_link_of_a_page_leads_to_a_file_and_a_heading(page: str) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", FENCE.sub("", PAGES[page])):
        if "://" in link:
            continue
        file, _, heading = link.partition("#")
        target = (ROOT / page).parent / file if file else ROOT / page
        assert target.exists(), link
        if heading:
            assert heading in headings(target.read_text("utf-8")), link


def headings(text: str) -> set[str]:
    """The anchors that GitHub gives a page's headings."""
    return {
        re.sub(r"[^\w -]", "", title).strip().lower().replace(" ", "-")
        for title in re.findall(r"^#+ (.+)$", FENCE.sub("", text), re.MULTILINE)
    }


def test_every_page_has_its_place_in_the_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text().partition("\nnav:\n")[2]
    listed = re.findall(r"[\w/]+\.md", navigation)
    assert len(listed) == len(set(listed))
    assert set(PAGES) <= {name if name == "README.md" else f"docs/{name}" for name in listed}


def test_the_readme_is_short() -> None:
    assert len(README.encode()) <= 12 * 1024


def test_every_step_that_is_timed_is_explained() -> None:
    told = next(line for line in REPORT.splitlines() if line.startswith("| `seconds` |"))
    sources = "".join(path.read_text() for path in (ROOT / "adaptation").rglob("*.py"))
    steps = set(re.findall(r'clock\.measure\("(\w+)"\)', sources))
    assert len(steps) >= 8
    assert [step for step in steps if f"`{step}`" not in told] == []


def test_the_spellings_of_settings_that_are_shown_are_right() -> None:
    code = set(inline_code(BOOK))
    variables = {word for word in code if re.fullmatch(rf"{ENV_PREFIX}[A-Z_]+", word)}
    assert len(variables) >= 2
    for variable in variables - NO_SETTINGS:
        assert variable.removeprefix(ENV_PREFIX).lower() in Settings.model_fields


def test_every_source_file_that_is_named_exists() -> None:
    named = {
        code
        for code in inline_code(BOOK)
        if re.match(r"(server|adaptation|memory|tests)/[\w/.]+$", code)
    }
    assert len(named) >= 20
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_the_place_for_the_figures_is_marked_once() -> None:
    measured = PAGES["docs/measured/cost.md"]
    assert BOOK.count("<!-- bench:begin -->") == BOOK.count("<!-- bench:end -->") == 1
    assert measured.index("<!-- bench:begin -->") < measured.index("<!-- bench:end -->")
    assert "make bench" in measured


def test_the_image_copies_only_what_exists_and_what_is_not_ignored() -> None:
    copied = copied_paths()
    assert {"pyproject.toml", "README.md", "LICENSE", "server", "whet", "adaptation", "memory"} <= {
        path.removeprefix("./") for path in copied
    }
    assert [path for path in copied if not (ROOT / path).exists()] == []
    rules = [
        line.strip()
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.strip() and not line.startswith("#")
    ]
    for path in copied:
        ignored = False
        for rule in rules:
            if fnmatch.fnmatch(path, rule.removeprefix("!")):
                ignored = not rule.startswith("!")
        assert not ignored, f"{path} is in .dockerignore"


def test_the_image_pins_the_torch_the_makefile_pins() -> None:
    pins = [
        set(re.findall(r"torch==[\d.]+\+cpu", (ROOT / name).read_text()))
        for name in ("Dockerfile", "Makefile", "docs/install.md")
    ]
    assert pins[0]
    assert pins[0] == pins[1] == pins[2]


def test_the_citation_names_the_version_of_the_package() -> None:
    package = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    cited = (ROOT / "CITATION.cff").read_text()
    for key in ("version", "license"):
        assert f"\n{key}: {package[key]}\n" in cited


def test_every_test_that_a_promise_of_reliability_names_exists() -> None:
    page = (ROOT / "docs" / "reliability.md").read_text("utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| ") and "::" in line]
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", page)
    assert len(rows) >= 20
    assert all("::" in row.rsplit("|", 2)[1] for row in rows)
    for path, name in named:
        text = (ROOT / path).read_text("utf-8")
        assert re.search(rf"(def {name}\(|^{name} = )", text, re.MULTILINE), f"{path}::{name}"
