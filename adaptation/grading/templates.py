"""Templates: `{{ item.question }}`, `{{ sample.choices[0].message.content }}`.

Paths alone: nothing is computed, and what a value holds is never taken for a template.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from adaptation.grading.errors import Fault, GradingError, UngradableError

NAMESPACES = ("item", "sample")
_PLACE = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_PATH = re.compile(r"\s*(item|sample)((?:\.[^\s.\[\]{}]+|\[\d{1,9}\])*)\s*")
_STEP = re.compile(r"\.([^\s.\[\]{}]+)|\[(\d+)\]")
SHOWN = 100
"""Characters of a name that an error repeats."""
Step = str | int


def names_in(template: str, param: str) -> list[tuple[str, ...]]:
    """Return the paths that a template names; raises `UngradableError` for what is none."""
    found = []
    for match in _PLACE.finditer(template):
        if _PATH.fullmatch(match[1]) is None:
            told = "a name must begin with `item` or `sample`, such as {{ item.answer }}"
            raise UngradableError(f"names {_shown(match[1])}: {told}", param)
        found.append(tuple(map(str, _steps(match[1]))))
    return found


def render(template: str, names: Mapping[str, Any]) -> str:
    """Fill a template in; what is no text is written as JSON.

    Raises `GradingError` for a name that stands for nothing.
    """
    return _PLACE.sub(lambda match: _text(value_at(match[1], names)), template)


def value_at(path: str, names: Mapping[str, Any]) -> Any:
    """Return what a path such as `item.input[0]` stands for; raises `GradingError`."""
    if _PATH.fullmatch(path) is None:
        raise GradingError(Fault.INVALID_VARIABLE, f"{_shown(path)} is no name of item or sample")
    value: Any = names
    for step in _steps(path):
        if isinstance(value, Mapping) and str(step) in value:
            value = value[str(step)]
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
        else:
            raise _unknown(path)
    return value


def _unknown(path: str) -> GradingError:
    if path.strip().startswith("sample.output_json"):
        told = f"{_shown(path)} stands for nothing: the output is no JSON that has it"
        return GradingError(Fault.SAMPLE_PARSE, told)
    return GradingError(Fault.INVALID_VARIABLE, f"{_shown(path)} stands for nothing")


def _steps(path: str) -> list[Step]:
    match = _PATH.fullmatch(path)
    assert match is not None
    steps = (name or int(place) for name, place in _STEP.findall(match[2]))
    return [match[1], *steps]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _shown(path: str) -> str:
    return f"`{path.strip()[:SHOWN]}`"
