"""The unit for systemd: it is one, it is hardened, and what it names exists."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from server.config import Settings

FOLDER = Path(__file__).parents[2] / "deploy" / "systemd"
MOST_EXPOSED = 30
"""Of 100, by `systemd-analyze security`; a unit that says nothing has 96."""


@pytest.fixture
def analyze() -> str:
    found = shutil.which("systemd-analyze")
    if found is None:
        pytest.skip("systemd is not installed: apt-get install systemd")
    return found


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit with an interpreter that this machine has in place of the command."""
    text = (FOLDER / "whet.service").read_text()
    assert text.count("/opt/whet/bin/whet serve") == 1
    path = tmp_path / "whet.service"
    path.write_text(text.replace("/opt/whet/bin/whet", str(Path(sys.executable).resolve())))
    return path


def test_systemd_takes_the_unit_without_a_word(analyze: str, unit: Path) -> None:
    said = subprocess.run([analyze, "verify", unit], capture_output=True, text=True, check=False)
    assert (said.returncode, said.stderr) == (0, "")


def test_systemd_complains_of_a_unit_that_is_wrong(analyze: str, unit: Path) -> None:
    unit.write_text(unit.read_text().replace("OOMPolicy=continue", "OOMPolicy=gone"))
    said = subprocess.run([analyze, "verify", unit], capture_output=True, text=True, check=False)
    assert "OOM policy" in said.stderr


def test_the_unit_leaves_little_open(analyze: str, unit: Path) -> None:
    words = [analyze, "security", "--offline=yes", f"--threshold={MOST_EXPOSED}", str(unit)]
    said = subprocess.run(words, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stdout[-200:]
    assert "Overall exposure level" in said.stdout


def test_variables_of_the_unit_are_settings_or_of_others() -> None:
    text = "".join((FOLDER / name).read_text() for name in ("whet.service", "whet.env"))
    named = set(re.findall(r"\bWHET_(\w+)=", text))
    assert len(named) >= 2
    assert {name.lower() for name in named} <= set(Settings.model_fields)


def test_locks_of_devices_lie_where_other_processes_find_them() -> None:
    text = (FOLDER / "whet.service").read_text()
    (folder,) = re.findall(r"\bWHET_DEVICE_LOCKS=(\S+)", text)
    assert "PrivateTmp=yes" in text
    assert folder == "/var/lib/whet"
    assert f"WHET_DEVICE_LOCKS={folder}" in (FOLDER.parents[1] / "docs/deploying.md").read_text()


def test_the_user_of_the_unit_is_the_one_that_is_made() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(FOLDER / "whet.service")
    made = [
        line.split()[1]
        for line in (FOLDER / "whet.sysusers").read_text().splitlines()
        if line.startswith("u ")
    ]
    assert made == [unit["Service"]["User"]]
