"""What generations came to is a metric, whichever process ran them."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from adaptation.learning.monitors.alarm import MONITORS
from memory.embedding.embedder import create_embedder
from memory.memory import LongTermMemory
from memory.versions.judgements import Judgement
from server.adapters.generations import GenerationCounts
from server.telemetry.metrics import Metrics


@pytest.fixture
def memory(data_dir: Path) -> Iterator[LongTermMemory]:
    with closing(LongTermMemory.open(data_dir, create_embedder("hashing"))) as opened:
        yield opened


def judged(tenant: str, *alarms: str, promoted: bool = False) -> Judgement:
    fields = {"tenant": tenant, "base_model": "m", "adapter_id": "ad_1", "promoted": promoted}
    fields |= {"alpha": 0.02, "e_value": 1.0, "helped": 1, "hurt": 1, "before": 0.5, "after": 0.5}
    fields |= {"train": 9, "seconds": 1.0, "record_ids": (), "alarms": alarms}
    return Judgement.model_validate(fields)


async def test_alarms_of_all_tenants_are_counted_from_the_first_look_on(
    memory: LongTermMemory,
) -> None:
    registry = CollectorRegistry()
    generations = GenerationCounts(memory.judgements, memory.aside, Metrics(registry))

    def counted(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(name, labels)

    for monitor in MONITORS:
        assert counted("whet_monitor_alarms_total", monitor=monitor) == 0
    memory.judgements.add(judged("ann", "collapse"))
    await generations.look()
    assert counted("whet_monitor_alarms_total", monitor="collapse") == 0, "it is old"
    memory.judgements.add(judged("ann", "collapse", "returns"))
    memory.judgements.add(judged("bob", "collapse", promoted=True))
    await generations.look()
    await generations.look()
    assert counted("whet_monitor_alarms_total", monitor="collapse") == 2
    assert counted("whet_monitor_alarms_total", monitor="returns") == 1
    assert counted("whet_generations_total", promoted="true") == 1
    assert counted("whet_generations_total", promoted="false") == 1
