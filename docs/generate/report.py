"""The tables of what comes back."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel

from adaptation.report import Report, StopReason
from docs.generate import fields
from docs.generate.markdown import table


def write() -> str:
    """Return a row for every field, those of objects within with their path, and every reason."""
    reasons = [(f"`{reason}`", fields.docstring(StopReason, reason.name)) for reason in StopReason]
    return "\n".join(
        (
            table(("field", "meaning"), _rows(Report, "")),
            "## Reasons to stop\n",
            table(("`stop_reason`", "meaning"), reasons),
        )
    )


def _rows(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, str]]:
    for name, field in model.model_fields.items():
        path = prefix + name
        yield f"`{path}`", fields.docstring(model, name)
        inner = next(fields.models_in(field.annotation), None)
        if inner is not None and inner is not model:  # steps within steps
            step = "[]." if fields.is_many(field.annotation) else "."
            yield from _rows(inner, path + step)
