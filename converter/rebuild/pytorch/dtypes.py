"""ONNX element types and PyTorch's, and the way of arrays between NumPy and PyTorch.

PyTorch has no small integers and no strings. 2- and 4-bit integers and float4 are carried in int8,
uint8 and float32, and come back to their own type at the border; strings are NumPy object arrays.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import ml_dtypes
import numpy as np
import torch

from converter.signature import TensorSpec

STRING = 8

_TORCH = {
    1: torch.float32,
    2: torch.uint8,
    3: torch.int8,
    4: torch.uint16,
    5: torch.int16,
    6: torch.int32,
    7: torch.int64,
    9: torch.bool,
    10: torch.float16,
    11: torch.float64,
    12: torch.uint32,
    13: torch.uint64,
    14: torch.complex64,
    15: torch.complex128,
    16: torch.bfloat16,
    17: torch.float8_e4m3fn,
    18: torch.float8_e4m3fnuz,
    19: torch.float8_e5m2,
    20: torch.float8_e5m2fnuz,
}
_CARRIED = {21: torch.uint8, 22: torch.int8, 23: torch.float32, 24: torch.float32}
_CARRIED |= {25: torch.uint8, 26: torch.int8}
_CARRIERS = {
    "uint4": "uint8",
    "int4": "int8",
    "float4e2m1": "float32",
    "float8e8m0": "float32",
    "uint2": "uint8",
    "int2": "int8",
}
"""The same by our names of the types."""
_NUMPY = {
    16: ml_dtypes.bfloat16,
    17: ml_dtypes.float8_e4m3fn,
    18: ml_dtypes.float8_e4m3fnuz,
    19: ml_dtypes.float8_e5m2,
    20: ml_dtypes.float8_e5m2fnuz,
    21: ml_dtypes.uint4,
    22: ml_dtypes.int4,
    23: ml_dtypes.float4_e2m1fn,
    24: ml_dtypes.float8_e8m0fnu,
    25: ml_dtypes.uint2,
    26: ml_dtypes.int2,
}
_ONNX = {dtype: number for number, dtype in _TORCH.items()}
_BITS = {torch.bfloat16: torch.int16}


def to_framework(element_type: int) -> torch.dtype:
    """Return the PyTorch dtype that holds an ONNX element type (its carrier if it has none).

    Raises:
        NotImplementedError: strings, which are no tensors in PyTorch.
    """
    if element_type in _TORCH:
        return _TORCH[element_type]
    if element_type in _CARRIED:
        return _CARRIED[element_type]
    raise NotImplementedError(f"PyTorch has no tensors of ONNX element type {element_type}")


def is_carried(element_type: int) -> bool:
    """Tell whether PyTorch lacks the type and holds it in a wider one."""
    return element_type in _CARRIED


def carried(spec: TensorSpec) -> TensorSpec:
    """Return a spec that says in which wider type PyTorch carries it, if it does."""
    carrier = _CARRIERS.get(spec.dtype)
    return replace(spec, carried_as=carrier) if carrier else spec


def to_onnx(dtype: torch.dtype) -> int:
    """Return the ONNX element type of a PyTorch dtype."""
    return _ONNX[dtype]


def numpy_dtype(element_type: int) -> np.dtype:
    """Return NumPy's (or ml_dtypes') dtype of an ONNX element type."""
    if element_type in _NUMPY:
        return np.dtype(_NUMPY[element_type])
    return torch.empty(0, dtype=_TORCH[element_type]).numpy().dtype


def from_numpy(array: np.ndarray, element_type: int | None = None) -> Any:
    """Return a tensor that shares no memory with ``array``; strings stay a NumPy array."""
    array = np.asarray(array)
    if array.dtype == object or array.dtype.kind in "SU" or element_type == STRING:
        return _text(array)
    tensor = _tensor(array, element_type)
    # An empty tensor that keeps NumPy's memory cannot be saved in an exported program.
    return tensor if tensor.numel() else torch.empty(tensor.shape, dtype=tensor.dtype)


def _tensor(array: np.ndarray, element_type: int | None) -> torch.Tensor:
    if element_type in _CARRIED:
        carrier = _CARRIED[element_type]
        wide = array.astype(np.float32 if carrier.is_floating_point else np.int32)
        return torch.from_numpy(np.array(wide)).to(carrier)
    dtype = _TORCH[element_type] if element_type else None
    if array.dtype == ml_dtypes.bfloat16 or dtype == torch.bfloat16:
        bits = np.array(array, ml_dtypes.bfloat16, order="C").view(np.int16)
        return torch.from_numpy(bits).view(torch.bfloat16).reshape(array.shape)
    if dtype is not None and dtype.itemsize == 1 and dtype.is_floating_point:
        bits = np.array(array, order="C").view(np.uint8)
        return torch.from_numpy(bits).view(dtype).reshape(array.shape)
    return torch.from_numpy(np.array(array, order="C"))


def _text(array: np.ndarray) -> np.ndarray:
    decode = [s.decode() if isinstance(s, bytes) else str(s) for s in array.ravel().tolist()]
    return np.array(decode, dtype=object).reshape(array.shape)


def to_numpy(value: Any, element_type: int | None = None) -> np.ndarray:
    """Return an array of the ONNX element type from what `from_numpy` made, or a handler."""
    if not isinstance(value, torch.Tensor):
        return np.asarray(value)
    value = value.detach().cpu()
    if element_type in _CARRIED:
        array = value.numpy() if value.dtype != torch.bfloat16 else value.float().numpy()
        return array.astype(_NUMPY[element_type])
    if value.dtype == torch.bfloat16:
        return value.contiguous().view(torch.int16).numpy().view(ml_dtypes.bfloat16)
    if value.dtype.itemsize == 1 and value.dtype.is_floating_point:
        return value.contiguous().view(torch.uint8).numpy().view(_NUMPY[_ONNX[value.dtype]])
    return value.numpy()
