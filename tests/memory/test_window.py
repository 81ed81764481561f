"""Answers of late beside those before."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from memory.embedding.hashing import HashingEmbedder
from memory.memory import LongTermMemory
from memory.types import Completion, Message, PastVote, Trial
from memory.versions.window import ENOUGH, Recent, Window


def judged(right: int, of: int) -> Window:
    return Window(asked=of, judged=of, right=right)


@pytest.mark.parametrize(
    ("now", "before", "trend"),
    [
        (judged(60, 100), judged(90, 100), "degrading"),
        (judged(90, 100), judged(60, 100), "steady"),
        (judged(70, 100), judged(70, 100), "stagnating"),
        (judged(100, 100), judged(100, 100), "steady"),
        (judged(0, ENOUGH - 1), judged(40, ENOUGH), "steady"),
        (Window(voted=200, agreement=0.5), Window(voted=200, agreement=0.9), "degrading"),
        (Window(voted=200, agreement=0.9), Window(voted=200, agreement=0.9), "steady"),
        (Window(), Window(), "steady"),
    ],
)
def test_only_a_sure_fall_is_called_worse(now: Window, before: Window, trend: str) -> None:
    assert Recent(now, before).trend == trend


def test_the_window_is_the_newest_answers_and_survives_a_restart(
    tmp_path: Path, embedder: HashingEmbedder
) -> None:
    memory = LongTermMemory.open(tmp_path, embedder)
    began = time.time()
    for number in range(6):
        memory.completions.append(
            Completion(
                id=f"c{number}",
                tenant="t",
                messages=(Message(role="user", content="Hi"),),
                text="x",
                answer="x",
                vote=PastVote(leader=3, runner_up=1, rest=0),
                trial=Trial(strategy="consistency", right=number >= 3, tokens=1, at=began + number),
                tried=(Trial(strategy="ttt", source="shadow", tokens=number, at=began + number),),
            )
        )
    memory.close()
    again = LongTermMemory.open(tmp_path, embedder)
    found = again.windows.of("t", size=3)
    again.close()
    assert found.now == Window(asked=3, voted=3, agreement=0.75, judged=3, right=3, tokens=4.0)
    assert (found.before.asked, found.before.right) == (3, 0)
