"""Headers that name strategy and cost, for clients that show headers and no further fields."""

from __future__ import annotations

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import Message, Send

from server.request_context import RequestContext

REPORTS = "/v1/reports"


def telling(send: Send, context: RequestContext, root_path: str) -> Send:
    """Return a `send` that adds to a good response what is known when it starts.

    Of a stream that is what was asked for and where its report will be.
    """

    async def tell(message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] == 200:
            kind = Headers(raw=message["headers"]).get("content-type", "")
            is_whole = kind.startswith("application/json")
            headers = MutableHeaders(scope=message)
            for name, value in _known(context, root_path, is_whole=is_whole).items():
                headers[f"x-whet-{name}"] = value
        await send(message)

    return tell


def _known(context: RequestContext, root_path: str, *, is_whole: bool) -> dict[str, str]:
    known = {"strategy": str(context.options.strategy)}
    if context.public_id:
        known["completion-id"] = context.public_id
        known["report"] = f"{root_path}{REPORTS}/{context.public_id}"
    if is_whole and (reports := [*context.reports.values()]):
        first = reports[0]
        known["strategy"], known["stop-reason"] = str(first.strategy), str(first.stop_reason)
        known["samples"] = str(sum(report.samples.started for report in reports))
        known["completion-tokens"] = str(sum(report.tokens.generated for report in reports))
    return known
