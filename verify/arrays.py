"""Arrays as they cross between processes: plain `.npy` files that can be memory-mapped.

NumPy has no bfloat16, no 8-bit floats and no tensors of strings. Those of ``ml_dtypes`` cross as
their bits, strings as UTF-8 text; the name of the dtype travels beside the file. A worker's
interpreter may lack ``ml_dtypes``: there, an array of such a type is an array of its bits in a
structured dtype whose only field is called by the dtype's name.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

BITS = {"bfloat16": "uint16"}
"""Dtypes that NumPy lacks and the integers that hold their bits; the others have one byte."""

_ML_DTYPES = {
    "bfloat16": "bfloat16",
    "float8e4m3fn": "float8_e4m3fn",
    "float8e4m3fnuz": "float8_e4m3fnuz",
    "float8e5m2": "float8_e5m2",
    "float8e5m2fnuz": "float8_e5m2fnuz",
    "float8e8m0": "float8_e8m0fnu",
    "float4e2m1": "float4_e2m1fn",
    "int4": "int4",
    "uint4": "uint4",
    "int2": "int2",
    "uint2": "uint2",
}
_NAMES = {theirs: ours for ours, theirs in _ML_DTYPES.items()}


def dtype_name(array: np.ndarray) -> str:
    """Return our name of an array's dtype (`converter.signature.DTYPES`)."""
    dtype = array.dtype
    if dtype.names is not None and len(dtype.names) == 1:
        return dtype.names[0]
    if dtype.kind in "OSUT":
        return "string"
    return _NAMES.get(dtype.name, dtype.name)


def numpy_dtype(name: str) -> np.dtype:
    """Return the dtype that holds a tensor of dtype ``name``; strings are held as objects."""
    if name == "string":
        return np.dtype(object)
    if name not in _ML_DTYPES:
        return np.dtype(name)
    try:
        import ml_dtypes
    except ImportError:  # only reached in a worker's interpreter
        return np.dtype([(name, BITS.get(name, "uint8"))])
    return np.dtype(getattr(ml_dtypes, _ML_DTYPES[name]))


def to_bits(array: np.ndarray) -> np.ndarray:
    """Return an array of a dtype that NumPy has, of the same memory where possible."""
    name = dtype_name(array)
    if name not in _ML_DTYPES:
        return array
    return np.ascontiguousarray(array).view(BITS.get(name, "uint8")).reshape(array.shape)


def from_bits(bits: np.ndarray, name: str) -> np.ndarray:
    """Undo `to_bits`."""
    if name not in _ML_DTYPES:
        return bits
    return np.ascontiguousarray(bits).view(numpy_dtype(name)).reshape(bits.shape)


def as_array(value: Any) -> np.ndarray:
    """Return a NumPy array of a number, text or array; tensors of any framework that lets us.

    Raises:
        TypeError: the value is nothing of the kind.
    """
    array = np.asarray(value)
    if array.dtype.kind in "SUT":
        array = array.astype(object)
    if array.dtype == object and not all(isinstance(item, str | bytes) for item in array.flat):
        raise TypeError(f"{type(value).__name__} is not a tensor")
    return array


def write(array: np.ndarray, path: Path) -> dict[str, Any]:
    """Write an array and return the message that tells another process of it."""
    name = dtype_name(array)
    if name == "string":
        items = [
            item.decode("utf-8", "surrogateescape") if isinstance(item, bytes) else str(item)
            for item in array.flat
        ]
        text = json.dumps(items).encode()
        np.save(path, np.frombuffer(text, dtype=np.uint8), allow_pickle=False)
    else:
        np.save(path, to_bits(array), allow_pickle=False)
    return {"file": str(path), "dtype": name, "shape": list(array.shape)}


def read(message: dict[str, Any]) -> np.ndarray:
    """Return the array that `write` told of, mapped and not copied where possible."""
    name, shape = message["dtype"], tuple(message["shape"])
    empty = 0 in shape  # nothing to map
    bits = np.load(message["file"], mmap_mode=None if empty else "r", allow_pickle=False)
    if name == "string":
        result = np.empty(len(items := json.loads(bits.tobytes())), dtype=object)
        result[:] = items
        return result.reshape(shape)
    return from_bits(bits, name)
