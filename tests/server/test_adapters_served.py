"""What routers are told at `/metrics`: load, cache and loaded adapters, by vLLM's names."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from vllm.v1.metrics.loggers import PrometheusStatLogger
from vllm.v1.metrics.prometheus import unregister_vllm_metrics
from vllm.v1.metrics.stats import SchedulerStats

from server.engine.lora_series import take_away_lora_series
from server.telemetry.adapters_served import NAME, AdaptersServed
from tests.server.composed import Reply, composed
from tests.server.registered import register

pytestmark = pytest.mark.filterwarnings("ignore:max_tokens is deprecated:DeprecationWarning")
ROUTERS_READ = (
    "vllm:num_requests_waiting",
    "vllm:num_requests_running",
    "vllm:kv_cache_usage_perc",
    "vllm:cache_config_info",
)
"""By the model server protocol, beside `vllm:lora_requests_info`."""


def lines(registry: CollectorRegistry, name: str) -> list[str]:
    text = generate_latest(registry).decode()
    return [line for line in text.splitlines() if line.startswith(f"{name}{{")]


async def test_adapters_of_one_request_leave_no_series_and_the_champion_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = CollectorRegistry()
    async with composed(tmp_path, monkeypatch, lambda _: Reply("14"), registry=registry) as server:
        config = server.parts.client.vllm_config
        logger = PrometheusStatLogger(config)
        try:
            logger.log_engine_initialized()
            manager = SimpleNamespace(stat_loggers=[logger])
            take_away_lora_series(SimpleNamespace(logger_manager=manager))
            for number in range(20):
                running = {f"whet-adapter-{number % 4}": 1, f"whet-champion-{number % 2}": 1}
                logger.record(SchedulerStats(running_lora_adapters=running), None)
            assert lines(REGISTRY, NAME) == []
            assert all(len(lines(REGISTRY, name)) == 1 for name in ROUTERS_READ)
        finally:
            unregister_vllm_metrics()
        version = register(server.memory, tmp_path, 1.0)
        server.memory.adapters.promote("default", version.id)
        await server.parts.champions.refresh()
        await server.chat(adaptation={"strategy": "ttt"})
        (line,) = lines(registry, NAME)
        assert f'running_lora_adapters="{version.id}",waiting_lora_adapters=""' in line
        assert 'max_lora="2"' in line


async def test_a_fine_tuned_model_is_told_by_the_name_that_clients_ask_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry, name = CollectorRegistry(), "ft:whet-pebble:acme:lamps:1"
    async with composed(tmp_path, monkeypatch, lambda _: Reply("14"), registry=registry) as server:
        version = register(server.memory, tmp_path, 1.0, name=name)
        response = await server.http.post(
            "/v1/chat/completions",
            json={"model": name, "messages": [{"role": "user", "content": "Who?"}]},
        )
        assert response.headers["x-whet-adapter"] == version.id
        (line,) = lines(registry, NAME)
        assert f'running_lora_adapters="{version.id},{name}"' in line


def test_the_series_says_what_is_loaded_when_it_is_asked() -> None:
    registry, loaded = CollectorRegistry(), ["ad_1"]
    registry.register(AdaptersServed(2, lambda: loaded, lambda: ["ad_2"]))
    assert 'running_lora_adapters="ad_1",waiting_lora_adapters="ad_2"' in lines(registry, NAME)[0]
    loaded[:] = []
    (line,) = lines(registry, NAME)
    assert 'running_lora_adapters=""' in line
