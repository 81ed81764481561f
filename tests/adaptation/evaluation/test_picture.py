"""The picture: the same bytes each time, every arm told apart, and errors in one line."""

from __future__ import annotations

import builtins
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from adaptation.evaluation.arms import ARMS
from adaptation.evaluation.errors import EvaluationError
from adaptation.evaluation.picture import LOOKS, draw
from adaptation.evaluation.summary import Summary, summarise
from tests.adaptation.evaluation.made_up import outcomes, realistic, refused, run


@pytest.fixture(scope="module")
def summary() -> Summary:
    return summarise(realistic(questions=3))


def test_every_arm_has_a_look_of_its_own() -> None:
    assert LOOKS.keys() == ARMS.keys()
    assert len({(look.colour, look.marker) for look in LOOKS.values()}) == len(LOOKS)


def test_a_picture_is_the_same_each_time_and_names_no_date(
    summary: Summary, tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib")
    first, second = tmp_path / "a.svg", tmp_path / "b.svg"
    draw(summary, first)
    draw(summary, second)
    text = first.read_text()
    assert text == second.read_text()
    assert "<dc:date>" not in text
    assert not re.search(r"20\d\d-\d\d-\d\dT", text)


def test_a_png_is_wide_enough_to_read_and_white(summary: Summary, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from matplotlib.image import imread

    path = tmp_path / "run.PNG"
    draw(summary, path)
    pixels = imread(path, format="png")  # (rows, columns, RGBA)
    assert pixels.shape[1] == 1800
    assert tuple(pixels[0, 0]) == (1.0, 1.0, 1.0, 1.0)


def test_arms_stand_where_their_figures_are() -> None:
    pytest.importorskip("matplotlib")
    from matplotlib.figure import Figure

    from adaptation.evaluation.picture import _figure

    results = run(
        outcomes("one", [True, False], generated_tokens=40, seconds=0.25),
        outcomes("copy", [True, False, False, False], generated_tokens=0, seconds=0.0),
    )
    tokens, seconds = _figure(Figure, summarise(results)).axes
    for axes, x in ((tokens, 40), (seconds, 0.25)):
        line = axes.containers[0].lines[0]
        assert (line.get_xdata()[0], line.get_ydata()[0]) == (x, 0.5)
        across = next(line for line in axes.lines if line.get_linestyle() == "--")
        assert set(across.get_ydata()) == {0.25}


def test_arms_that_all_failed_are_left_out(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    failed = [refused(arm="ttt")]
    draw(summarise(run(outcomes("one", [True]), failed)), tmp_path / "with.svg")
    draw(summarise(run(outcomes("one", [True]))), tmp_path / "without.svg")
    assert (tmp_path / "with.svg").read_text() == (tmp_path / "without.svg").read_text()


@pytest.mark.parametrize("name", ["run.jpg", "run"])
def test_another_suffix_is_refused(summary: Summary, name: str) -> None:
    with pytest.raises(EvaluationError, match=r"\.png or \.svg"):
        draw(summary, Path(name))


def test_a_place_that_is_not_there_is_an_error_of_one_line(
    summary: Summary, tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib")
    with pytest.raises(EvaluationError, match="cannot be written: No such file"):
        draw(summary, tmp_path / "absent" / "run.svg")


def test_without_matplotlib_the_error_says_what_to_install(
    summary: Summary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def absent(name: str, *rest: Any) -> Any:
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *rest)

    for name in [name for name in sys.modules if name.startswith("matplotlib")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(EvaluationError, match=r'pip install "whet\[eval\]"'):
        draw(summary, tmp_path / "run.png")
