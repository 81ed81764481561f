"""How a line of the log looks: text for people, or one JSON object for programs.

Either way it has a time (UTC), a level, who logs, and the id of the request or the job that it is
about. `FIELDS` of a record are further keys.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal, TextIO

from server.dotted import dotted
from server.settings.hiding import HidingFormatter
from server.telemetry.notes import JobNote, RequestNote, current_note

LogFormat = Literal["text", "json"]
OURS = ("server", "adaptation", "memory")
"""Packages whose loggers tell what they do; of all others, warnings are enough."""
FIELDS = "fields"
"""The attribute of a record that holds the keys of a request's line."""
ABOUT = "about"
"""Likewise what a line is about."""


class About(logging.Filter):
    """Notes at each line what it is about; every line is logged."""

    def filter(self, record: logging.LogRecord) -> bool:
        """See `logging.Filter`."""
        setattr(record, ABOUT, _about())
        return True


class TextFormatter(logging.Formatter):
    """`TIME LEVEL LOGGER: message key=value …`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line, and those of an exception."""
        parts = [_time(record), record.levelname, f"{record.name}:", record.getMessage()]
        parts += [f"{key}={_word(value)}" for key, value in dotted(_keys(record))]
        return "\n".join([" ".join(parts), *_trace(self, record)])


class JsonFormatter(logging.Formatter):
    """One object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line."""
        shown = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_keys(record),
        }
        if trace := _trace(self, record):
            shown["exception"] = "\n".join(trace)
        return json.dumps(shown, default=str)


FORMATTERS: Mapping[LogFormat, type[logging.Formatter]] = {
    "text": TextFormatter,
    "json": JsonFormatter,
}


def handler_of(log_format: LogFormat, stream: TextIO | None = None) -> logging.Handler:
    """Return what writes lines without secrets; to stderr, where nothing else is said."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(HidingFormatter(FORMATTERS[log_format]()))
    handler.addFilter(About())
    return handler


def set_up(log_format: LogFormat) -> None:
    """Have this process log so: what we do, and everybody's warnings.

    Handlers that an operator's own configuration of vLLM's log gave to all stay alone.
    """
    logging.basicConfig(handlers=[handler_of(log_format)], level=logging.WARNING)
    for package in OURS:
        logging.getLogger(package).setLevel(logging.INFO)


def _about() -> dict[str, str]:
    note = current_note()
    if isinstance(note, JobNote):
        return {"job_id": note.id}
    if not isinstance(note, RequestNote):
        return {}
    traced = {"trace_id": note.trace_id} if note.trace_id else {}
    return {"request_id": note.id, **traced}


def _keys(record: logging.LogRecord) -> dict[str, Any]:
    return {**getattr(record, ABOUT, {}), **getattr(record, FIELDS, {})}


def _word(value: object) -> str:
    """Return a value that no space or line break can be taken for the next key's."""
    text = str(value)
    plain = text.isprintable() and not set(text) & set(' "=')
    return text if plain and text else json.dumps(text, ensure_ascii=not text.isprintable())


def _time(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def _trace(formatter: logging.Formatter, record: logging.LogRecord) -> list[str]:
    """Return the lines of an exception and a stack, where a record has them."""
    exception = [formatter.formatException(record.exc_info)] if record.exc_info else []
    return exception + ([formatter.formatStack(record.stack_info)] if record.stack_info else [])
