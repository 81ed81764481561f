"""The proving ground's suites: questions whose answers can be checked, one suite to a file.

Owns what is asked and what is right. Knows nothing of models, servers or training.
"""

from collections.abc import Mapping
from types import MappingProxyType

from adaptation.evaluation.suites import (
    conversation,
    countdown,
    equations,
    facts,
    house_format,
    house_rules,
    jargon,
    json_objects,
    lists,
    orders,
    reasoning_gym,
    refusal,
    stories,
    tool_calls,
    units,
)
from adaptation.evaluation.suites.errors import MissingPackageError, SuiteError, UnknownSuiteError
from adaptation.evaluation.suites.suite import Suite

__all__ = [
    "SUITES",
    "MissingPackageError",
    "Suite",
    "SuiteError",
    "UnknownSuiteError",
    "suite_named",
]

_MODULES = (
    stories,
    orders,
    countdown,
    units,
    lists,
    equations,
    jargon,
    house_rules,
    house_format,
    facts,
    conversation,
    json_objects,
    tool_calls,
    refusal,
)

SUITES: Mapping[str, Suite] = MappingProxyType({each.SUITE.name: each.SUITE for each in _MODULES})


def suite_named(name: str) -> Suite:
    """A suite of ours, or `rg:FAMILY` for any of reasoning-gym's; raises `SuiteError`."""
    if name in SUITES:
        return SUITES[name]
    if name.startswith(reasoning_gym.PREFIX):
        return reasoning_gym.suite_of(name.removeprefix(reasoning_gym.PREFIX))
    raise UnknownSuiteError(
        f"there is no suite {name!r}; there are {', '.join(SUITES)}, and "
        f"{reasoning_gym.PREFIX}FAMILY for reasoning-gym's, such as {reasoning_gym.PREFIX}chain_sum"
    )
