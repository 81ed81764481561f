"""The table of what a request may ask for."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel

from adaptation.options import Options
from docs.generate import fields
from docs.generate.markdown import table

SERVERS = ("strategy", "max_samples", "confidence", "temperature", "budget.wall_s")
"""Options whose default is a setting of the server of the same name."""


def write() -> str:
    """Return a row for every key, those of objects within with their path."""
    return table(("key", "default", "bounds", "meaning"), _rows(Options, ""))


def _rows(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, str, str, str]]:
    for name, field in model.model_fields.items():
        path = prefix + name
        inner = next(fields.models_in(field.annotation), None)
        if inner is not None:
            yield from _rows(inner, f"{path}.")
        else:
            default = f"the setting `{name}`" if path in SERVERS else fields.default(field)
            yield f"`{path}`", default, fields.bounds(field), fields.docstring(model, name)
