"""The small operations between matrix products, which would take most of the time on a CPU.

Two modules hold the same functions: `plain`, in torch, for any device and type, and `fast`, which
numba compiles, for bf16 on a CPU. numba comes with vLLM, and keeps what it compiles on disk; where
it is missing, or finds no folder to write to, `plain` serves.
"""

from __future__ import annotations

import logging
from types import ModuleType

import torch

from adaptation.learning.service.kernels import plain

logger = logging.getLogger(__name__)


def choose(device: torch.device, dtype: torch.dtype) -> ModuleType:
    """Return the module for tensors on `device` of `dtype`."""
    if device.type != "cpu" or dtype != torch.bfloat16:
        return plain
    try:
        from adaptation.learning.service.kernels import fast
    except (ImportError, RuntimeError) as error:  # numba: "cannot cache function"
        logger.warning("training is slower than it could be: %s", error)
        return plain
    return fast
