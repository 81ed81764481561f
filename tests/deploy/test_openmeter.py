"""What OpenMeter is sent and given to read, held to its schema and its rules for meters.

Both are of its repository, August 2026: `Event` of `api/openapi.yaml`, `openmeter/meter/meter.go`.
OpenMeter itself is not run.
"""

from __future__ import annotations

import json
import re
import subprocess
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from loadtests.environment import NotInstalledError
from server.server_process import ROOT
from server.usage.event import TYPE, Event, event_of
from tests.e2e.apart import interpreter
from tests.server.usage_sink import note

TEXT = {"type": "string", "minLength": 1}
OPTIONAL = {"type": ["string", "null"], "minLength": 1}
SCHEMA = {
    "type": "object",
    "required": ["id", "source", "specversion", "type", "subject"],
    "properties": {
        "id": TEXT,
        "source": TEXT,
        "specversion": {**TEXT, "const": "1.0"},
        "type": TEXT,
        "datacontenttype": {"enum": ["application/json", None]},
        "dataschema": OPTIONAL,
        "subject": TEXT,
        "time": OPTIONAL,
        "data": {"type": ["object", "null"]},
    },
    "additionalProperties": False,
}
"""Stricter at its end: CloudEvents takes other attributes in lower case alone."""
RFC_3339 = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00"
READ = """
import json, sys
from cloudevents.core.bindings.http import HTTPMessage, from_structured_event
sent = {"content-type": "application/cloudevents+json"}
event = from_structured_event(HTTPMessage(sent, sys.stdin.buffer.read()))
told = event.get_attributes() | {"data": event.get_data()}
print(json.dumps(told | {"time": event.get_time().isoformat(timespec="milliseconds")}))
"""


@pytest.fixture
def event() -> Event:
    made = event_of(note(1))
    assert made is not None
    return made


def meters() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load((ROOT / "deploy/openmeter.yaml").read_text())[
        "meters"
    ]
    return found


def test_an_event_is_one_that_openmeter_takes(event: Event) -> None:
    assert [*Draft202012Validator(SCHEMA).iter_errors(event)] == []
    assert re.fullmatch(RFC_3339, event["time"])


def test_the_cloudevents_sdk_reads_what_was_sent(event: Event) -> None:
    try:
        python = interpreter("cloudevents")
    except NotInstalledError as error:
        pytest.skip(f"the SDK cannot be installed here (python -m tests.e2e.apart): {error}")
    words = [str(python), "-c", READ]
    sent = json.dumps(event)
    done = subprocess.run(words, input=sent, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == event


@pytest.mark.parametrize("meter", meters(), ids=lambda meter: meter["slug"])
def test_a_meter_is_valid_and_reads_what_events_have(meter: dict[str, Any], event: Event) -> None:
    assert meter["eventType"] == TYPE == event["type"]
    counts = meter["aggregation"] == "COUNT"
    assert counts != ("valueProperty" in meter)
    if not counts:
        assert meter["aggregation"] == "SUM"
        assert isinstance(event["data"][meter["valueProperty"].removeprefix("$.")], int)
    for key, path in meter["groupBy"].items():
        assert re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]*", key)
        assert isinstance(event["data"][path.removeprefix("$.")], str)
