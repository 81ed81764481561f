"""The OpenAPI document of the whole server: vLLM's, under our name, with what our requests add."""

from __future__ import annotations

import asyncio
from functools import cached_property
from typing import Any

from fastapi import FastAPI
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from adaptation.options import Options
from adaptation.report import Report
from server.requests.request_context import CHAT, COMPLETIONS, RESPONSES
from server.version import installed_version

COMPONENT = "#/components/schemas/"
PREFIX = "Adaptation"
"""Begins the names of Whet's schemas: all schemas of a document share one namespace."""
REPORT, ADAPTED = f"{PREFIX}Report", f"ResponseWith{PREFIX}"
DESCRIPTION = (
    "OpenAI's routes, answered by vLLM and sharpened by Whet, and Whet's own. "
    "What `adaptation` means, in requests and in answers, is told in `docs/reference/options.md` "
    "and `docs/reference/report.md`."
)


def describe(app: FastAPI) -> None:
    """Give the application its name, and its document the `adaptation` of requests and answers."""
    app.title, app.version, app.description = "Whet", installed_version(), DESCRIPTION
    theirs = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            _add_adaptation(theirs())  # keeps it as `openapi_schema`
        return theirs()

    app.openapi = openapi  # type: ignore[method-assign]


class Document:
    """The document as it is sent: built at the first request, once for all that ask meanwhile.

    Building takes most of a second of a processor, and so a thread.
    """

    def __init__(self, app: FastAPI) -> None:
        self._app = app

    async def read(self) -> bytes:
        """Return the document, as soon as it is built."""
        return await asyncio.shield(self._building)  # who leaves takes it from nobody else

    @cached_property
    def _building(self) -> asyncio.Task[bytes]:
        return asyncio.create_task(asyncio.to_thread(self._build))

    def _build(self) -> bytes:
        root = (self._app.root_path or "").rstrip("/")
        servers = {"servers": [{"url": root}]} if root else {}
        return bytes(JSONResponse({**self._app.openapi(), **servers}).body)


def _add_adaptation(document: dict[str, Any]) -> None:
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    _add_model(schemas, PREFIX, Options)
    _add_model(schemas, REPORT, Report)
    schemas[ADAPTED] = {
        "title": ADAPTED,
        "type": "object",
        "description": "OpenAI's object and the report; of several prompts each choice has its own",
        "properties": {
            "adaptation": {"anyOf": [{"$ref": COMPONENT + REPORT}, {"type": "null"}]},
        },
        "additionalProperties": True,
    }
    for path in (CHAT, COMPLETIONS, RESPONSES):
        operation = document["paths"].get(path, {}).get("post")
        if operation is not None:
            _adapt(operation, schemas)


def _add_model(schemas: dict[str, Any], name: str, model: type[BaseModel]) -> None:
    """Add a model of ours, and those that it is made of, under names of ours."""
    schema = model.model_json_schema(ref_template=f"{COMPONENT}{PREFIX}{{model}}")
    schemas |= {PREFIX + each: part for each, part in schema.pop("$defs", {}).items()}
    schemas[name] = schema


def _adapt(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Let a route take its body with `adaptation` and answer with the report; other routes may take
    the same body without.
    """
    content = operation["requestBody"]["content"]["application/json"]
    name = content["schema"]["$ref"].removeprefix(COMPONENT)
    body = schemas[name]
    added = {"$ref": COMPONENT + PREFIX}
    schemas[f"{name}With{PREFIX}"] = {
        **body,
        "title": f"{name}With{PREFIX}",
        "properties": {**body["properties"], "adaptation": added},
    }
    content["schema"] = {"$ref": f"{COMPONENT}{name}With{PREFIX}"}
    answered = operation["responses"]["200"]["content"]["application/json"]
    answered["schema"] = {"$ref": COMPONENT + ADAPTED}
