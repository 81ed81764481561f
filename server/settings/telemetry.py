"""What the server tells its operator."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import StringConstraints

from server.settings.group import Group


class Telemetry(Group):
    """Logs, traces and metrics."""

    log_format: Literal["text", "json"] = "text"
    """what a line of the log looks like: for people, or one JSON object"""
    log_content: bool = False
    """write the question and the answer into the line of a request too, which nothing erases"""
    otlp_endpoint: Annotated[str, StringConstraints(pattern=r"^https?://[^\s/]")] | None = None
    """send traces and metrics to an OpenTelemetry collector, such as `http://127.0.0.1:4318`;
    `none` leaves that to the variable `OTEL_EXPORTER_OTLP_ENDPOINT`"""
