"""Handlers of the room `quantization`."""

from __future__ import annotations

import torch

from converter.rebuild.pytorch.casts import cast_to
from converter.rebuild.pytorch.dtypes import to_framework, to_onnx
from converter.rebuild.pytorch.nn_conv import conv
from converter.rebuild.pytorch.table import op

_RANGES = {2: (0, 255), 3: (-128, 127), 4: (0, 65535), 5: (-32768, 32767)}
_RANGES |= {21: (0, 15), 22: (-8, 7), 25: (0, 3), 26: (-2, 1)}
"""Smallest and largest value by ONNX element type."""


def along(parameter, x, axis, block_size=0):
    """Shape a scale or zero point so that it broadcasts against ``x``."""
    if parameter.dim() == 0 or parameter.numel() == 1 and not block_size:
        return parameter.reshape(())
    axis = axis % x.dim()
    if block_size:
        return parameter.repeat_interleave(block_size, axis).narrow(axis, 0, x.shape[axis])
    return parameter.reshape(-1, *(1,) * (x.dim() - 1 - axis))


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
    scaled = x.float() / along(y_scale.float(), x, axis, block_size)
    if kind not in _RANGES:
        return cast_to(scaled, kind, saturate)
    rounded = torch.round(scaled)
    if y_zero_point is not None:
        rounded = rounded + along(y_zero_point.float(), x, axis, block_size)
    return rounded.clamp(*_RANGES[kind]).to(torch.int32).to(to_framework(kind))


@op("DequantizeLinear", since=10)
def dequantize_linear(x, x_scale, x_zero_point=None, *, axis=1, block_size=0, output_dtype=0):
    wide = x.to(torch.int32).float() if not x.is_floating_point() else x.float()
    if x_zero_point is not None:
        zero = x_zero_point if x_zero_point.is_floating_point() else x_zero_point.to(torch.int32)
        wide = wide - along(zero.float(), x, axis, block_size)
    kind = to_framework(output_dtype) if output_dtype else x_scale.dtype
    return (wide * along(x_scale.float(), x, axis, block_size)).to(kind)


@op("DynamicQuantizeLinear", since=11)
def dynamic_quantize_linear(x):
    with_zero = torch.cat((x.reshape(-1), x.new_zeros(1)))  # 0 is always in the range
    low, high = with_zero.amin(), with_zero.amax()
    scale = (high - low) / 255
    zero = torch.round(-low / scale).clamp(0, 255)
    y = (torch.round(x / scale) + zero).clamp(0, 255)
    return y.to(torch.uint8), scale, zero.to(torch.uint8)


@op("MatMulInteger", since=10)
def mat_mul_integer(A, B, a_zero_point=None, b_zero_point=None):
    # Exact in float64, whose kernels PyTorch has for matrices.
    a, b = A.double(), B.double()
    if a_zero_point is not None:
        zero = a_zero_point.double()
        a = a - (zero.unsqueeze(-1) if zero.dim() else zero)
    if b_zero_point is not None:
        b = b - b_zero_point.double()
    return torch.matmul(a, b).to(torch.int32)


@op("QLinearMatMul", since=10)
def q_linear_mat_mul(a, a_scale, a_zero_point, b, b_scale, b_zero_point, y_scale, y_zero_point):
    product = mat_mul_integer(a, b, a_zero_point, b_zero_point).double()
    scaled = torch.round(product * (a_scale.double() * b_scale.double() / y_scale.double()))
    low, high = _RANGES[to_onnx(y_zero_point.dtype)]
    return (scaled + y_zero_point.double()).clamp(low, high).to(y_zero_point.dtype)


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
    wide = x.double() - x_zero_point.double()
    weight = w.double() - along(w_zero_point.double(), w, 0)
    bias = None if B is None else B.double()
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
    factor = along(x_scale.double() * w_scale.double(), y, 1) / y_scale.double()
    low, high = _RANGES[to_onnx(y_zero_point.dtype)]
    scaled = torch.round(y * factor) + y_zero_point.double()
    return scaled.clamp(low, high).to(y_zero_point.dtype)
