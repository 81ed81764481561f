"""`whet tune`: what it finds is kept for the model, and served with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from adaptation.learning.training.fake import FakeTrainer
from adaptation.learning.training.recipes import recipe_for
from adaptation.learning.training.trainer import Recipe
from memory.types import Message
from server.cli import main
from server.config import ConfigError, Settings
from server.policy import policy_from
from server.tuning.tuned import FILE, TUNED, Tuned

FOUND = Tuned(
    recipe=Recipe(rank=4, learning_rate=1e-3, steps=12),
    right=0.5,
    untrained=0.1,
    questions=48,
    worlds=("jargon/500",),
    found_at="2026-01-01T00:00:00+00:00",
)


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[FakeTrainer]:
    """The trainers that a command makes."""
    made: list[FakeTrainer] = []

    def make(*arguments: Any, **keywords: Any) -> FakeTrainer:
        made.append(FakeTrainer())
        return made[-1]

    monkeypatch.setattr("server.jobs.kinds.tune.ProcessTrainer", make)
    return made


def test_a_tuned_recipe_is_served_with_unless_settings_say_otherwise(data_dir: Path) -> None:
    settings = Settings(data_dir=data_dir)
    size = 3_500_000
    assert policy_from(settings, "whet-pebble", size, True).recipe == recipe_for(size)
    TUNED.save(data_dir, "whet-pebble", FOUND)
    assert policy_from(settings, "whet-pebble", size, True).recipe == FOUND.recipe
    assert policy_from(settings, "smollm2", size, True).recipe == recipe_for(size)
    changed = settings.model_copy(update={"train_steps": 7})
    assert policy_from(changed, "whet-pebble", size, True).recipe.steps == 7


def test_a_broken_file_says_what_to_do(data_dir: Path) -> None:
    data_dir.mkdir(exist_ok=True)
    (data_dir / FILE).write_text('{"whet-pebble": {"recipe": 3}}')
    with pytest.raises(ConfigError, match="whet tune"):
        policy_from(Settings(data_dir=data_dir), "whet-pebble", None, True)


def test_the_command_searches_keeps_prints_and_forgets(
    data_dir: Path, trained: list[FakeTrainer], capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["tune", "--data-dir", str(data_dir), "--questions", "4"]
    assert main([*words, "--json", str(data_dir / "trials.json")]) == 0
    said = capsys.readouterr().out
    assert "0% of 16 questions, 0% untrained" in said
    found = TUNED.load(data_dir, "whet-pebble")
    assert found is not None
    assert len(found.worlds) == 4
    trials = json.loads((data_dir / "trials.json").read_text())["trials"]
    jobs = len(trained[0].jobs)
    assert len(trials) == jobs
    assert trained[0].closed
    assert main(words) == 0, "the second run goes on from the trials of the first"
    assert trained[1].jobs == []
    assert main([*words, "--forget"]) == 0
    assert TUNED.load(data_dir, "whet-pebble") is None


def test_own_records_are_tried_on_by_cross_validation(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = data_dir.parent / "own.jsonl"
    sums = [
        {"question": f"What is {i} lamp?", "answer": f"{i}", "rationale": f"See: {i}.\n#### {i}"}
        for i in range(40)
    ]
    lines.write_text("\n".join(map(json.dumps, sums)))
    folder = ["--data-dir", str(data_dir)]
    hashing = data_dir.parent / "whet.toml"
    hashing.write_text('embedder = "hashing"\n')
    configured = [*folder, "--config", str(hashing)]
    assert main(["memory", "import", str(lines), "--tenant", "ann", *configured]) == 0

    def knows_when_trained(turns: tuple[Message, ...], adapter: str | None) -> str:
        return f"#### {turns[-1].content.split()[2]}" if adapter else "I do not know."

    monkeypatch.setattr(
        "server.jobs.kinds.tune.ProcessTrainer",
        lambda *arguments, **keywords: FakeTrainer(answer=knows_when_trained),
    )
    own = ["tune", "--own", "--questions", "8", *configured]
    assert main(own) == 1, "the default tenant has none"
    assert "at least 24 that are alike" in capsys.readouterr().err
    assert main([*own, "--tenant", "ann"]) == 0
    found = TUNED.load(data_dir, "whet-pebble")
    assert found is not None
    assert (found.right, found.untrained) == (1.0, 0.0)
    assert all(world.startswith("own/") for world in found.worlds)
