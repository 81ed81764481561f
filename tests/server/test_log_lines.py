"""What a line of the log looks like, for people and for programs."""

from __future__ import annotations

import json
import logging
import re

import pytest

from memory.threads import Threads
from server.settings.hiding import HidingFormatter
from server.telemetry.lines import FIELDS, OURS, LogFormat, set_up
from server.telemetry.notes import JobNote, RequestNote, working_on
from tests.server.telemetry_lines import logged

logger = logging.getLogger("server.somewhere")
NOTE = RequestNote(id="req_1", method="GET", path="/")


def test_a_line_of_text_has_time_level_logger_message_and_keys() -> None:
    with logged("text") as log, working_on(NOTE):
        logger.info("so %s", "it is", extra={FIELDS: {"a": {"b": 1, "c": "x y"}, "d": 'say "no"'}})
    found = re.fullmatch(r"(\S+) INFO server.somewhere: so it is (.*)\n", log.text)
    assert found
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", found[1])
    assert found[2] == r'request_id=req_1 a.b=1 a.c="x y" d="say \"no\""'


def test_a_line_of_json_has_the_same() -> None:
    with logged() as log, working_on(NOTE):
        logger.warning("so %s", "it is", extra={FIELDS: {"a": {"b": 1}}})
    (line,) = log.lines
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "warning",
        "logger": "server.somewhere",
        "message": "so it is",
        "request_id": "req_1",
        "a": {"b": 1},
    }


@pytest.mark.parametrize("log_format", ["text", "json"])
@pytest.mark.parametrize("value", ["a\nforged=1", "a\u2028b", "a b=c", "a\x1b[2J", ""])
def test_a_value_stays_on_its_line_and_within_its_key(log_format: LogFormat, value: str) -> None:
    with logged(log_format) as log:
        logger.info("said", extra={FIELDS: {"k": value, "l": 1}})
    assert log.text.count("\n") == 1
    if log_format == "json":
        assert log.lines[0]["k"] == value
    else:
        shown = log.text.split(" k=")[1].removesuffix(" l=1\n")
        assert json.loads(shown) == value
        assert shown.isprintable()


@pytest.mark.parametrize("value", ['see ?token=hunter2"x', "?api_key=hunter2\\", '/?secret="'])
def test_a_secret_beside_a_quote_is_hidden_and_json_stays_json(value: str) -> None:
    with logged() as log:
        logger.info("%s", value, extra={FIELDS: {"question": value}})
    (line,) = log.lines
    assert line["message"] == line["question"]
    assert "hunter2" not in log.text


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_an_exception_is_told_with_the_request_and_without_secrets(log_format: LogFormat) -> None:
    with logged(log_format) as log, working_on(NOTE):
        try:
            raise ValueError("postgresql://me:hunter2@db/whet")
        except ValueError:
            logger.exception("it failed")
    assert "req_1" in log.text
    assert "Traceback" in log.text
    assert "postgresql://me:***@db" in log.text
    assert "hunter2" not in log.text
    if log_format == "json":
        assert len(log.lines) == 1


@pytest.mark.parametrize("given", [[], [logging.NullHandler()]], ids=["none", "an operators"])
def test_what_an_operator_configured_stays_alone(
    given: list[logging.Handler], monkeypatch: pytest.MonkeyPatch
) -> None:
    root, before = logging.getLogger(), [logging.getLogger(name).level for name in OURS]
    monkeypatch.setattr(root, "handlers", list(given))
    level = root.level
    try:
        set_up("json")
        set_up("json")
        (handler,) = root.handlers
    finally:
        root.setLevel(level)
        for name, own in zip(OURS, before, strict=True):
            logging.getLogger(name).setLevel(own)
    assert (handler in given) == bool(given)
    assert handler.formatter is None if given else isinstance(handler.formatter, HidingFormatter)


def test_a_job_says_which_it_is() -> None:
    with logged() as log, working_on(JobNote("job_7")):
        logger.info("begins")
    assert log.lines[0]["job_id"] == "job_7"


def test_work_for_nobody_names_nobody() -> None:
    with logged() as log:
        logger.info("idle")
    assert set(log.lines[0]) == {"time", "level", "logger", "message"}


async def test_a_thread_of_the_memory_logs_for_its_request() -> None:
    with logged() as log, working_on(NOTE):
        await Threads("reading", 1).run(logger.info, "read")
    assert log.lines[0]["request_id"] == "req_1"
