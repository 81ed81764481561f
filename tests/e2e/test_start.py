"""A server that has started."""

from __future__ import annotations

from tests.e2e.running import Running


def test_health_docs_and_metrics_answer(server: Running) -> None:
    assert server.get("/health").status_code == 200
    assert server.get("/docs").status_code == 200
    routes = server.get("/openapi.json").json()["paths"]
    assert {"/v1/chat/completions", "/v1/responses", "/tokenize", "/v1/feedback"} <= set(routes)
    assert "vllm:num_requests_running" in server.get("/metrics").text
