"""Adapters are kept apart for all weights, whatever the model is called."""

from __future__ import annotations

from pathlib import Path

from server.adapters.kept_adapters import FOLDER, kept_adapters


def test_other_weights_of_the_same_name_have_their_own_adapters(tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    data = tmp_path / "data"
    for weights in (b"1", b"22", b"22"):
        (model / "model.safetensors").write_bytes(weights)
        kept_adapters(data, str(model), 1)
        first = {path.name for path in (data / FOLDER).iterdir()}
        kept_adapters(data, str(model), 1)
        assert {path.name for path in (data / FOLDER).iterdir()} == first
    assert len(first) == 3
    assert kept_adapters(data, "somebody/model", 1) is not None


def test_none_are_kept_where_none_may_be(tmp_path: Path) -> None:
    assert kept_adapters(tmp_path, "m", 0) is None
    assert list(tmp_path.iterdir()) == []
