"""Handlers of the room `math`: windows, Fourier transforms, the mel filter bank."""

from __future__ import annotations

import math

import tensorflow as tf

from converter.rebuild.tensorflow.dtypes import to_framework
from converter.rebuild.tensorflow.shapes import dims, float64
from converter.rebuild.tensorflow.table import op


@op("HannWindow", since=17, host=("size",))
def hann_window(size, *, output_datatype=1, periodic=1):
    return _window(size, output_datatype, periodic, (0.5, 0.5, 0.0))


@op("HammingWindow", since=17, host=("size",))
def hamming_window(size, *, output_datatype=1, periodic=1):
    return _window(size, output_datatype, periodic, (25 / 46, 1 - 25 / 46, 0.0))


@op("BlackmanWindow", since=17, host=("size",))
def blackman_window(size, *, output_datatype=1, periodic=1):
    return _window(size, output_datatype, periodic, (0.42, 0.5, 0.08))


def _window(size, datatype, periodic, weights):
    size = float64(scalar(size))
    angle = 2 * math.pi * tf.range(size, dtype=tf.float64) / (size if periodic else size - 1)
    a, b, c = weights
    return tf.cast(a - b * tf.cos(angle) + c * tf.cos(2 * angle), to_framework(datatype))


def scalar(value):
    """Return the number in a host value of rank 0 or 1."""
    return value[0] if isinstance(value, tuple) else value


@op("DFT", since=17, host=("dft_length",))
def dft_17(input, dft_length=None, *, axis=1, inverse=0, onesided=0):
    return dft_20(input, dft_length, axis, inverse=inverse, onesided=onesided)


@op("DFT", since=20, host=("dft_length", "axis"))
def dft_20(input, dft_length=None, axis=-2, *, inverse=0, onesided=0):
    """Fourier transform of ``[..., 1]`` (real) or ``[..., 2]`` (real and imaginary part)."""
    order = _axis_last(scalar(axis), input.shape.rank)
    x = input if input.dtype == tf.float64 else tf.cast(input, tf.float32)
    length = None if dft_length is None else scalar(dft_length)
    if inverse and onesided:
        sizes = None if length is None else [tf.cast(length, tf.int32)]
        result = tf.signal.irfft(tf.transpose(_complex(x), order), sizes)[..., None]
    elif x.shape[-1] == 1 and not inverse:
        result = _parts(_real_transform(_fitted(tf.transpose(x[..., 0], order), length), onesided))
    else:
        signal = _fitted(tf.transpose(_complex(x), order), length)
        result = (tf.signal.ifft if inverse else tf.signal.fft)(signal)
        result = _parts(result[..., : dims(result)[-1] // 2 + 1] if onesided else result)
    return tf.cast(_back(result, order), input.dtype)


def _real_transform(x, onesided):
    half, size = tf.signal.rfft(x), dims(x)[-1]
    if onesided:
        return half
    mirrored = tf.math.conj(tf.reverse(half[..., 1 : size - size // 2], [-1]))
    return tf.concat([half, mirrored], -1)


def _axis_last(axis, rank):
    """Return the order of axes, the last one left out, that swaps ``axis`` to the end."""
    if not isinstance(axis, tf.Tensor):
        order = list(range(rank - 1))
        axis %= rank
        order[axis], order[-1] = order[-1], order[axis]
        return order
    axis, steps = tf.math.floormod(tf.cast(axis, tf.int32), rank), tf.range(rank - 1)
    return tf.where(steps == axis, rank - 2, tf.where(steps == rank - 2, axis, steps))


def _back(x, order):
    """Undo the swap of axes; the last one, real and imaginary part, stays."""
    return tf.transpose(x, tf.concat([order, [x.shape.rank - 1]], 0))


def _complex(x):
    if x.shape[-1] == 1:
        real = tf.squeeze(x, -1)
        return tf.complex(real, tf.zeros_like(real))
    return tf.complex(x[..., 0], x[..., 1])


def _parts(x):
    return tf.stack([tf.math.real(x), tf.math.imag(x)], -1)


def _fitted(x, length):
    """Cut the last axis, or fill it up with zeros."""
    if length is None:
        return x
    x = x[..., :length]
    missing = tf.cast(length, tf.int64) - tf.shape(x, tf.int64)[-1]
    fill = [[0, 0]] * (x.shape.rank - 1) + [[0, missing]]
    return tf.pad(x, tf.stack([tf.stack([tf.cast(v, tf.int64) for v in pair]) for pair in fill]))


@op("STFT", since=17, host=("frame_step", "frame_length"))
def stft(signal, frame_step, window=None, frame_length=None, *, onesided=1):
    """Transform ``[batch, length, 1 or 2]`` frame by frame, ``[batch, frames, bins, 2]``."""
    wave = _complex(signal if signal.dtype == tf.float64 else tf.cast(signal, tf.float32))
    if frame_length is None:
        frame_length = dims(wave)[1] if window is None else dims(window)[0]
    length, step = (tf.cast(scalar(v), tf.int32) for v in (frame_length, frame_step))
    frames = tf.signal.frame(wave, length, step)
    if window is not None:
        frames = frames * tf.cast(window, frames.dtype)
    result = tf.signal.fft(frames)
    if onesided:
        result = result[..., : dims(result)[-1] // 2 + 1]
    return tf.cast(_parts(result), signal.dtype)


_MEL_INPUTS = ("num_mel_bins", "dft_length", "sample_rate", "lower_edge_hertz", "upper_edge_hertz")


@op("MelWeightMatrix", since=17, host=_MEL_INPUTS)
def mel_weight_matrix(
    num_mel_bins,
    dft_length,
    sample_rate,
    lower_edge_hertz,
    upper_edge_hertz,
    *,
    output_datatype=1,
):
    """Return triangles of equal width on the mel scale, ``[bins of the spectrum, mel bins]``."""
    values = (num_mel_bins, dft_length, sample_rate, lower_edge_hertz, upper_edge_hertz)
    count, length, rate, low, high = (float64(scalar(value)) for value in values)
    low, high = (2595 * tf.math.log(1 + hertz / 700) / math.log(10.0) for hertz in (low, high))
    mel = low + tf.range(count + 2, dtype=tf.float64) * (high - low) / (count + 2)
    hertz = 700 * (float64(10.0) ** (mel / 2595) - 1)
    edges = tf.floor((length + 1) * hertz / rate)
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    row = tf.range(length // 2 + 1, dtype=tf.float64)[:, None]
    rising = (row - left) / tf.maximum(centre - left, 1)
    rising = tf.where(centre == left, tf.cast(row == centre, tf.float64), rising)
    falling = (right - row) / tf.maximum(right - centre, 1)
    up = (row >= left) & (row <= centre)
    down = (row >= centre) & (row < right)
    weights = tf.where(down, falling, tf.where(up, rising, tf.zeros_like(rising)))
    return tf.cast(weights, to_framework(output_datatype))
