"""ONNX element types and TensorFlow's, and the way of arrays between NumPy and TensorFlow.

TensorFlow's kernels know no 2- and 4-bit integers, float4 and float8; those are carried in int8,
uint8 and float32, come back to their own type at the border, and the signature says so.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import ml_dtypes
import numpy as np
import onnx_ir as ir
import tensorflow as tf

from converter.signature import TensorSpec

STRING = 8

_TENSORFLOW = {
    1: tf.float32,
    2: tf.uint8,
    3: tf.int8,
    4: tf.uint16,
    5: tf.int16,
    6: tf.int32,
    7: tf.int64,
    8: tf.string,
    9: tf.bool,
    10: tf.float16,
    11: tf.float64,
    12: tf.uint32,
    13: tf.uint64,
    14: tf.complex64,
    15: tf.complex128,
    16: tf.bfloat16,
}
_ONNX = {dtype: number for number, dtype in _TENSORFLOW.items()}
_CARRIED = dict.fromkeys((17, 18, 19, 20, 23, 24), tf.float32)
_CARRIED |= {21: tf.uint8, 22: tf.int8, 25: tf.uint8, 26: tf.int8}
_CARRIERS = {ir.DataType(n).name.lower(): dtype for n, dtype in _CARRIED.items()}
_SMALL = {
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


def to_framework(element_type: int) -> tf.DType:
    """Return the TensorFlow dtype that holds an ONNX element type (its carrier if it has none)."""
    return _TENSORFLOW.get(element_type) or _CARRIED[element_type]


def is_carried(element_type: int) -> bool:
    """Tell whether TensorFlow lacks the type and holds it in a wider one."""
    return element_type in _CARRIED


def carried(spec: TensorSpec) -> TensorSpec:
    """Return a spec that says in which wider type TensorFlow carries it, if it does."""
    dtype = _CARRIERS.get(spec.dtype)
    return replace(spec, carried_as=dtype.name) if dtype else spec


def to_onnx(dtype: tf.DType) -> int:
    """Return the ONNX element type of a TensorFlow dtype."""
    return _ONNX[dtype]


def number(x, dtype: tf.DType) -> tf.Tensor:
    """Return a Python number or a scalar tensor in ``dtype``.

    `tf.cast` would bring a Python float to float32 first, and an integer to int32.
    """
    return tf.cast(x, dtype) if isinstance(x, tf.Tensor) else tf.constant(x, dtype)


def from_numpy(array: np.ndarray, element_type: int | None = None) -> tf.Tensor:
    """Return a tensor of the array's values; small types arrive in their carrier."""
    array = np.asarray(array)
    if array.dtype == object or array.dtype.kind in "SU" or element_type == STRING:
        text = [s if isinstance(s, bytes) else str(s).encode() for s in array.ravel().tolist()]
        return tf.reshape(tf.constant(text, tf.string), array.shape)
    if element_type in _CARRIED:
        dtype = _CARRIED[element_type]
        return tf.constant(array.astype(np.float32).astype(dtype.as_numpy_dtype))
    return tf.constant(array)


def to_numpy(value: Any, element_type: int | None = None) -> np.ndarray:
    """Return an array of the ONNX element type."""
    array = value.numpy() if hasattr(value, "numpy") else np.asarray(value)
    array = np.asarray(array)
    if element_type == STRING:
        text = [s.decode() if isinstance(s, bytes) else str(s) for s in array.ravel().tolist()]
        return np.array(text, dtype=object).reshape(array.shape)
    if element_type is None or element_type not in _CARRIED:
        return array
    return array.astype(_SMALL[element_type])
