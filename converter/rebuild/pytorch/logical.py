"""Handlers of the room `logical`: comparisons, Boolean and bitwise operators."""

from __future__ import annotations

import numpy as np
import torch

from converter.rebuild.pytorch.table import op

_WIDER = {torch.uint16: torch.int32, torch.uint32: torch.int64, torch.uint64: torch.int64}


def _comparable(*tensors):
    """Bring unsigned integers that PyTorch does not compare to a wider type."""
    return [tensor.to(_WIDER.get(tensor.dtype, tensor.dtype)) for tensor in tensors]


@op("Equal", since=7)
def equal(A, B):
    if isinstance(A, np.ndarray):  # strings
        return torch.from_numpy(np.asarray(np.equal(A, B), dtype=bool))
    return torch.eq(*_comparable(A, B))


@op("Less", since=7)
def less(A, B):
    return torch.lt(*_comparable(A, B))


@op("LessOrEqual", since=12)
def less_or_equal(A, B):
    return torch.le(*_comparable(A, B))


@op("Greater", since=7)
def greater(A, B):
    return torch.gt(*_comparable(A, B))


@op("GreaterOrEqual", since=12)
def greater_or_equal(A, B):
    return torch.ge(*_comparable(A, B))


@op("And", since=7)
def and_(A, B):
    return torch.logical_and(A, B)


@op("Or", since=7)
def or_(A, B):
    return torch.logical_or(A, B)


@op("Xor", since=7)
def xor(A, B):
    return torch.logical_xor(A, B)


@op("Not", since=1)
def not_(X):
    return torch.logical_not(X)


@op("BitwiseAnd", since=18)
def bitwise_and(A, B):
    return torch.bitwise_and(A, B)


@op("BitwiseOr", since=18)
def bitwise_or(A, B):
    return torch.bitwise_or(A, B)


@op("BitwiseXor", since=18)
def bitwise_xor(A, B):
    return torch.bitwise_xor(A, B)


@op("BitwiseNot", since=18)
def bitwise_not(X):
    return torch.bitwise_not(X)


@op("IsNaN", since=9)
def is_nan(X):
    return torch.isnan(X)


@op("IsInf", since=10)
def is_inf(X, *, detect_negative=1, detect_positive=1):
    result = torch.isinf(X)
    if not detect_negative:
        result = result & (X > 0)
    return result if detect_positive else result & (X < 0)
