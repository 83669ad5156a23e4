"""Handlers of the room `reduction`.

Axes were an attribute first and became an input later (opset 13 for `ReduceSum`, 18 for the rest);
`_reducer` makes both from one function of ``(tensor, axes, keepdim)``.
"""

from __future__ import annotations

import math

import torch

from converter.rebuild.pytorch.table import op
from converter.rebuild.pytorch.unsigned import from_ordered, ordered, widen


def _axes(data, axes, noop):
    if axes is None or len(axes) == 0:
        return () if noop else tuple(range(data.dim()))
    return tuple(axes)


def _product(x, axes, keepdim):
    for axis in sorted((axis % x.dim() for axis in axes), reverse=True):
        x = torch.prod(x, axis, keepdim=keepdim, dtype=x.dtype)
    return x


def _log_sum_exp(x, axes, keepdim):
    return torch.logsumexp(x, axes, keepdim) if axes else x


def amax(x, axes, keepdim):
    return _extreme(torch.amax, x, axes, keepdim)


def amin(x, axes, keepdim):
    return _extreme(torch.amin, x, axes, keepdim)


def _extreme(function, x, axes, keepdim):
    if x.numel() == 0:
        shape = [1 if i in {a % x.dim() for a in axes} else s for i, s in enumerate(x.shape)]
        full = torch.full(shape, _neutral(function, x.dtype), dtype=x.dtype, device=x.device)
        return full if keepdim else full.squeeze(axes)
    for axis in axes:
        if may_be_none(x.shape[axis]):
            x = torch.cat([x, x.new_full(_one_along(x, axis), _neutral(function, x.dtype))], axis)
    return from_ordered(function(ordered(x), axes, keepdim), x.dtype)


def may_be_none(size):
    """Tell whether an open size may be 0 in a program that is exported now: by its range.

    PyTorch's own question (`statically_known_true`) takes every size to be 1 or more.
    """
    if not isinstance(size, torch.SymInt):
        return False
    return bool(size.node.shape_env.bound_sympy(size.node.expr).lower < 1)


def _one_along(x, axis):
    return [1 if index == axis % x.dim() else size for index, size in enumerate(x.shape)]


def _neutral(function, dtype):
    largest = function is torch.amin
    if dtype == torch.bool:
        return largest
    if dtype.is_floating_point:
        return math.inf if largest else -math.inf
    return torch.iinfo(dtype).max if largest else torch.iinfo(dtype).min


def _sum(x, axes, keepdim):
    return torch.sum(x, axes, keepdim, dtype=x.dtype)


def _mean(x, axes, keepdim):
    if not x.is_floating_point():
        return torch.mean(x.double(), axes, keepdim).to(x.dtype)
    return torch.mean(x, axes, keepdim)


_REDUCTIONS = {
    "ReduceSum": (_sum, 13),
    "ReduceMean": (_mean, 18),
    "ReduceMax": (amax, 18),
    "ReduceMin": (amin, 18),
    "ReduceProd": (_product, 18),
    "ReduceL1": (lambda x, axes, k: _sum(torch.abs(x), axes, k), 18),
    "ReduceL2": (lambda x, axes, k: _root(_sum(x * x, axes, k)), 18),
    "ReduceSumSquare": (lambda x, axes, k: _sum(x * x, axes, k), 18),
    "ReduceLogSum": (lambda x, axes, k: torch.log(_sum(x, axes, k)), 18),
    "ReduceLogSumExp": (_log_sum_exp, 18),
}


def _root(x):
    return torch.sqrt(x) if x.is_floating_point() else torch.sqrt(x.double()).to(x.dtype)


def _apply(function, data, axes, keepdims, noop):
    if widen(data) is not data and function not in (amax, amin):
        return _apply(function, widen(data), axes, keepdims, noop).to(data.dtype)
    chosen = _axes(data, axes, noop)
    if not chosen and data.dim() and function in (_sum, _mean, amax, amin, _product):
        return data
    if data.dim() == 0:
        return function(data.reshape(1), (0,), False)
    if not chosen:  # reducing over no axes still maps each element (L1, squares, logarithms)
        return function(data.unsqueeze(0), (0,), False)
    return function(data, chosen, bool(keepdims))


def _reducer(name, function, since):
    def with_attribute(data, *, axes=None, keepdims=1):
        return _apply(function, data, axes, keepdims, False)

    def with_input(data, axes=None, *, keepdims=1, noop_with_empty_axes=0):
        return _apply(function, data, axes, keepdims, noop_with_empty_axes)

    for handler, version in ((with_attribute, 1), (with_input, since)):
        handler.__name__ = handler.__qualname__ = f"{name}_{version}"
        handler.__doc__ = f"{name} from opset {version} on."
        globals()[handler.__name__] = handler
        op(name, since=version, host=("axes",) if version > 1 else ())(handler)


for _name, (_function, _since) in _REDUCTIONS.items():
    _reducer(_name, _function, _since)


@op("ArgMax", since=1)
def arg_max(data, *, axis=0, keepdims=1, select_last_index=0):
    return _arg(torch.argmax, data, axis, keepdims, select_last_index)


@op("ArgMin", since=1)
def arg_min(data, *, axis=0, keepdims=1, select_last_index=0):
    return _arg(torch.argmin, data, axis, keepdims, select_last_index)


def _arg(function, data, axis, keepdims, last):
    data = ordered(data.to(torch.uint8) if data.dtype == torch.bool else data)
    if not last:
        return function(data, axis, bool(keepdims))
    flipped = function(torch.flip(data, (axis,)), axis, bool(keepdims))
    return data.shape[axis] - 1 - flipped
