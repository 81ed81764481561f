"""A server that has started."""

from __future__ import annotations

import pytest

from tests.e2e.running import Running


def test_health_docs_and_metrics_answer(server: Running) -> None:
    assert server.get("/health").status_code == 200
    assert server.get("/docs").status_code == 200
    routes = server.get("/openapi.json").json()["paths"]
    assert {"/v1/chat/completions", "/v1/responses", "/tokenize", "/v1/feedback"} <= set(routes)
    assert "vllm:num_requests_running" in server.get("/metrics").text


def test_its_screen_tells_what_it_serves_and_no_library_warns(server: Running) -> None:
    if server.process is None:
        pytest.skip("the log of a server that somebody else started is not here")
    log = server.log.read_text("utf-8")
    for path in ("/v1", "/console", "/docs", "/v1/chat/completions"):
        assert server.url + path in log
    assert "whet-pebble: built in, since no MODEL was given" in log
    assert str(server.data_dir) in log
    assert f"`kill {server.process.pid}` stops it." in log
    for noise in ("WARNING", "Warning", "Triton", "Loading safetensors", "Uvicorn running"):
        assert noise not in log.partition("stops it.")[0]
