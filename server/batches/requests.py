"""A batch's input: one request a line, looked at before any of them is answered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from server.batches.members import Members
from server.http.request_body import Body
from server.refusals.errors import ApiError
from server.refusals.soundness import sound_object
from server.requests.request_context import CHAT, COMPLETIONS, RESPONSES

ENDPOINTS = (CHAT, COMPLETIONS, RESPONSES, "/v1/embeddings")
MOST_REQUESTS = 50_000
"""Most requests of one batch, as at OpenAI."""
MOST_CHARS = 200
"""Most characters of what is told about one fault."""
MOST_FAULTS = 100
"""What is wrong with an input is told up to so many times."""


@dataclass(frozen=True)
class BatchRequest:
    """One request of a batch."""

    line: int
    """From 1, likewise below."""
    custom_id: str
    body: Body


@dataclass(frozen=True)
class Fault:
    """What is wrong with a line, as OpenAI tells it."""

    code: str
    message: str
    line: int | None = None
    param: str | None = None


class FaultyLineError(Exception):
    """A line is no request for this batch."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


def examined(
    content: Iterable[bytes], endpoint: str, most_bytes: int
) -> tuple[int, list[dict[str, Any]]]:
    """Return how many requests an input has, and what is wrong with it.

    A line has `most_bytes`, as a request of its own would.
    """
    faults, seen, count = list[Fault](), set[str](), 0
    for number, line in numbered_lines(content):
        count += 1
        if count > MOST_REQUESTS:
            faults.append(Fault("too_many_tasks", f"more than {MOST_REQUESTS} requests", number))
            break
        try:
            if len(line) > most_bytes:
                raise _faulty(
                    number, "line_too_long", f"this line has more than {most_bytes} bytes"
                )
            request = read_request(number, line, endpoint)
            if request.custom_id in seen:
                raise _faulty(
                    number, "duplicate_custom_id", "is that of an earlier line", "custom_id"
                )
            seen.add(request.custom_id)
        except FaultyLineError as error:
            faults.append(error.fault)
            if len(faults) >= MOST_FAULTS:
                break
    if not count:
        faults.append(Fault("empty_file", "the input file holds no requests"))
    return count, [asdict(fault) for fault in faults]


def requests_of(content: Iterable[bytes], endpoint: str) -> Iterator[BatchRequest]:
    """Yield the requests of an input in which nothing is wrong."""
    for number, line in numbered_lines(content):
        yield read_request(number, line, endpoint)


def read_request(number: int, line: bytes, endpoint: str) -> BatchRequest:
    """Return the request of one line; raises `FaultyLineError`."""
    members = Members()
    try:
        given = sound_object(line, members.parsed)
    except ApiError as error:
        raise _faulty(number, "invalid_json_line", error.message) from error
    if given is None:
        raise _faulty(number, "invalid_json_line", "this line is no JSON object")
    custom_id, body = given.get("custom_id"), given.get("body")
    if not isinstance(custom_id, str) or not custom_id or len(custom_id) > 512:
        raise _faulty(number, "missing_custom_id", "must be a text of its own", "custom_id")
    if given.get("method") != "POST":
        raise _faulty(number, "invalid_method", 'must be "POST"', "method")
    if given.get("url") != endpoint:
        raise _faulty(number, "mismatched_url", f"must be the batch's endpoint, {endpoint}", "url")
    if not isinstance(body, dict):
        raise _faulty(number, "invalid_body", "must be an object: the request's body", "body")
    for key in ("stream", "background"):
        if body.get(key):
            raise _faulty(number, "invalid_body", "must be false: nobody waits", f"body.{key}")
    text = members.texts["body"].encode("utf-8", "surrogatepass")  # under a key that comes again
    return BatchRequest(number, custom_id, Body(text, body))


def numbered_lines(content: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield the lines that hold anything with their numbers, without their ends."""
    number, pending = 0, b""
    for part in content:
        *whole, pending = (pending + part).split(b"\n")
        for line in whole:
            number += 1
            if line.strip():
                yield number, line
    if pending.strip():
        yield number + 1, pending


def _faulty(line: int, code: str, what: str, param: str | None = None) -> FaultyLineError:
    message = f"`{param}` {what}" if param else what
    return FaultyLineError(Fault(code, message[:MOST_CHARS], line, param))
