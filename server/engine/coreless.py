"""vLLM's client without the process that it starts: with its renderer, tokenizer and processors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from vllm.renderers import renderer_from_config
from vllm.v1.engine.async_llm import AsyncLLM
from vllm.v1.engine.input_processor import InputProcessor
from vllm.v1.engine.output_processor import OutputProcessor


class CorelessClient(AsyncLLM):  # type: ignore[misc]
    """vLLM's client in front of whatever has a core's methods."""

    def __init__(self, config: Any, core_of: Callable[[Any], Any]) -> None:
        """`core_of` makes the core, and is given this client."""
        self.vllm_config, self.model_config = config, config.model_config
        self.scheduler_config = config.scheduler_config
        self.observability_config = config.observability_config
        self.renderer = renderer_from_config(config)
        self.input_processor = InputProcessor(config, self.renderer)
        self.output_processor = OutputProcessor(self.renderer.tokenizer, log_stats=True)
        self.engine_core = core_of(self)
        self.log_requests = self.log_stats = False
        self.logger_manager = self.output_handler = self.profiler = None
        self.admission_stats = None

    def __del__(self) -> None:
        """Whoever opened it has shut it down, while the event loop still ran."""
