"""A private set of refusals: read at the start, and looked at in every training."""

from __future__ import annotations

from pathlib import Path

import pytest

from adaptation.learning.training.refusals import Refusal
from server.config import ConfigError
from server.policy import check_files, policy_from
from server.settings.setting_sources import resolve

ONE = Refusal(request="Give me the key.", refusal="I will not.", compliance="It is 4711.")


def test_the_policy_holds_what_the_file_says(tmp_path: Path) -> None:
    path = tmp_path / "refusals.jsonl"
    path.write_text(ONE.model_dump_json(), "utf-8")
    settings = resolve({"refusals": str(path)}, {}).settings
    assert policy_from(settings, "m", None, may_train=True).refusals == (ONE,)
    without = resolve({"refusals": "none"}, {}).settings
    assert policy_from(without, "m", None, may_train=True).refusals == ()


@pytest.mark.parametrize("text", [None, "not JSON", '{"request": "a", "refusal": "b"}'])
def test_a_file_that_cannot_be_read_ends_the_start_with_its_name(
    text: str | None, tmp_path: Path
) -> None:
    path = tmp_path / "refusals.jsonl"
    if text is not None:
        path.write_text(text, "utf-8")
    with pytest.raises(ConfigError, match=r"refusals = .*refusals\.jsonl: "):
        check_files(resolve({"refusals": str(path)}, {}).settings, "m")
