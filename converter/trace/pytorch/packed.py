"""Keep packed sequences padded while a module is traced.

`pack_padded_sequence` sorts rows by length and lines their steps up one after the other: how many
rows each step has depends on the lengths, and `torch.export` cannot follow that. While
`padded_inside` is active, a packed sequence remembers the padded tensor that it was made of, and
its lengths stand in place of ``batch_sizes``: a recurrent layer reads both, and becomes one
operator with lengths, and `pad_packed_sequence` gets the layer's output back as it is. Whoever
reads ``data`` itself gets the steps one after the other, as PyTorch has them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FunctionType
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils import rnn

from converter.errors import TraceError
from converter.trace.pytorch.orders import longest_first


@torch.library.custom_op("equiport::pack", mutates_args=())
def pack_steps(x: Tensor, lengths: Tensor, in_order: bool) -> Tensor:
    """Line the steps of all rows up, step by step: ``[length, batch, ...]`` -> ``[steps, ...]``.

    Args:
        lengths: int64 ``[batch]``.
        in_order: the rows are in the order of their lengths already.
    """
    order = _order(lengths, in_order)
    return x[:, order][_inside(lengths[order], x.shape[0])]


@pack_steps.register_fake
def _(x, lengths, in_order):
    steps = torch.library.get_ctx().new_dynamic_size()
    return x.new_empty(steps, *x.shape[2:])


@torch.library.custom_op("equiport::unpack", mutates_args=())
def unpack_steps(data: Tensor, lengths: Tensor, length: int, in_order: bool) -> Tensor:
    """Undo `pack_steps`; beyond a row's length there are zeros.

    Args:
        length: of the padded tensor.
    """
    order = _order(lengths, in_order)
    x = data.new_zeros(length, lengths.shape[0], *data.shape[1:])
    x[_inside(lengths[order], length)] = data
    return x[:, torch.argsort(order)]


@unpack_steps.register_fake
def _(data, lengths, length, in_order):
    return data.new_empty(length, lengths.shape[0], *data.shape[1:])


def _order(lengths: Tensor, in_order: bool) -> Tensor:
    if in_order:
        return torch.arange(lengths.shape[0])
    return torch.sort(lengths, descending=True, stable=True).indices


def _inside(lengths: Tensor, length: int) -> Tensor:
    return torch.arange(length)[:, None] < lengths[None]


def translations() -> dict[Callable[..., Any], Callable[..., Any]]:
    """Return how both operators are written in ONNX."""
    return {
        torch.ops.equiport.pack.default: _translate_pack,
        torch.ops.equiport.unpack.default: _translate_unpack,
    }


def _translate_pack(x, lengths, in_order):
    from onnxscript import opset18 as op

    order = None if in_order else _sorted_rows(op, lengths)
    steps = op.Shape(x, start=0, end=1)
    if order is not None:
        x, lengths = op.Gather(x, order, axis=1), op.Gather(lengths, order, axis=0)
    return op.GatherND(x, _positions(op, lengths, steps))


def _translate_unpack(data, lengths, length, in_order):
    from onnxscript import opset18 as op

    order = None if in_order else _sorted_rows(op, lengths)
    steps, rows = op.Reshape(length, [1]), op.Shape(lengths)
    own = lengths if order is None else op.Gather(lengths, order, axis=0)
    shape = op.Concat(steps, rows, op.Shape(data, start=1), axis=0)
    zeros = op.Expand(op.CastLike(op.Constant(value_float=0.0), data), shape)
    x = op.ScatterND(zeros, _positions(op, own, steps), data)
    if order is None:
        return x
    _, back = op.TopK(order, rows, largest=0)  # the places of 0, 1, ... in the order
    return op.Gather(x, back, axis=1)


def _sorted_rows(op, lengths):
    """Return the rows by length, longest first; rows of one length stay in their order."""
    rows = op.Shape(lengths)
    places = op.Range(0, op.Squeeze(rows, [0]), 1)
    keys = op.Sub(op.Mul(lengths, rows), places)
    return op.TopK(keys, rows)[1]


def _positions(op, lengths, steps):
    """Return ``[steps of all rows, 2]``: step and row of each."""
    counted = op.Unsqueeze(op.Range(0, op.Squeeze(steps, [0]), 1), [1])
    return op.Transpose(op.NonZero(op.Less(counted, op.Unsqueeze(lengths, [0]))), perm=[1, 0])


class Lengths:
    """What a packed sequence has in place of ``batch_sizes`` while a module is traced.

    Attributes:
        lengths: int64 ``[batch]``, in the order of the padded tensor's rows.
        length: of the padded tensor.
    """

    device = torch.device("cpu")

    def __init__(self, lengths: Tensor, length: Any, in_order: bool) -> None:
        self.lengths, self.length, self.in_order = lengths, length, in_order
        self._padded: list[tuple[Tensor, Tensor]] = []

    def packed(self, x: Tensor) -> rnn.PackedSequence:
        """Pack ``[length, batch, ...]``, and remember it."""
        data = torch.ops.equiport.pack(x, self.lengths, self.in_order)
        self._padded.append((data, x))
        return rnn.PackedSequence(data, self)  # type: ignore[arg-type]

    def padded(self, data: Tensor) -> Tensor:
        """Return ``[length, batch, ...]``; beyond a row's length there is anything."""
        for known, x in self._padded:
            if known is data:
                return x
        return torch.ops.equiport.unpack(data, self.lengths, self.length, self.in_order)

    def __getitem__(self, step: int) -> Any:
        if step == 0:
            return self.lengths.shape[0]
        return self._refused()

    def _refused(self, *_: Any) -> Any:
        raise TraceError(
            "the model reads batch_sizes of a packed sequence, which depends on the lengths",
            hint="Read the lengths instead, or pad the sequence first (pad_packed_sequence).",
        )

    size = tolist = __len__ = __iter__ = sum = max = cpu = __add__ = __mul__ = __eq__ = _refused
    __hash__ = object.__hash__


