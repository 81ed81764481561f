"""One line a request, in place of the web server's: what was asked for, and what it cost.

Pure ASGI, around everything else. A stream's line comes at its end, the line of a client that left
when its samples have ended. Questions and answers are in it only where the operator asks for them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.http.request_ids import request_id_of
from server.requests.request_context import route_path
from server.telemetry.crowd import Crowd
from server.telemetry.lines import FIELDS
from server.telemetry.notes import Answered, RequestNote, working_on
from server.telemetry.telemetry import Telemetry
from server.tenancy.principal import principal_of

logger = logging.getLogger("server.requests")

PROBES = frozenset({"/health", "/ready", "/metrics", "/ping", "/load", "/version"})
"""Asked for every few seconds: a line is written where the answer begins to be no success."""
PAGE = "/console/"
"""Of the files that make up the console: one look asks for dozens of them. Failures have a line."""
DONE = b"data: [DONE]\n\n"
"""The last event of a stream: OpenAI's clients read no further, and close the connection."""
MOST_CHARACTERS = 2_000
"""Most characters of a question, an answer, a reason."""

Settled = Callable[[RequestNote], None]


@dataclass(frozen=True)
class LogRules:
    """What of requests is logged."""

    is_on: bool = True
    with_content: bool = False
    quiet: frozenset[str] = frozenset()
    """Paths besides `PROBES` whose successes are not worth a line."""


class RequestLog:
    """Notes each request, and writes its line."""

    def __init__(
        self,
        app: ASGIApp,
        rules: LogRules,
        telemetry: Telemetry | None = None,
        settled: Sequence[Settled] = (),
    ) -> None:
        """`telemetry` is told of every request but of those for `PROBES`, `settled` of the end of
        every one."""
        self._app, self._rules, self._telemetry = app, rules, telemetry or Telemetry()
        self._settled = tuple(settled)
        self._quiet = PROBES | rules.quiet
        self._crowd = Crowd()
        self._failing: dict[str, int | None] = {}
        """The quiet paths whose last answer was no success, with its status."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            self._crowd.tell()  # the server's own end is one of these
            return
        note = _noted(scope)
        note.settled, path = self._settled, route_path(scope)
        if self._rules.is_on:
            note.settled = (*note.settled, self._writer(path))
        telemetry = Telemetry() if path in PROBES else self._telemetry
        with working_on(note), telemetry.request(note, scope) as inner:
            try:
                await self._app(inner, _heard(note, receive), _told(note, send))
            finally:
                note.end()

    def _writer(self, path: str) -> Settled:
        if path in self._quiet:
            return partial(self._write_change, path)
        return self._write_failure if path.startswith(PAGE) else self._write

    def _write_change(self, path: str, note: RequestNote) -> None:
        """Write a failure unless the last answer was the same: probes that go on fill no log."""
        if not _has_failed(note):
            self._failing.pop(path, None)
        elif path not in self._failing or self._failing[path] != note.status:
            self._failing[path] = note.status
            self._write(note)

    def _write_failure(self, note: RequestNote) -> None:
        if _has_failed(note):
            self._write(note)

    def _write(self, note: RequestNote) -> None:
        if note.is_turned_away and not self._crowd.is_first():
            return
        went_wrong = (note.status or 0) >= HTTPStatus.INTERNAL_SERVER_ERROR or _end(note) == "cut"
        level = logging.WARNING if went_wrong else logging.INFO
        known = {**_fields(note), **(_content(note.answers) if self._rules.with_content else {})}
        fields = {name: value for name, value in known.items() if value is not None}
        with working_on(note):  # whoever ends last may work for nobody any more
            logger.log(level, "%s %s", note.method, note.path, extra={FIELDS: fields})


def _has_failed(note: RequestNote) -> bool:
    return note.status is None or note.status >= HTTPStatus.BAD_REQUEST


def _noted(scope: Scope) -> RequestNote:
    principal, client = principal_of(scope), scope.get("client")
    return RequestNote(
        id=request_id_of(scope),
        method=scope["method"],
        path=quote(scope["path"]),
        # Who is known before any check asks from inside.
        client=client[0] if client and principal is None else None,
        tenant=principal.tenant if principal else None,
    )


def _heard(note: RequestNote, receive: Receive) -> Receive:
    async def hear() -> Message:
        message = await receive()
        if message["type"] == "http.disconnect" and not note.is_whole:
            note.has_left = True
        return message

    return hear


def _told(note: RequestNote, send: Send) -> Send:
    async def tell(message: Message) -> None:
        if message["type"] == "http.response.start" and not note.has_left:
            note.status = message["status"]
        await send(message)
        if message["type"] == "http.response.body" and _is_last(message):
            note.is_whole = not note.has_left

    return tell


def _is_last(message: Message) -> bool:
    """Whether nothing follows that a client reads."""
    body: bytes = message.get("body", b"")
    return not message.get("more_body", False) or body.endswith(DONE)


def _fields(note: RequestNote) -> dict[str, Any]:
    """Return what a line says, None for what is not known."""
    reports = [answer.report for answer in note.answers]
    spent = [(report.samples, report.tokens) for report in reports] + note.abandoned
    tokens = _sums(tokens.model_dump() for _, tokens in spent)
    if reports:
        tokens = {"prompt": sum(answer.prompt_tokens for answer in note.answers), **tokens}
    return {
        "status": note.status,
        "ended": _end(note),
        "error": note.code,
        "duration_s": round(note.seconds, 4),
        "client": note.client,
        "tenant": note.tenant,
        "completion": _each(answer.completion_id for answer in note.answers),
        "requested": _each(str(report.requested) for report in reports),
        "strategy": _each(str(report.strategy) for report in reports),
        "stop_reason": _each(str(report.stop_reason) for report in reports),
        "fallback": _each(_cut(report.reason) for report in reports if report.reason),
        "samples": _sums(samples.model_dump() for samples, _ in spent) or None,
        "tokens": tokens or None,
        "seconds": _sums(report.seconds for report in reports) or None,
    }


def _content(answers: Iterable[Answered]) -> dict[str, Any]:
    """Return what was asked and answered."""
    return {
        "question": _each(_cut(answer.question) for answer in answers),
        "answer": _each(_cut(answer.text) for answer in answers),
    }


def _end(note: RequestNote) -> str | None:
    """Return how a response ended that did not come to its end."""
    if note.is_whole:
        return None
    return "client_left" if note.has_left else "cut"


def _each(values: Iterable[str]) -> str | list[str] | None:
    """Return what all prompts of a request have in common, or what each kind of them has."""
    found = list(dict.fromkeys(values))
    return found[0] if len(found) == 1 else found or None


def _sums(counts: Iterable[Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for each in counts:
        for name, count in each.items():
            found[name] = round(found.get(name, 0) + count, 4)
    return found


def _cut(text: str) -> str:
    return text if len(text) <= MOST_CHARACTERS else text[: MOST_CHARACTERS - 1] + "…"
