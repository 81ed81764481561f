"""What the server tells its operator."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import StringConstraints

from server.settings.group import AbsolutePath, Group

HttpAddress = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/]")]


class Telemetry(Group):
    """Logs, traces, metrics and events of usage."""

    log_format: Literal["text", "json"] = "text"
    """what a line of the log looks like: for people, or one JSON object"""
    log_content: bool = False
    """write the question and the answer into the line of a request too, which nothing erases"""
    otlp_endpoint: HttpAddress | None = None
    """send traces and metrics to an OpenTelemetry collector, such as `http://127.0.0.1:4318`;
    `none` leaves that to the variable `OTEL_EXPORTER_OTLP_ENDPOINT`"""
    usage_events: HttpAddress | None = None
    """send what each request cost to a sink of CloudEvents, such as OpenMeter's
    `http://127.0.0.1:48888/api/v1/events`"""
    usage_events_key_file: AbsolutePath | None = None
    """file with the key that the sink asks for, sent as `Authorization: Bearer`"""
