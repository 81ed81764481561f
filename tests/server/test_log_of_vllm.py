"""vLLM's own lines look as ours do, also once its engine has set up its log."""

from __future__ import annotations

import importlib
import io
import logging
import sys
from pathlib import Path

import pytest

from server.config import Settings
from server.telemetry.lines import handler_of
from tests.server.composed import Reply, arguments, composed, launch

STANDARDS = "model_hosting_container_standards.logging_config"


@pytest.mark.filterwarnings("ignore:pythonjsonlogger.jsonlogger has been moved:DeprecationWarning")
def test_what_vllm_logs_goes_where_ours_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    vllm, root, said = logging.getLogger("vllm"), logging.getLogger(), io.StringIO()
    handler = handler_of("json", said)
    args = arguments(monkeypatch, Settings(embedder="hashing"))
    before = (list(vllm.handlers), vllm.propagate, vllm.level)
    root.addHandler(handler)
    try:
        launch.set_up_logging(args, "json")
        config = launch.EngineArgs.from_cli_args(args).create_engine_config()
        assert config.logging_config.formatter == "json", "its processes write JSON too"
        said.truncate(0)
        logging.getLogger("vllm.somewhere").warning("postgresql://me:hunter2@db")
    finally:
        root.removeHandler(handler)
        vllm.handlers, vllm.propagate, vllm.level = before
    assert '"logger": "vllm.somewhere"' in said.getvalue()
    assert "hunter2" not in said.getvalue()


async def test_vllms_app_leaves_everybodys_warnings_in_the_log(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = logging.getLogger()
    before = root.level
    root.setLevel(logging.WARNING)
    monkeypatch.delitem(sys.modules, STANDARDS, raising=False)
    try:
        async with composed(data_dir.parent, monkeypatch, lambda _: Reply("#### 1")):
            importlib.import_module(STANDARDS)  # as vLLM's app does the first time
            assert root.level == logging.WARNING
    finally:
        root.setLevel(before)
