"""Unsigned integers: PyTorch holds uint16, uint32 and uint64 but computes next to nothing in them.

They are computed in a wider signed type and brought back. uint64 has none: int64 holds the same
bits, which is all that adding and multiplying need; what depends on the order goes through
`ordered`.
"""

from __future__ import annotations

import functools

import torch

WIDER = {torch.uint16: torch.int32, torch.uint32: torch.int64, torch.uint64: torch.int64}
_SIGNED = {torch.uint16: torch.int16, torch.uint32: torch.int32, torch.uint64: torch.int64}
_TOP = -(2**63)


def widened(function):
    """Let a handler of one output compute unsigned integers in a wider type."""

    @functools.wraps(function)
    def handler(*inputs, **attributes):
        first = next(x for x in inputs if isinstance(x, torch.Tensor))
        wider = WIDER.get(first.dtype)
        if wider is None:
            return function(*inputs, **attributes)
        cast = [widen(x) for x in inputs]
        return function(*cast, **attributes).to(first.dtype)

    return handler


def widen(x):
    """Return ``x`` in a type that PyTorch computes in."""
    return x.to(WIDER[x.dtype]) if isinstance(x, torch.Tensor) and x.dtype in WIDER else x


def signed(x):
    """Return the same bits as a signed type, for what only moves them."""
    return x.view(_SIGNED[x.dtype]) if x.dtype in _SIGNED else x


def back_to(x, dtype):
    """Undo `signed`; a view, even of the same type, would cut the gradient off."""
    return x if x.dtype == dtype else x.view(dtype)


def select(x, axis, index):
    """Return ``x.index_select(axis, index)`` for every type."""
    return back_to(signed(x).index_select(axis, index), x.dtype)


def ordered(x):
    """Return signed integers that are ordered as ``x`` is, also above 2**63."""
    return x.view(torch.int64) ^ _TOP if x.dtype == torch.uint64 else widen(x)


def from_ordered(x, dtype):
    """Undo `ordered`."""
    return (x ^ _TOP).view(dtype) if dtype == torch.uint64 else x.to(dtype)


def divided(a, b):
    """Return the quotient of two tensors of uint64, which PyTorch has no kernel for.

    Half of ``a`` fits a signed division; its quotient, doubled, is at most one too small.
    """
    a, b = torch.broadcast_tensors(a.view(torch.int64), b.view(torch.int64))
    half = (a >> 1) & 0x7FFFFFFFFFFFFFFF
    safe = torch.where(b > 0, b, torch.ones_like(b))
    quotient = torch.div(half, safe, rounding_mode="trunc") << 1
    rest = a - quotient * safe
    quotient = quotient + ((rest ^ _TOP) >= (safe ^ _TOP)).to(torch.int64)
    # A divisor of 2**63 or more goes in once or not at all.
    large = ((a ^ _TOP) >= (b ^ _TOP)).to(torch.int64)
    return torch.where(b > 0, quotient, large).view(torch.uint64)
