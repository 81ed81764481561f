"""Whet's own settings in one, of their groups. `setting_sources` finds their values.

vLLM's flags are vLLM's business and are not known here.
"""

from __future__ import annotations

import re

from server.settings.learning import Learning
from server.settings.places import Places
from server.settings.ray import Ray
from server.settings.serving import Serving
from server.settings.telemetry import Telemetry
from server.settings.tenants import Tenants
from server.settings.training import Training
from server.settings.voting import Voting

DEFAULT_TENANT = "default"
"""The tenant of a server without keys, and of a command that names none."""
TENANT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class ConfigError(Exception):
    """A setting is unknown or out of range; the message is one line that says which and where."""


class Settings(Serving, Telemetry, Tenants, Learning, Ray, Training, Voting, Places):
    """Everything Whet itself can be told; pydantic lists the fields of the last group first."""
