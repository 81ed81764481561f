"""What `whet ledger` prints."""

from __future__ import annotations

from pathlib import Path

import pytest

from memory.embedding.embedder import create_embedder
from memory.memory import LongTermMemory
from memory.types import Trial
from server.cli import main
from server.commands.ledger import COLUMNS


def note(data_dir: Path) -> None:
    """Four votes, one of them right; four trainings that helped three times, and tied once."""
    memory = LongTermMemory.open(data_dir, create_embedder("hashing"))
    votes = [Trial(strategy="consistency", right=n == 3, tokens=40, seconds=1.0) for n in range(4)]
    trained = [
        Trial(
            strategy="ttt",
            right=True,
            baseline=n == 3,
            same=n == 3,
            tokens=100,
            trained_tokens=1_000,
        )
        for n in range(4)
    ]
    for name, trials in (("vote", votes), ("ttt", trained)):
        memory.ledger.note("default", [(f"{name}{n}", trial) for n, trial in enumerate(trials)])
    memory.close()


def cells(line: str) -> list[str]:
    return [cell for cell in (each.strip() for each in line.split("  ")) if cell]


def test_the_ledger_is_printed_as_a_table_with_what_a_right_answer_more_costs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """60 tokens and 1,000 trained ones more, for 3 right answers more of 4."""
    note(tmp_path)
    monkeypatch.setenv("WHET_EMBEDDER", "hashing")
    monkeypatch.setenv("WHET_PRICE_PER_MILLION", "3")
    asked = ["ledger", "--data-dir", str(tmp_path)]
    assert main([*asked, "--price-per-million-trained", "0.6"]) == 0
    head, *rows, last = capsys.readouterr().out.splitlines()
    assert [each for each in COLUMNS if each not in head] == []
    vote, trained = (next(r for r in rows if r.startswith(name)) for name in ("consistency", "ttt"))
    assert cells(vote)[:6] == ["consistency", "4", "25% of 4", "0", "0", "0"]
    assert cells(trained)[:6] == ["ttt", "4", "100% of 4", "3", "0", "1"]
    assert cells(trained)[-2:] == ["80", "0.00104"]
    assert last == "of late: steady, agreement 0.00 in 0 votes"
    assert main(asked) == 0
    out = capsys.readouterr().out.splitlines()
    assert "0.00104" not in next(line for line in out if line.startswith("ttt")), "no price of it"


def test_a_ledger_without_trials_says_when_there_will_be_some(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WHET_EMBEDDER", "hashing")
    assert main(["ledger", "--data-dir", str(tmp_path)]) == 0
    assert capsys.readouterr().out.startswith("nothing yet: voted answers are noted")
