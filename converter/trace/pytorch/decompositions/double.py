"""Numbers of calls on float64 keep their digits.

An attribute of ONNX is float32, and so is a number inside of `torch.onnx`'s scripted translations
and the scales of ``Resize``. Written with other operators, these numbers are constants of the
tensor's own dtype. Other dtypes keep ONNX's operator.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np
import torch
from torch import Tensor

aten = torch.ops.aten

SELU_ALPHA = 1.6732632423543772848170429916717
SELU_SCALE = 1.0507009873554804934193349852946


def only_double(function: Callable[..., Any]) -> Callable[..., Any]:
    """Leave calls on other dtypes to their translation."""

    @wraps(function)
    def decomposition(x: Tensor, *args: Any, **kwargs: Any) -> Any:
        return function(x, *args, **kwargs) if x.dtype == torch.float64 else NotImplemented

    return decomposition


def rounded(*numbers: Any) -> bool:
    """Tell whether float32 rounds one of the numbers."""
    return any(float(np.float32(number)) != number for number in numbers)


def celu(x: Tensor, alpha: float = 1.0) -> Tensor:
    return torch.where(x > 0, x, alpha * torch.expm1(x.clamp(max=0) / alpha))


def elu(x: Tensor, alpha: float = 1, scale: float = 1, input_scale: float = 1) -> Any:
    if not rounded(alpha, scale, input_scale):
        return NotImplemented
    left = alpha * scale * torch.expm1(x.clamp(max=0) * input_scale)
    return torch.where(x > 0, x * scale, left)


def selu(x: Tensor) -> Any:
    return elu(x, SELU_ALPHA, SELU_SCALE)


def leaky_relu(x: Tensor, negative_slope: float = 0.01) -> Any:
    if not rounded(negative_slope):
        return NotImplemented
    return torch.where(x > 0, x, x * negative_slope)


def hardtanh(x: Tensor, min_val: float = -1, max_val: float = 1) -> Any:
    if not rounded(min_val, max_val):
        return NotImplemented
    return x.clamp(min_val, max_val)


def softplus(x: Tensor, beta: float = 1, threshold: float = 20) -> Any:
    if not rounded(beta, threshold):
        return NotImplemented
    scaled = x * beta
    soft = (scaled.clamp(min=0) + torch.log1p(torch.exp(-scaled.abs()))) / beta
    return torch.where(scaled > threshold, x, soft)


def log10(x: Tensor) -> Tensor:
    return torch.log(x) / math.log(10)


def log2(x: Tensor) -> Tensor:
    return torch.log(x) / math.log(2)


def sinc(x: Tensor) -> Tensor:
    turned = x * math.pi
    return torch.where(x == 0, 1.0, torch.sin(turned) / turned)


def addcmul(x: Tensor, a: Tensor, b: Tensor, *, value: float = 1) -> Any:
    if not rounded(value):
        return NotImplemented
    return x + value * a * b


def addcdiv(x: Tensor, a: Tensor, b: Tensor, *, value: float = 1) -> Any:
    if not rounded(value):
        return NotImplemented
    return x + value * a / b


def scaled_sum(multiply: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Any]:
    """Return ``beta * x + alpha * (a times b)``; with beta 0 ``x`` does not count, NaN or not."""

    def decomposition(x: Tensor, a: Tensor, b: Tensor, *, beta: Any = 1, alpha: Any = 1) -> Any:
        if not rounded(beta, alpha):
            return NotImplemented
        product = multiply(a, b) * alpha
        return x * beta + product if beta else torch.zeros_like(x) + product

    return decomposition


def vector_norm(
    x: Tensor, ord: float = 2, dim: Any = None, keepdim: bool = False, *, dtype: Any = None
) -> Any:
    """Return the norm of an order that is no whole number; ONNX's operators have 1 and 2."""
    if ord in (0, 1, 2) or math.isinf(ord) or dtype is not None:
        return NotImplemented
    powers = x.abs().pow(ord)
    axes = list(range(x.dim())) if dim is None else dim
    return powers.sum(axes, keepdim=keepdim).pow(1 / ord)


def rms_norm(
    x: Tensor, normalized_shape: Any, weight: Tensor | None = None, eps: float | None = None
) -> Tensor:
    axes = list(range(-len(normalized_shape), 0))
    eps = torch.finfo(x.dtype).eps if eps is None else eps
    x = x * torch.rsqrt((x * x).mean(axes, True) + eps)
    return x if weight is None else x * weight


def arange(start: Any, end: Any, step: Any = 1, *, dtype: Any = None, **_: Any) -> Any:
    """Return a range of known bounds; `torch.onnx` makes their number and steps in float32."""
    if dtype != torch.float64 or not all(isinstance(n, int | float) for n in (start, end, step)):
        return NotImplemented
    count = math.ceil((end - start) / step)
    return torch.arange(count, dtype=torch.int64).to(torch.float64) * step + start


def arange_from_0(end: Any, **options: Any) -> Any:
    return arange(0, end, **options) if isinstance(end, float) else NotImplemented


OF_TENSORS: dict[Any, Callable[..., Any]] = {
    aten.celu.default: celu,
    aten.elu.default: elu,
    aten.selu.default: selu,
    aten.leaky_relu.default: leaky_relu,
    aten.hardtanh.default: hardtanh,
    aten.softplus.default: softplus,
    aten.log10.default: log10,
    aten.log2.default: log2,
    aten.sinc.default: sinc,
    aten.addcmul.default: addcmul,
    aten.addcdiv.default: addcdiv,
    aten.addmm.default: scaled_sum(torch.matmul),
    aten.addmv.default: scaled_sum(torch.matmul),
    aten.baddbmm.default: scaled_sum(torch.matmul),
    aten.addbmm.default: scaled_sum(lambda a, b: torch.matmul(a, b).sum(0)),
    aten.addr.default: scaled_sum(lambda a, b: a.unsqueeze(1) * b.unsqueeze(0)),
    aten.rms_norm.default: rms_norm,
    aten.linalg_vector_norm.default: vector_norm,
}

DECOMPOSITIONS: dict[Any, Callable[..., Any]] = {
    aten.arange.start_step: arange,
    aten.arange.start: arange,
    aten.arange.default: arange_from_0,
} | {operator: only_double(function) for operator, function in OF_TENSORS.items()}
