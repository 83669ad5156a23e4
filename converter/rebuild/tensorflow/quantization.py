"""Handlers of the room `quantization`.

TensorFlow's own quantized kernels round otherwise than ONNX does, so these are composed.
"""

from __future__ import annotations

import tensorflow as tf

from converter.rebuild.tensorflow.casts import cast_to
from converter.rebuild.tensorflow.dtypes import to_framework, to_onnx
from converter.rebuild.tensorflow.nn_conv import conv
from converter.rebuild.tensorflow.shapes import axis_of, dims
from converter.rebuild.tensorflow.table import op

_RANGES = {2: (0, 255), 3: (-128, 127), 4: (0, 65535), 5: (-32768, 32767)}
_RANGES |= {21: (0, 15), 22: (-8, 7), 25: (0, 3), 26: (-2, 1)}
"""Smallest and largest value by ONNX element type."""


def along(parameter, x, axis, block_size=0):
    """Shape a scale or zero point so that it broadcasts against ``x``."""
    if parameter.shape.rank == 0 or parameter.shape.num_elements() == 1 and not block_size:
        return tf.reshape(parameter, ())
    rank = x.shape.rank
    axis = axis_of(axis, rank)
    if not block_size:
        return tf.reshape(parameter, [-1] + [1] * (rank - 1 - axis))
    spread = tf.repeat(parameter, block_size, axis)
    # The last block may be cut short by the end of the axis.
    return spread[(slice(None),) * axis + (slice(dims(x)[axis]),)]


@op("QuantizeLinear", since=10)
def quantize_linear(
    x,
    y_scale,
    y_zero_point=None,
    *,
    axis=1,
    block_size=0,
    output_dtype=0,
    precision=0,
    saturate=1,
    output_type,
):
    given = 2 if y_zero_point is None else to_onnx(y_zero_point.dtype)
    kind = output_dtype or output_type or given
    precise = to_framework(precision) if precision else y_scale.dtype
    scaled = tf.cast(x, precise) / along(tf.cast(y_scale, precise), x, axis, block_size)
    scaled = tf.cast(scaled, tf.float32)
    if kind not in _RANGES:
        return cast_to(scaled, kind, saturate)
    rounded = tf.round(scaled)
    if y_zero_point is not None:
        rounded = rounded + along(tf.cast(y_zero_point, tf.float32), x, axis, block_size)
    return _saturated(rounded, kind)


def _saturated(x, kind):
    low, high = _RANGES[kind]
    bounded = tf.clip_by_value(x, tf.cast(low, x.dtype), tf.cast(high, x.dtype))
    return tf.cast(tf.cast(bounded, tf.int32), to_framework(kind))


@op("DequantizeLinear", since=10)
def dequantize_linear(x, x_scale, x_zero_point=None, *, axis=1, block_size=0, output_dtype=0):
    wide = tf.cast(x, tf.float32)
    if x_zero_point is not None:
        wide = wide - along(tf.cast(x_zero_point, tf.float32), x, axis, block_size)
    kind = to_framework(output_dtype) if output_dtype else x_scale.dtype
    return tf.cast(wide * along(tf.cast(x_scale, tf.float32), x, axis, block_size), kind)


@op("DynamicQuantizeLinear", since=11)
def dynamic_quantize_linear(x):
    low, high = tf.minimum(tf.reduce_min(x), 0), tf.maximum(tf.reduce_max(x), 0)
    scale = (high - low) / 255
    zero = tf.clip_by_value(tf.round(-low / scale), 0, 255)
    return _saturated(tf.round(x / scale) + zero, 2), scale, tf.cast(zero, tf.uint8)


@op("MatMulInteger", since=10)
def mat_mul_integer(A, B, a_zero_point=None, b_zero_point=None):
    return tf.cast(_integer_product(A, B, a_zero_point, b_zero_point), tf.int32)


def _integer_product(a, b, a_zero, b_zero):
    # Exact in float64, whose kernels TensorFlow has for matrices.
    a, b = tf.cast(a, tf.float64), tf.cast(b, tf.float64)
    if a_zero is not None:
        zero = tf.cast(a_zero, tf.float64)
        a = a - (zero[..., None] if zero.shape.rank else zero)
    if b_zero is not None:
        b = b - tf.cast(b_zero, tf.float64)
    return tf.matmul(a, b)


@op("QLinearMatMul", since=10)
def q_linear_mat_mul(a, a_scale, a_zero_point, b, b_scale, b_zero_point, y_scale, y_zero_point):
    product = _integer_product(a, b, a_zero_point, b_zero_point)
    return _requantized(product, tf.cast(a_scale, tf.float64), b_scale, y_scale, y_zero_point)


def _requantized(product, a_scale, b_scale, y_scale, y_zero_point):
    factor = a_scale * tf.cast(b_scale, tf.float64) / tf.cast(y_scale, tf.float64)
    rounded = tf.round(product * factor) + tf.cast(y_zero_point, tf.float64)
    return _saturated(rounded, to_onnx(y_zero_point.dtype))


@op("QLinearConv", since=10)
def q_linear_conv(
    x,
    x_scale,
    x_zero_point,
    w,
    w_scale,
    w_zero_point,
    y_scale,
    y_zero_point,
    B=None,
    *,
    auto_pad="NOTSET",
    dilations=None,
    group=1,
    kernel_shape=None,
    pads=None,
    strides=None,
):
    wide = tf.cast(x, tf.float64) - tf.cast(x_zero_point, tf.float64)
    weight = tf.cast(w, tf.float64)
    weight = weight - along(tf.cast(w_zero_point, tf.float64), w, 0)
    bias = None if B is None else tf.cast(B, tf.float64)
    y = conv(
        wide,
        weight,
        bias,
        auto_pad=auto_pad,
        dilations=dilations,
        group=group,
        pads=pads,
        strides=strides,
    )
    scale = along(tf.cast(w_scale, tf.float64), y, 1)
    return _requantized(y, tf.cast(x_scale, tf.float64), scale, y_scale, y_zero_point)
