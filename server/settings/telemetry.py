"""What the server tells its operator."""

from __future__ import annotations

from typing import Literal

from server.settings.group import Group


class Telemetry(Group):
    """Logs, and what is counted."""

    log_format: Literal["text", "json"] = "text"
    """what a line of the log looks like: for people, or one JSON object"""
    log_content: bool = False
    """write the question and the answer into the line of a request too, which nothing erases"""
