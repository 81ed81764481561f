"""The tables of settings, one for each of their groups."""

from __future__ import annotations

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from docs.generate import fields
from docs.generate.markdown import table
from server.config import Settings

MADE = {
    "data_dir": "the platform's folder for a user's data",
    "device_locks": "the machine's folder for temporary files",
}
"""Defaults that another machine has otherwise."""


def write() -> str:
    """Return a section for each group, with a row for every setting in the order of the code."""
    groups = [group for group in reversed(Settings.__bases__) if issubclass(group, BaseModel)]
    return "\n".join(f"## {_title(group)}\n\n{_table(group)}" for group in groups)


def _title(group: type[BaseModel]) -> str:
    return str(group.__doc__).partition(";")[0].rstrip(".")


def _table(group: type[BaseModel]) -> str:
    rows = [
        (f"`{name}`", _default(name, field), fields.bounds(field), fields.docstring(group, name))
        for name, field in group.model_fields.items()
    ]
    return table(("setting", "default", "bounds", "meaning"), rows)


def _default(name: str, field: FieldInfo) -> str:
    return MADE[name] if field.default_factory is not None else fields.default(field)
