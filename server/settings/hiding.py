"""Keeps secrets out of whatever is shown: logs, errors, tables of settings.

Knows what a secret looks like, not where it comes from: a password in a URL, a key of Whet's. What
is shown goes through `hidden` at the places where all of it passes.
"""

from __future__ import annotations

import logging
import re

MASK = "***"
_PASSWORD = re.compile(r"(\b[a-zA-Z][a-zA-Z0-9+.-]*://[^\s:/@?#]*):\S*@")
"""In a URL; up to the last `@`, as people leave those in a password as they are."""
_PARAMETER = re.compile(
    r"([?&;]\w*(?:password|passwd|secret|token|api_?key)\w*=)(?:\\[^\s\"]|[^&;\s'\"\\])+",
    re.IGNORECASE,
)
"""Of a URL; up to a quote, with the backslash before it: lines of JSON stay JSON."""
_KEY = re.compile(r"\b(?:whet-[A-Za-z0-9_-]{43}|hf_[A-Za-z0-9]{20,}|sk-[A-Za-z0-9_-]{20,})")


def hidden(text: str) -> str:
    """Return a text with a mask in place of each secret in it."""
    text = _PASSWORD.sub(rf"\1:{MASK}@", text)
    text = _PARAMETER.sub(rf"\1{MASK}", text)
    return _KEY.sub(MASK, text)


def hide_in_logs() -> None:
    """Hide secrets in what the handlers that are there now write."""
    loggers = [logging.getLogger(), *map(logging.getLogger, list(logging.root.manager.loggerDict))]
    for handler in {handler for logger in loggers for handler in logger.handlers}:
        if not isinstance(handler.formatter, HidingFormatter):
            handler.setFormatter(HidingFormatter(handler.formatter or logging.Formatter()))


class HidingFormatter(logging.Formatter):
    """Formats as another does, and hides what is secret in record, exception and stack."""

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self._inner = inner

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter`."""
        return hidden(self._inner.format(record))
