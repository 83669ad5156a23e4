"""Handlers of the room `tensor`: casts to every ONNX element type, by ONNX's rules.

TensorFlow has no kernels for float8, float4, 2- and 4-bit integers; they are carried in float32,
int8 and uint8 (see `dtypes`), so the rounding to their values is done here.
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from converter.rebuild.tensorflow.dtypes import STRING, is_carried, to_framework, to_onnx
from converter.rebuild.tensorflow.table import op


class SmallFloat(NamedTuple):
    """A float of 8 bits or less.

    Attributes:
        fraction: bits of the fraction.
        lowest: exponent of the smallest normal number.
        largest: largest finite value.
        infinite: whether it has infinities; else what overflows is NaN.
        signed_zero: whether it has -0.
    """

    fraction: int
    lowest: int
    largest: float
    infinite: bool = False
    signed_zero: bool = True


FLOAT4E2M1, FLOAT8E8M0 = 23, 24
SMALL_FLOATS = {
    17: SmallFloat(3, -6, 448.0),
    18: SmallFloat(3, -7, 240.0, signed_zero=False),
    19: SmallFloat(2, -14, 57344.0, infinite=True),
    20: SmallFloat(2, -15, 57344.0, signed_zero=False),
    FLOAT4E2M1: SmallFloat(1, 0, 6.0),
}
BITS = {21: 4, 22: 4, 25: 2, 26: 2}
"""Width of the small integers."""
SIGNED = frozenset({22, 26})


@op("Cast", since=6)
def cast(input, *, to, saturate=1, round_mode="up"):
    return cast_to(input, to, saturate, round_mode)


@op("CastLike", since=15)
def cast_like(input, target_type, *, saturate=1, round_mode="up", output_type):
    return cast_to(input, output_type or to_onnx(target_type.dtype), saturate, round_mode)


@op("BitCast", since=26)
def bit_cast(input, *, to):
    if to in BITS:  # the same bits, read with or without a sign
        return to_small_integer(input, to)
    if is_carried(to):
        raise NotImplementedError(f"BitCast to ONNX element type {to}")
    dtype = to_framework(to)
    if input.dtype == tf.bool:  # which TensorFlow does not bitcast
        return tf.bitcast(tf.cast(input, tf.uint8), dtype)
    return tf.cast(input, tf.bool) if dtype == tf.bool else tf.bitcast(input, dtype)


def cast_to(x, to, saturate=1, round_mode="up"):
    """Cast a tensor to the ONNX element type ``to``."""
    if to == STRING:
        return as_text(x)
    dtype = to_framework(to)
    if x.dtype == tf.string:
        x = parse(x, dtype)
    if to in BITS:
        return to_small_integer(x, to)
    if to in SMALL_FLOATS:
        return to_small_float(x, SMALL_FLOATS[to], saturate or to == FLOAT4E2M1)
    if to == FLOAT8E8M0:
        return to_power_of_two(x, saturate, round_mode)
    if x.dtype.is_floating and dtype in (tf.int8, tf.uint8, tf.int16, tf.uint16, tf.uint32):
        return tf.cast(tf.cast(x, tf.int64), dtype)  # wraps; a direct cast saturates
    return tf.cast(x, dtype)


def to_small_float(x, kind, saturate):
    """Round to the nearest value of a small float, ties to the even code; carried in float32."""
    wide = tf.cast(x, tf.float32)
    exponent = tf.maximum(_exponent(wide), kind.lowest)
    step = _power_of_two(exponent - kind.fraction)
    rounded = tf.round(wide / step) * step
    over = tf.abs(rounded) > kind.largest
    if saturate:
        beyond = tf.sign(wide) * kind.largest
    else:
        beyond = wide * float("inf") if kind.infinite else tf.fill(tf.shape(wide), float("nan"))
    rounded = tf.where(over, beyond, rounded)
    return rounded if kind.signed_zero else rounded + 0.0 * tf.ones_like(rounded)


def _exponent(x):
    return (tf.bitwise.right_shift(tf.bitcast(x, tf.int32), 23) & 0xFF) - 127


def _power_of_two(exponent):
    return tf.bitcast(tf.bitwise.left_shift(exponent + 127, 23), tf.float32)


def to_power_of_two(x, saturate, round_mode):
    """Round to float8e8m0: a power of two between 2**-127 and 2**127, or NaN."""
    bits = tf.bitcast(tf.cast(x, tf.float32), tf.int32)
    exponent = tf.bitwise.right_shift(bits, 23) & 0xFF
    fraction = bits & 0x7FFFFF
    if round_mode == "up":
        raised = fraction > 0
    elif round_mode == "nearest":
        # Exactly half a step goes up, except from the smallest value, whose code is even.
        half = 0x400000
        raised = (fraction > half) | ((fraction == half) & (exponent > 0))
    elif round_mode == "down":
        raised = tf.zeros_like(fraction, tf.bool)
    else:
        raise NotImplementedError(f"Cast with round_mode={round_mode!r}")
    result = exponent + tf.cast(raised, tf.int32)
    if saturate:
        result = tf.minimum(result, 0xFE)
    # 2**-127 is subnormal in float32: its exponent field is 0, its fraction one half.
    value = tf.bitcast(
        tf.where(result == 0, 0x400000, tf.bitwise.left_shift(result, 23)), tf.float32
    )
    nothing = (exponent == 0xFF) | (result == 0xFF)
    return tf.where(nothing, tf.constant(float("nan")), value)


def to_small_integer(x, to):
    """Truncate towards zero and keep the low bits, as wider integers do."""
    bits = BITS[to]
    low = tf.cast(x, tf.int32) & (2**bits - 1)
    if to in SIGNED:
        low = tf.where(low >= 2 ** (bits - 1), low - 2**bits, low)
    return tf.cast(low, to_framework(to))


def parse(texts, dtype):
    """Read numbers from strings."""
    return tf.cast(
        tf.strings.to_number(texts, tf.float64 if dtype.is_floating else tf.int64), dtype
    )


def as_text(x):
    """Write numbers as strings."""
    if x.dtype == tf.string:
        return x
    return tf.strings.as_string(x, shortest=x.dtype.is_floating)
