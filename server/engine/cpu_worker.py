"""vLLM's CPU worker with Whet's products for adapters; named by `--worker-cls`."""

from __future__ import annotations

from typing import Any

from vllm.platforms.cpu import CpuPlatform
from vllm.v1.worker.cpu_worker import CPUWorker


class CpuWorker(CPUWorker):  # type: ignore[misc]
    """Differs in nothing else."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        CpuPlatform.get_punica_wrapper = classmethod(_grouped_lora)  # asked when a model is loaded
        super().__init__(*args, **kwargs)


def _grouped_lora(platform: type[CpuPlatform]) -> str:
    return "server.engine.cpu_lora.GroupedLora"
