"""`vllm:lora_requests_info`: which distilled adapters and fine-tuned models a server has loaded.

For routers that send a request to where its adapter is, by the model server protocol of the
Kubernetes Gateway API inference extension, which llm-d's picker keeps to as well. Per-request
adapters live for one request on one server: no router is told of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.registry import Collector

NAME = "vllm:lora_requests_info"
ABOUT = (
    "Distilled adapters and fine-tuned models that are loaded, and those that requests wait for; "
    "the value is when that was so, in Unix seconds"
)
LABELS = ("max_lora", "running_lora_adapters", "waiting_lora_adapters")
Names = Callable[[], Sequence[str]]


class AdaptersServed(Collector):
    """One series, made anew whenever it is asked for: no mix of adapters leaves one behind."""

    def __init__(self, places: int, loaded: Names, awaited: Names) -> None:
        """`places` is how many can be loaded at a time."""
        self._places, self._loaded, self._awaited = places, loaded, awaited

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Yield the series without its value."""
        yield GaugeMetricFamily(NAME, ABOUT, labels=LABELS)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the series as it is now."""
        (family,) = self.describe()
        told = (str(self._places), ",".join(self._loaded()), ",".join(self._awaited()))
        family.add_metric(told, time.time())
        yield family
