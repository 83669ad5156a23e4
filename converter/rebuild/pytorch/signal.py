"""Handlers of the room `math`: windows, Fourier transforms, the mel filter bank."""

from __future__ import annotations

import math

import torch

from converter.rebuild.host_values import is_plain
from converter.rebuild.pytorch.dtypes import to_framework
from converter.rebuild.pytorch.table import op


@op("HannWindow", since=17, host=("size",))
def hann_window(size, *, output_datatype=1, periodic=1, device):
    return _window(size, output_datatype, periodic, device, (0.5, 0.5, 0.0))


@op("HammingWindow", since=17, host=("size",))
def hamming_window(size, *, output_datatype=1, periodic=1, device):
    return _window(size, output_datatype, periodic, device, (25 / 46, 1 - 25 / 46, 0.0))


@op("BlackmanWindow", since=17, host=("size",))
def blackman_window(size, *, output_datatype=1, periodic=1, device):
    return _window(size, output_datatype, periodic, device, (0.42, 0.5, 0.08))


def _window(size, datatype, periodic, device, weights):
    size = scalar(size)
    steps = torch.arange(size, dtype=torch.float64, device=device)
    angle = 2 * math.pi * steps / (size if periodic else size - 1)
    a, b, c = weights
    return (a - b * torch.cos(angle) + c * torch.cos(2 * angle)).to(to_framework(datatype))


def scalar(value):
    """Return the number in a host value of rank 0 or 1."""
    return value[0] if isinstance(value, tuple) else value


@op("DFT", since=17, host=("dft_length",))
def dft_17(input, dft_length=None, *, axis=1, inverse=0, onesided=0):
    return dft_20(input, dft_length, axis, inverse=inverse, onesided=onesided)


@op("DFT", since=20, host=("dft_length", "axis"))
def dft_20(input, dft_length=None, axis=-2, *, inverse=0, onesided=0):
    """Fourier transform of ``[..., 1]`` (real) or ``[..., 2]`` (real and imaginary part)."""
    axis = scalar(axis) % input.dim()
    length = None if dft_length is None else scalar(dft_length)
    if _is_empty(input):
        return _of_nothing(input, length, axis, inverse, onesided)
    signal = _complex(input)
    if inverse and onesided:
        return torch.fft.irfft(signal, length, axis).unsqueeze(-1).to(input.dtype)
    result = (torch.fft.ifft if inverse else torch.fft.fft)(signal, length, axis)
    if onesided:
        result = result.narrow(axis, 0, result.shape[axis] // 2 + 1)
    return torch.view_as_real(result).to(input.dtype)


def _is_empty(x):
    return any(is_plain(size) and size == 0 for size in x.shape)


def _of_nothing(input, length, axis, inverse, onesided):
    """Transform what holds no element: the Fourier kernels refuse it."""
    sizes = list(input.shape[:-1])
    if onesided:
        whole = 2 * (sizes[axis] - 1) if inverse else sizes[axis]
        whole = whole if length is None else length
        sizes[axis] = whole if inverse else whole // 2 + 1
    elif length is not None:
        sizes[axis] = length
    return input.new_zeros((*sizes, 1 if inverse and onesided else 2))


def _complex(x):
    wide = x if x.dtype == torch.float64 else x.float()
    return wide.squeeze(-1) if x.shape[-1] == 1 else torch.view_as_complex(wide.contiguous())


@op("STFT", since=17, host=("frame_step", "frame_length"))
def stft(signal, frame_step, window=None, frame_length=None, *, onesided=1):
    """Transform ``[batch, length, 1 or 2]`` frame by frame, ``[batch, frames, bins, 2]``."""
    if frame_length is None:
        frame_length = signal.shape[1] if window is None else window.shape[0]
    length, step = scalar(frame_length), scalar(frame_step)
    if _is_empty(signal):
        frames = (signal.shape[1] - length) // step + 1
        bins = length // 2 + 1 if onesided else length
        return signal.new_zeros((signal.shape[0], frames, bins, 2))
    frames = _complex(signal).unfold(1, length, step)
    frames = frames if window is None else frames * window.to(frames.real.dtype)
    result = torch.fft.fft(frames)
    if onesided:
        result = result[..., : result.shape[-1] // 2 + 1]
    return torch.view_as_real(result).to(signal.dtype)


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
    device,
):
    """Return triangles of equal width on the mel scale, ``[bins of the spectrum, mel bins]``."""
    count, length, rate, low, high = map(
        scalar, (num_mel_bins, dft_length, sample_rate, lower_edge_hertz, upper_edge_hertz)
    )
    low, high = (2595 * math.log10(1 + hertz / 700) for hertz in (low, high))
    mel = low + torch.arange(count + 2, dtype=torch.float64, device=device) * (high - low) / (
        count + 2
    )
    hertz = 700 * (10 ** (mel / 2595) - 1)
    edges = torch.floor((length + 1) * hertz / rate)
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    row = torch.arange(length // 2 + 1, dtype=torch.float64, device=device)[:, None]
    rising = (row - left) / (centre - left).clamp(min=1)
    rising = torch.where(centre == left, (row == centre).double(), rising)
    falling = (right - row) / (right - centre).clamp(min=1)
    up = (row >= left) & (row <= centre)
    down = (row >= centre) & (row < right)
    weights = torch.where(down, falling, torch.where(up, rising, torch.zeros_like(rising)))
    return weights.to(to_framework(output_datatype))
