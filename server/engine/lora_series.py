"""vLLM's own `vllm:lora_requests_info` is taken away: `server.telemetry.adapters_served` tells it.

vLLM names the adapters of the requests under way, whose names here are leased, each to one adapter
after another: every mix of them would leave a series behind for ever, and none tells a router what
is loaded.
"""

from __future__ import annotations

from typing import Any

from prometheus_client import REGISTRY, CollectorRegistry


def take_away_lora_series(client: Any, registry: CollectorRegistry = REGISTRY) -> None:
    """Have vLLM's client count no adapters; without statistics it counts none anyway."""
    manager = getattr(client, "logger_manager", None)
    for each in manager.stat_loggers if manager is not None else ():
        gauge = getattr(each, "gauge_lora_info", None)
        if gauge is not None:
            each.gauge_lora_info = None
            registry.unregister(gauge)
