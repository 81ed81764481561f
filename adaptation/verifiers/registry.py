"""The verifiers there are, by the `type` a request names them with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from adaptation.errors import InvalidOptionsError
from adaptation.verifiers.base import Verifier
from adaptation.verifiers.json_schema import build_json_schema
from adaptation.verifiers.math_check import build_math
from adaptation.verifiers.python_tests import build_python
from adaptation.verifiers.string_check import build_string_check

Factory = Callable[[dict[str, Any], str], Verifier]
"""From a specification and its place in the request (for error messages)."""

VERIFIERS: Mapping[str, Factory] = MappingProxyType(
    {
        "string_check": build_string_check,
        "math": build_math,
        "json_schema": build_json_schema,
        "python": build_python,
    }
)


def build_verifiers(specs: tuple[dict[str, Any], ...]) -> tuple[Verifier, ...]:
    """Build the verifiers a request asks for.

    Raises InvalidOptionsError, with a `param` such as `adaptation.verifiers.0.tests`, for unknown
    types and keys, wrong values, and verifiers this host cannot run.
    """
    return tuple(_build(spec, f"adaptation.verifiers.{i}") for i, spec in enumerate(specs))


def _build(spec: dict[str, Any], param: str) -> Verifier:
    kind = spec.get("type")
    if not isinstance(kind, str) or kind not in VERIFIERS:
        known = ", ".join(sorted(VERIFIERS))
        raise InvalidOptionsError(f"{param}.type must be one of {known}", f"{param}.type")
    return VERIFIERS[kind](spec, param)
