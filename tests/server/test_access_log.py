"""What was asked for in a query is in no log."""

from __future__ import annotations

import logging

import pytest
import uvicorn

from server.access_log import ACCESS_LOGGER, DropQueries, drop_queries


def line(path: str) -> logging.LogRecord:
    arguments = ("127.0.0.1:1", "GET", path, "1.1", 200)
    words = '%s - "%s %s HTTP/%s" %d'
    return logging.LogRecord(ACCESS_LOGGER, logging.INFO, "", 0, words, arguments, None)


@pytest.mark.parametrize("query", ["", "?q=my+secret", "?", "?a=1?q=my+secret", "?q=%0Amy secret"])
def test_a_line_holds_the_path_and_no_query(query: str) -> None:
    record = line("/v1/memory/records" + query)
    assert DropQueries().filter(record)
    assert record.getMessage() == '127.0.0.1:1 - "GET /v1/memory/records HTTP/1.1" 200'


def test_other_lines_are_left_alone() -> None:
    record = logging.LogRecord(ACCESS_LOGGER, logging.INFO, "", 0, "why? %s", ("so?",), None)
    assert DropQueries().filter(record)
    assert record.getMessage() == "why? so?"


def test_uvicorn_keeps_the_filter_when_it_configures_its_log() -> None:
    logger = logging.getLogger(ACCESS_LOGGER)
    before = (list(logger.filters), list(logger.handlers), logger.level, logger.propagate)
    try:
        drop_queries()
        drop_queries()
        uvicorn.Config(lambda: None, log_level="info").configure_logging()
        ours = [known for known in logger.filters if isinstance(known, DropQueries)]
        assert len(ours) == 1
        record = line("/v1/memory/records?q=my+secret")
        assert logger.filter(record)
        assert "secret" not in record.getMessage()
    finally:
        logger.filters, logger.handlers, logger.level, logger.propagate = before
