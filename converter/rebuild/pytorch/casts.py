"""Handlers of the room `tensor`: casts to every ONNX element type, with ONNX's rounding.

PyTorch has no 2- and 4-bit integers, float4 and float8e8m0; they are carried in int8, uint8 and
float32 (see `dtypes`), so the rounding to their values is done here.
"""

from __future__ import annotations

import numpy as np
import torch

from converter.rebuild.pytorch.dtypes import STRING, is_carried, to_framework, to_onnx
from converter.rebuild.pytorch.table import op

FLOAT4E2M1, FLOAT8E8M0 = 23, 24
BITS = {21: 4, 22: 4, 25: 2, 26: 2}
"""Width of the small integers."""
SIGNED = frozenset({22, 26})

# Beyond this the value rounds past the largest one; float8e4m3fn has no infinity to show it.
_OVERFLOW = {torch.float8_e4m3fn: 464.0}


@op("Cast", since=6)
def cast(input, *, to, saturate=1, round_mode="up"):
    return cast_to(input, to, saturate, round_mode)


@op("CastLike", since=15)
def cast_like(input, target_type, *, saturate=1, round_mode="up", output_type):
    if isinstance(target_type, np.ndarray):
        output_type = STRING
    return cast_to(input, output_type or to_onnx(target_type.dtype), saturate, round_mode)


@op("BitCast", since=26)
def bit_cast(input, *, to):
    if to in BITS:  # the same bits, read with or without a sign
        return to_small_integer(input, to)
    if is_carried(to):
        raise NotImplementedError(f"BitCast to ONNX element type {to}")
    return input.view(to_framework(to))


def cast_to(x, to, saturate=1, round_mode="up"):
    """Cast a tensor (or strings, a NumPy array) to the ONNX element type ``to``."""
    if to == STRING:
        return as_text(x)
    dtype = to_framework(to)
    if isinstance(x, np.ndarray):
        x = parse(x, dtype)
    if to in BITS:
        return to_small_integer(x, to)
    if to == FLOAT4E2M1:
        return to_float4(x)
    if to == FLOAT8E8M0:
        return to_power_of_two(x, saturate, round_mode)
    if dtype == torch.bool:
        return x != 0
    if dtype.itemsize == 1 and dtype.is_floating_point:
        return to_float8(x, dtype, saturate)
    return x.to(dtype)


def to_float8(x, dtype, saturate):
    wide = x.float()
    if saturate:
        limit = torch.finfo(dtype).max
        wide = torch.where(wide.isnan(), wide, wide.clamp(-limit, limit))
    elif dtype in _OVERFLOW:
        wide = torch.where(wide.abs() > _OVERFLOW[dtype], torch.full_like(wide, torch.nan), wide)
    return wide.to(dtype)


def to_small_integer(x, to):
    """Truncate towards zero and keep the low bits, as wider integers do."""
    bits = BITS[to]
    low = x.to(torch.int64) & (2**bits - 1)
    if to in SIGNED:
        low = torch.where(low >= 2 ** (bits - 1), low - 2**bits, low)
    return low.to(to_framework(to))


def to_float4(x):
    """Round to 0, 0.5, 1, 1.5, 2, 3, 4, 6 and their negatives; ties to the even code."""
    wide = x.float()
    size = wide.abs()
    step = torch.where(size < 2, 0.5, torch.where(size < 4, 1.0, 2.0))
    return torch.copysign((torch.round(size / step) * step).clamp(max=6.0), wide)


def to_power_of_two(x, saturate, round_mode):
    """Round to float8e8m0: a power of two between 2**-127 and 2**127, or NaN."""
    bits = x.float().view(torch.int32)
    exponent = (bits >> 23) & 0xFF
    fraction = bits & 0x7FFFFF
    if round_mode == "up":
        raised = fraction > 0
    elif round_mode == "nearest":
        # Exactly half a step goes up, except from the smallest value, whose code is even.
        half = 0x400000
        raised = (fraction > half) | ((fraction == half) & (exponent > 0))
    elif round_mode == "down":
        raised = torch.zeros_like(fraction, dtype=torch.bool)
    else:
        raise NotImplementedError(f"Cast with round_mode={round_mode!r}")
    special = exponent == 0xFF
    result = exponent + raised.to(torch.int32)
    if saturate:
        result = result.clamp(max=0xFE)
    value = torch.ldexp(torch.ones_like(result, dtype=torch.float32), result - 127)
    return torch.where(special | (result == 0xFF), torch.nan, value)


def parse(texts, dtype):
    """Read numbers from strings. Host work: PyTorch has no strings."""
    kind = np.float64 if dtype.is_floating_point else np.int64
    numbers = [kind(text) if _is_integer(text) else kind(float(text)) for text in texts.ravel()]
    return torch.from_numpy(np.array(numbers, dtype=kind).reshape(texts.shape))


def _is_integer(text):
    return text.lstrip("+-").isdecimal()


def as_text(x):
    """Write numbers as strings. Host work: PyTorch has no strings."""
    if isinstance(x, np.ndarray):
        return x
    small = x.is_floating_point() and x.dtype not in (torch.float64, torch.float16)
    array = (x.float() if small else x).detach().cpu().numpy()
    return np.array([str(item) for item in array.ravel()], dtype=object).reshape(array.shape)
