"""Headers that name strategy, cost and server, for who sees headers and no further fields."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from starlette.datastructures import MutableHeaders
from starlette.types import Message, Send

from adaptation.options import Strategy
from adaptation.report import Report
from server.requests.request_context import Arrival

REPORTS = "/v1/reports"
REPLICA = "x-whet-replica"


def named(replica: str | None) -> list[tuple[str, str]]:
    """Return the headers of every response, refusals included: which replica answers."""
    return [] if replica is None else [(REPLICA, replica)]


def with_headers(send: Send, arrival: Arrival) -> Send:
    """Return a `send` that adds to a good response what its handler wants to be told."""

    async def tell(message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] == 200:
            headers = MutableHeaders(scope=message)
            for name, value in arrival.headers.items():
                headers[name] = value
        await send(message)

    return tell


def report_headers(
    asked: Strategy,
    completion_id: str,
    root_path: str,
    reports: Collection[Report],
    adapters: Collection[str] = (),
) -> Mapping[str, str]:
    """Return what is known when a response starts.

    Of a stream, which has no `reports` yet, that is what was asked for and where they will be.
    `adapters` are those that answered beside the base.
    """
    known = {
        "strategy": str(asked),
        "completion-id": completion_id,
        "report": f"{root_path}{REPORTS}/{completion_id}",
    }
    if reports:
        first = next(iter(reports))
        known["strategy"], known["stop-reason"] = str(first.strategy), str(first.stop_reason)
        known["samples"] = str(sum(report.samples.started for report in reports))
        known["completion-tokens"] = str(sum(report.tokens.generated for report in reports))
        if adapters:
            known["adapter"] = ",".join(dict.fromkeys(adapters))
    return {f"x-whet-{name}": value for name, value in known.items()}
