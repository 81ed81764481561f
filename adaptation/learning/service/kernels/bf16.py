"""bf16 in numba: numbers come as their 16 bits, and become float32 in registers only."""

from __future__ import annotations

from typing import Any

import llvmlite.ir as ir
import numpy as np
from numba import njit, types
from numba.extending import intrinsic

f32, u32 = np.float32, np.uint32


class BFloat(ir.types._BaseFloatType):  # type: ignore[misc]
    """LLVM's `bfloat`, which llvmlite does not name; CPUs with AVX512-BF16 round to it at once."""

    null = "0.0"
    intrinsic_name = "bf16"

    def __str__(self) -> str:
        return "bfloat"


BFloat._create_instance()


@intrinsic  # type: ignore[untyped-decorator]
def narrow(context: Any, x: Any) -> Any:
    """float32 → the 16 bits of the nearest bf16."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(builder.fptrunc(arguments[0], BFloat()), ir.IntType(16))

    return types.uint16(types.float32), build


@intrinsic  # type: ignore[untyped-decorator]
def _as_float(context: Any, bits: Any) -> Any:
    """32 bits, read as float32."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.FloatType())

    return types.float32(types.uint32), build


@njit(inline="always")  # type: ignore[untyped-decorator]
def widen(bits: Any) -> Any:
    """16 bits of a bf16 → float32."""
    return _as_float(u32(bits) << u32(16))


@njit(inline="always")  # type: ignore[untyped-decorator]
def exp(x: Any) -> Any:
    """e**x to about 1e-7, in a form that compilers vectorise (Cephes): 2**n · e**r, |r| ≤ ln 2 / 2.

    A number that is not one stays so.
    """
    bounded = f32(-87.0) if x < f32(-87.0) else x
    bounded = f32(88.0) if bounded > f32(88.0) else bounded
    n = np.floor(bounded * f32(1.44269504) + f32(0.5))
    r = bounded - n * f32(0.693359375) + n * f32(2.12194440e-4)
    p = f32(1.9875691500e-4) * r + f32(1.3981999507e-3)
    p = p * r + f32(8.3334519073e-3)
    p = p * r + f32(4.1665795894e-2)
    p = p * r + f32(1.6666665459e-1)
    p = p * r + f32(5.0000001201e-1)
    power = _as_float(u32(np.int32(n) + np.int32(127)) << u32(23))
    return f32(0.0) if x < f32(-87.0) else (p * r * r + r + f32(1.0)) * power
