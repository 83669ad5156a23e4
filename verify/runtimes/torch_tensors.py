"""The way of arrays between NumPy and PyTorch tensors, without need of anything else."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from verify.arrays import dtype_name, from_bits, to_bits

_BIT_VIEWS = {
    "bfloat16": (torch.bfloat16, torch.int16, "int16"),
    "float8e4m3fn": (torch.float8_e4m3fn, torch.uint8, "uint8"),
    "float8e4m3fnuz": (torch.float8_e4m3fnuz, torch.uint8, "uint8"),
    "float8e5m2": (torch.float8_e5m2, torch.uint8, "uint8"),
    "float8e5m2fnuz": (torch.float8_e5m2fnuz, torch.uint8, "uint8"),
}
_NAMES = {dtype: (name, bits) for name, (dtype, bits, _) in _BIT_VIEWS.items()}
_CARRIED = {"int4": torch.int8, "uint4": torch.uint8, "int2": torch.int8, "uint2": torch.uint8}


def from_numpy(array: np.ndarray) -> Any:
    """Return a tensor with memory of its own; strings stay an array."""
    name = dtype_name(array)
    if name == "string":
        return array
    if name in _CARRIED:
        return torch.from_numpy(array.astype(np.int8)).to(_CARRIED[name])
    if name not in _BIT_VIEWS:
        return torch.from_numpy(np.array(array, order="C"))
    dtype, _, plain = _BIT_VIEWS[name]
    bits = np.array(to_bits(array), order="C").view(plain)
    return torch.from_numpy(bits).view(dtype)


def to_numpy(value: Any) -> np.ndarray:
    """Return an array of a tensor, or of a number or text that a model returns.

    Raises:
        TypeError: the value is nothing of the kind.
    """
    if not isinstance(value, torch.Tensor):
        from verify.arrays import as_array

        return as_array(value)
    value = value.detach()
    if value.is_quantized:
        value = value.dequantize()
    if value.layout is not torch.strided:
        value = value.to_dense()
    value = value.cpu().resolve_conj().resolve_neg()
    if value.dtype in _NAMES:
        name, bits = _NAMES[value.dtype]
        array = value.contiguous().view(bits).numpy()
        return from_bits(array.view(f"u{array.dtype}".replace("uu", "u")), name)
    return value.numpy()
