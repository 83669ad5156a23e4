"""Handlers of the room `logical`: comparisons, Boolean and bitwise operators."""

from __future__ import annotations

import numpy as np
import torch

from converter.rebuild.pytorch.table import op
from converter.rebuild.pytorch.unsigned import ordered, widened


@op("Equal", since=7)
def equal(A, B):
    if isinstance(A, np.ndarray):  # strings
        return torch.from_numpy(np.asarray(np.equal(A, B), dtype=bool))
    return torch.eq(ordered(A), ordered(B))


@op("Less", since=7)
def less(A, B):
    return torch.lt(ordered(A), ordered(B))


@op("LessOrEqual", since=12)
def less_or_equal(A, B):
    return torch.le(ordered(A), ordered(B))


@op("Greater", since=7)
def greater(A, B):
    return torch.gt(ordered(A), ordered(B))


@op("GreaterOrEqual", since=12)
def greater_or_equal(A, B):
    return torch.ge(ordered(A), ordered(B))


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
@widened
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
