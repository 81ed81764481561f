"""The reference says what the code says: its generated parts are those that the code makes now."""

from __future__ import annotations

import re
from typing import Literal

import pytest
from pydantic import BaseModel, Field

from adaptation.options import Options
from adaptation.report import Report, StopReason
from docs.generate import fields, pages
from server.cli import COMMANDS
from server.config import Settings


class Sample(BaseModel):
    """A model with a field of each sort."""

    share: float = Field(default=0.5, ge=0.0, lt=1.0)
    """a share,
    of all"""
    size: int = Field(default=20_000, ge=1)
    cold: float = Field(default=-1.0, ge=-1.0, le=1.0)
    rule: Literal["a", "b"] = "a"
    name: str | None = Field(default=None, min_length=1, max_length=2000)
    many: tuple[Options, ...] | None = None


def row(page: str, name: str) -> list[str]:
    """The cells of a row of the reference, by its first."""
    text = pages.path_of(page).read_text("utf-8")
    return next(
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith(f"| `{name}` |")
    )


@pytest.mark.parametrize("name", pages.PAGES)
def test_a_page_is_what_the_code_makes_of_it(name: str) -> None:
    page = pages.path_of(name).read_text("utf-8")
    assert pages.filled(name, page) == page, "make docs writes it anew"


def test_what_is_written_by_hand_around_the_generated_part_is_left_alone() -> None:
    page = "# A\n\nbefore\n\n<!-- generated -->\nold\n<!-- end of generated -->\n\nafter\n"
    filled = pages.filled("metrics", page)
    assert filled.startswith("# A\n\nbefore\n\n<!-- generated -->\n\n| series |")
    assert filled.endswith("\n\n<!-- end of generated -->\n\nafter\n")
    assert "old" not in filled


def test_every_setting_has_its_row_with_default_and_bounds() -> None:
    assert [name for name in Settings.model_fields if len(row("settings", name)) != 4] == []
    assert row("settings", "max_samples")[1:3] == ["16", "1 to 64"]
    assert row("settings", "min_similarity")[1:3] == ["0.5", "−1 to 1"]
    assert row("settings", "temperatures")[1:3] == ["none", "at most 64 values, each 0 < x ≤ 2"]


def test_every_command_has_its_section() -> None:
    text = pages.path_of("commands").read_text("utf-8")
    sections = set(re.findall(r"^## whet (\w+)$", text, re.MULTILINE))
    assert sections == set(COMMANDS) - {"serve"}
    assert "\n### whet memory import\n" in text


def test_options_and_reports_are_told_down_to_the_last_field() -> None:
    assert row("options", "budget.tokens")[2] == "1 to 10,000,000"
    assert row("report", "votes[].count")
    assert row("report", "memory.saved")
    assert [name for name in Report.model_fields if not row("report", name)[1]] == []
    assert [reason for reason in StopReason if not row("report", reason)[1]] == []


def test_a_field_without_a_docstring_stops_the_generation() -> None:
    assert fields.docstring(Sample, "share") == "a share, of all"
    with pytest.raises(LookupError, match=r"Sample\.size"):
        fields.docstring(Sample, "size")


def test_defaults_and_bounds_are_written_as_people_read_them() -> None:
    known = Sample.model_fields
    assert [fields.bounds(field) for field in known.values()] == [
        "0 ≤ x < 1",
        "at least 1",
        "−1 to 1",
        "`a`, `b`",
        "1 to 2,000 characters",
        "",
    ]
    assert [fields.default(field) for field in known.values()] == [
        "0.5",
        "20,000",
        "−1",
        "`a`",
        "none",
        "none",
    ]
    assert list(fields.models_in(known["many"].annotation)) == [Options]
    assert fields.is_many(known["many"].annotation)
    assert not fields.is_many(known["name"].annotation)
