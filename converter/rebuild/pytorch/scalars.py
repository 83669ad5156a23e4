"""Arithmetic on PyTorch's symbolic scalars, for shape arithmetic on the host.

They are `torch.SymInt`, `SymFloat` and `SymBool` under `torch.export`, and zero-dimensional
tensors under `torch.jit.trace`.
"""

from __future__ import annotations

import math
import sys

import torch

from converter.rebuild.host_values import symbolic
from converter.rebuild.pytorch.dtypes import to_framework

_INTEGERS = {2, 3, 4, 5, 6, 7, 12, 13}


def _tensors(*items):
    return [item if isinstance(item, torch.Tensor) else torch.as_tensor(item) for item in items]


def _any_tensor(*items) -> bool:
    return any(isinstance(item, torch.Tensor) for item in items)


def minimum(a, b):
    return torch.minimum(*_tensors(a, b)) if _any_tensor(a, b) else torch.sym_min(a, b)


def maximum(a, b):
    return torch.maximum(*_tensors(a, b)) if _any_tensor(a, b) else torch.sym_max(a, b)


def where(condition, a, b):
    if isinstance(condition, torch.Tensor):
        return torch.where(condition, *_tensors(a, b))
    # A symbolic boolean of sizes: the decision becomes a guard of the traced program.
    return a if bool(condition) else b


def truncdiv(a, b):
    if _any_tensor(a, b):
        a, b = _tensors(a, b)
        mode = None if a.is_floating_point() or b.is_floating_point() else "trunc"
        return torch.div(a, b, rounding_mode=mode)
    if isinstance(a, float | torch.SymFloat) or isinstance(b, float | torch.SymFloat):
        return a / b
    # Sizes are not negative; where the sign is open the comparison becomes a guard.
    return a // b if (a >= 0) == (b > 0) else -((-a) // b)


def mod(a, b):
    return torch.remainder(*_tensors(a, b)) if _any_tensor(a, b) else a % b


def fmod(a, b):
    return torch.fmod(*_tensors(a, b)) if _any_tensor(a, b) else a - b * truncdiv(a, b)


def cast(a, to):
    if isinstance(a, torch.Tensor):
        return a.to(to_framework(to))
    if to in _INTEGERS:
        return torch.sym_int(a)
    return torch.sym_float(a) if to in (1, 11) else a != 0


def floor(a):
    return torch.floor(a) if isinstance(a, torch.Tensor) else torch.sym_float(math.floor(a))


def ceil(a):
    return torch.ceil(a) if isinstance(a, torch.Tensor) else torch.sym_float(math.ceil(a))


def sqrt(a):
    return torch.sqrt(a) if isinstance(a, torch.Tensor) else torch.sym_sqrt(a)


def logical_not(a):
    return torch.logical_not(a) if isinstance(a, torch.Tensor) else torch.sym_not(a)


def logical_and(a, b):
    return torch.logical_and(*_tensors(a, b)) if _any_tensor(a, b) else a & b


def logical_or(a, b):
    return torch.logical_or(*_tensors(a, b)) if _any_tensor(a, b) else a | b


symbolic(torch.SymInt, torch.SymFloat, torch.SymBool, torch.Tensor)(sys.modules[__name__])
