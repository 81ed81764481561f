"""Where the release of a version begins."""

from __future__ import annotations

from typing import get_args

import pytest

from memory.versions.release import Stage
from server.adapters.releasing import Autonomy, after_shadow, first_stage, stage_once_passed
from server.config import Settings


@pytest.mark.parametrize(
    ("shadow", "share", "first", "second"),
    [
        (0.0, 0.0, Stage.ALL, Stage.ALL),
        (0.0, 0.1, Stage.SHARE, Stage.SHARE),
        (0.2, 0.0, Stage.SHADOW, Stage.ALL),
        (0.2, 0.1, Stage.SHADOW, Stage.SHARE),
    ],
)
def test_a_stage_without_a_share_is_left_out(
    shadow: float, share: float, first: Stage, second: Stage
) -> None:
    settings = Settings(champion_shadow=shadow, champion_share=share)
    assert first_stage(settings) is first
    assert after_shadow(settings.champion_share) is second


def test_whoever_asks_decides_what_is_done_else_the_settings_do() -> None:
    begins: dict[Autonomy, Stage] = {
        "suggest": Stage.SUGGESTED,
        "approve": Stage.WAITING,
        "auto": Stage.SHARE,
    }
    assert set(begins) == set(get_args(Autonomy))
    for set_to, stage in begins.items():
        settings = Settings(champion_share=0.1, champion_autonomy=set_to)
        assert stage_once_passed(settings, None) is stage
        for asked, wanted in begins.items():
            assert stage_once_passed(settings, asked) is wanted
