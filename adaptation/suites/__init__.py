"""The proving ground's suites: questions whose answers can be checked, one suite to a file.

Owns what is asked and what is right. Knows nothing of models, servers or training.
"""

from collections.abc import Mapping
from types import MappingProxyType

from adaptation.suites import (
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
    refusal,
    stories,
    tool_calls,
    units,
)
from adaptation.suites.suite import Suite

__all__ = ["SUITES", "Suite"]

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
