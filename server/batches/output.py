"""The lines of a batch's output, as OpenAI writes them; an answer stands in its line as it came."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from uuid import uuid4

import httpx

_ENDS = re.compile("[\n\r\x85\u2028\u2029]")
"""What some take for the end of a line. Within JSON they stand in strings, or are white space."""


def answer_line(custom_id: str, response: httpx.Response) -> bytes:
    """Return the line of a request that was answered, be it with an error."""
    status = json.dumps(response.status_code)
    request_id = json.dumps(response.headers.get("x-request-id") or "")
    told = f'{{"status_code": {status}, "request_id": {request_id}, "body": {_body(response)}}}'
    return _line(custom_id, told, "null")


def error_line(custom_id: str, error: Mapping[str, str]) -> bytes:
    """Return the line of a request that was not answered."""
    return _line(custom_id, "null", json.dumps(error))


def _line(custom_id: str, response: str, error: str) -> bytes:
    named = json.dumps({"id": f"batch_req_{uuid4().hex}", "custom_id": custom_id})
    return f'{named[:-1]}, "response": {response}, "error": {error}}}'.encode()


def _body(response: httpx.Response) -> str:
    """Return the JSON of an answer in one line; what is none, as a string."""
    if response.headers.get("content-type") != "application/json":
        return json.dumps(response.text)  # nothing here answers so, and it is not to end a batch
    return _ENDS.sub(_escaped, response.text)


def _escaped(end: re.Match[str]) -> str:
    return " " if end[0] in "\n\r" else f"\\u{ord(end[0]):04x}"
