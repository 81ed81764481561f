"""What a start shows: its stages, and one screen when the server is ready."""

from __future__ import annotations

import argparse
import json
import logging
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from server.models.catalogue import SMOLLM2
from server.models.origin import Origin
from server.requests.request_context import CHAT
from server.settings.places import default_data_dir
from server.settings.setting_sources import resolve
from server.startup.engine_defaults import flags_for, prepare_environment
from server.startup.greeting import MODELS, greeting_of
from server.startup.quiet import QUIET, hush
from server.startup.starting import Start
from server.telemetry.lines import OURS, set_up

ADDRESS = "http://127.0.0.1:8000"
PATHS = {CHAT, "/console", "/docs"}


@pytest.fixture(autouse=True)
def loggers() -> Iterator[None]:
    """Leave every logger as it was."""
    names = ("", "vllm", *OURS)
    before = [(logging.getLogger(name), logging.getLogger(name).level) for name in names]
    handlers = list(logging.getLogger().handlers)
    yield
    logging.getLogger().handlers[:] = handlers
    for logger, level in before:
        logger.setLevel(level)


def text(data_dir: Path, asked: str | None = None, paths: set[str] = PATHS, **args: Any) -> str:
    served = {"served_model_name": ["whet-pebble"], "model": "/weights", "api_key": None}
    resolved = resolve({"data_dir": data_dir}, {})
    found = greeting_of(argparse.Namespace(**{**served, **args}), asked, resolved, "4 M parameters")
    return found.text(ADDRESS, paths, 21.4, "Ctrl-C")


def test_one_screen_tells_all_that_a_first_minute_needs(tmp_path: Path) -> None:
    told = text(tmp_path)
    assert len(told.splitlines()) <= 22
    assert "ready after 21 s" in told
    assert re.search(r"model +whet-pebble: built in, since no MODEL was given\n +4 M param", told)
    assert re.search(rf"data +{tmp_path} \(set by --data-dir\)", told)
    assert re.search(r"strategy +consistency: up to 16 votes within 300 s \(the default\)", told)
    for name, path in (("API", "/v1"), ("console", "/console"), ("docs", "/docs")):
        assert re.search(rf"{name} +{ADDRESS}{path}\n", told)
    assert "Ctrl-C stops it" in told


def test_its_curl_is_a_request_that_can_be_pasted(tmp_path: Path) -> None:
    told = text(tmp_path, served_model_name=["it's mine"])
    words = shlex.split(told[told.index("curl ") : told.index("Ctrl-C")])
    assert words[:2] == ["curl", ADDRESS + CHAT]
    body = json.loads(words[words.index("-d") + 1])
    assert (body["model"], body["messages"][0]["role"]) == ("it's mine", "user")
    assert "Authorization" not in told
    assert "Authorization: Bearer $WHET_API_KEY" in text(tmp_path, api_key=["secret"])
    assert "secret" not in text(tmp_path, api_key=["secret"])
    assert f"curl {ADDRESS}{MODELS}" in text(tmp_path, paths={"/docs"}), "a model that only embeds"
    assert "/console" not in text(tmp_path, paths={CHAT})


def test_another_model_is_one_word_away_once_it_is_at_hand(tmp_path: Path) -> None:
    get = f"`whet models get smollm2 --data-dir {tmp_path}` (93 MB to download)"
    assert f"; first {get}" in text(tmp_path)
    assert SMOLLM2.how_to_get(default_data_dir()) == get.replace(f" --data-dir {tmp_path}", "")
    folder = tmp_path / "models" / "smollm2"
    folder.mkdir(parents=True)
    Origin(name="smollm2", source="x", sha256="0", licence=None).write(folder)
    for asked in (None, "whet-pebble"):
        told = text(tmp_path, asked)
        assert f"`whet serve smollm2 --data-dir {tmp_path}` serves a small real model\n" in told
    assert "whet serve smollm2" not in text(tmp_path, "smollm2")


@pytest.mark.parametrize(
    ("asked", "chosen"),
    [
        ("whet-pebble", "built in"),
        ("smollm2", "SmolLM2-135M-Instruct, a real model"),
        ("my.gguf", "converted from my.gguf"),
        ("/", "from its folder"),
        ("Qwen/Qwen3-4B", "by its name on the model hub"),
    ],
)
def test_it_tells_how_the_model_was_chosen(asked: str, chosen: str, tmp_path: Path) -> None:
    assert re.search(rf"model +whet-pebble: {chosen}\n", text(tmp_path, asked))


def test_without_a_terminal_each_stage_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    with Start("text", verbose=False) as start:
        start.stage("importing vLLM")
        start.stage("loading whet-pebble")
    told = capsys.readouterr()
    assert told.err.splitlines() == ["whet: importing vLLM", "whet: loading whet-pebble"]
    assert told.out == ""


def test_a_log_of_json_has_no_line_that_is_none(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    set_up("json")
    with Start("json", verbose=False) as start:
        start.stage("importing vLLM")
        start.ready(ADDRESS, PATHS)
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["message"] for line in lines] == [
        "importing vLLM",
        f"ready on {ADDRESS} (routes at {ADDRESS}/docs)",
    ]


def test_libraries_say_errors_alone_unless_somebody_wants_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    quiet: dict[str, str] = {}
    prepare_environment(quiet, verbose=False)
    assert QUIET.items() <= quiet.items()
    loud: dict[str, str] = {}
    prepare_environment(loud, verbose=True)
    assert loud["VLLM_LOGGING_LEVEL"] == "WARNING"
    assert "TORCH_CPP_LOG_LEVEL" not in loud
    theirs = {"VLLM_LOGGING_LEVEL": "DEBUG"}
    prepare_environment(theirs, verbose=False)
    assert theirs["VLLM_LOGGING_LEVEL"] == "DEBUG"
    assert flags_for(True, verbose=False)["uvicorn_log_level"] == "warning"
    assert "uvicorn_log_level" not in flags_for(True)
    hush(quiet)
    assert not logging.getLogger("vllm.triton_utils").isEnabledFor(logging.WARNING)
    assert logging.getLogger("vllm.engine").isEnabledFor(logging.ERROR)