def lengths_of(packed: rnn.PackedSequence) -> Lengths:
    """Return the lengths of a packed sequence.

    Raises:
        TraceError: it was not made in the model.
    """
    sizes = packed.batch_sizes
    if not isinstance(sizes, Lengths):
        raise TraceError(
            "a packed sequence that was made outside of the model cannot be traced",
            hint="Give the model padded sequences and their lengths, and call "
            "pack_padded_sequence in its forward.",
        )
    return sizes


def pack(
    x: Tensor, lengths: Tensor | Sequence[int], batch_first: bool, enforce_sorted: bool
) -> rnn.PackedSequence:
    """Stand in for `pack_padded_sequence`."""
    rows: Tensor = torch.as_tensor(lengths).to(torch.int64)
    if enforce_sorted:
        rows = longest_first(rows)
    x = x.transpose(0, 1) if batch_first else x
    return Lengths(rows, x.shape[0], enforce_sorted).packed(x)


def pad(
    packed: rnn.PackedSequence, batch_first: bool, padding_value: float, total_length: Any
) -> tuple[Tensor, Tensor]:
    """Stand in for `pad_packed_sequence`."""
    own = lengths_of(packed)
    x = own.padded(packed.data)
    inside = torch.arange(x.shape[0])[:, None] < own.lengths[None]
    x = torch.where(inside.reshape(*inside.shape, *[1] * (x.dim() - 2)), x, padding_value)
    if total_length is None:
        longest: Any = own.lengths.max().item()
        torch._check(longest >= 0)
        torch._check(longest <= x.shape[0])
        x = x.narrow(0, 0, longest)
    elif total_length != x.shape[0]:
        more = [0, 0] * (x.dim() - 1) + [0, total_length - x.shape[0]]
        x = torch.nn.functional.pad(x, more, value=padding_value)
    return (x.transpose(0, 1) if batch_first else x), own.lengths


def _pack_shim(input, lengths, batch_first=False, enforce_sorted=True):
    from converter.trace.pytorch.packed import pack

    return pack(input, lengths, batch_first, enforce_sorted)


def _pad_shim(sequence, batch_first=False, padding_value=0.0, total_length=None):
    from converter.trace.pytorch.packed import pad

    return pad(sequence, batch_first, padding_value, total_length)


@contextmanager
def padded_inside() -> Iterator[None]:
    """Let PyTorch's functions be ours, under whatever name a model has imported them."""
    shims = {rnn.pack_padded_sequence: _pack_shim, rnn.pad_packed_sequence: _pad_shim}
    before = {function: function.__code__ for function in shims}
    try:
        for function, shim in shims.items():
            _as_function(function).__code__ = _as_function(shim).__code__
        yield
    finally:
        for function, code in before.items():
            _as_function(function).__code__ = code


def _as_function(function: Any) -> FunctionType:
    assert isinstance(function, FunctionType)
    return function
