"""The small operations between matrix products, which would take most of the time on a CPU.

Two modules hold the same functions: `plain`, in torch, for any device and type, and `fast`, which
numba compiles, for bf16 on a CPU. numba comes with vLLM; where it is missing `plain` serves.
"""

from __future__ import annotations

import importlib.util
from types import ModuleType

import torch

from adaptation.learning.service.kernels import plain


def choose(device: torch.device, dtype: torch.dtype) -> ModuleType:
    """Return the module for tensors on `device` of `dtype`."""
    if device.type != "cpu" or dtype != torch.bfloat16 or not importlib.util.find_spec("numba"):
        return plain
    from adaptation.learning.service.kernels import fast

    return fast
