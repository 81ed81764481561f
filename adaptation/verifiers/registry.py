"""The verifiers there are, by the `type` a request names them with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from adaptation.errors import InvalidOptionsError
from adaptation.verifiers.base import Verifier
from adaptation.verifiers.json_schema import build_json_schema
from adaptation.verifiers.math_check import build_math
from adaptation.verifiers.python_tests import build_python
from adaptation.verifiers.string_check import build_string_check

Factory = Callable[[dict[str, Any], str], Awaitable[Verifier]]
"""From a specification and its place in the request (for error messages)."""

VERIFIERS: Mapping[str, Factory] = MappingProxyType(
    {
        "string_check": build_string_check,
        "math": build_math,
        "json_schema": build_json_schema,
        "python": build_python,
    }
)


async def build_verifiers(specs: Sequence[dict[str, Any]]) -> tuple[Verifier, ...]:
    """Build the verifiers a request asks for.

    Raises InvalidOptionsError, with a `param` such as `adaptation.verifiers.0.tests`, for unknown
    types and keys, wrong values, and verifiers this host cannot run; VerifierError where too many
    are being built.
    """
    places = (f"adaptation.verifiers.{place}" for place in range(len(specs)))
    return tuple([await _build(spec, param) for spec, param in zip(specs, places, strict=True)])


async def _build(spec: dict[str, Any], param: str) -> Verifier:
    kind = spec.get("type")
    if not isinstance(kind, str) or kind not in VERIFIERS:
        known = ", ".join(sorted(VERIFIERS))
        raise InvalidOptionsError(f"{param}.type must be one of {known}", f"{param}.type")
    return await VERIFIERS[kind](spec, param)
