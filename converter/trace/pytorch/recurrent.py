"""Keep LSTM, GRU and RNN layers whole while a module is traced.

`torch.export` takes a recurrent layer apart into its time steps and fixes the length of the
sequence. While `whole_layers` is active each layer is one operator instead, whose translation is
ONNX's own LSTM, GRU or RNN. The weights stay as they are; the graph slices and joins them into
ONNX's gate order: LSTM i,f,g,o -> i,o,f,c; GRU r,z,n -> z,r,h.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache, partial, partialmethod
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn
from torch.nn.utils import rnn

from converter.errors import TraceError
from converter.trace.pytorch import packed
from converter.trace.pytorch.packed import lengths_of, padded_inside

GATES = {"LSTM": (0, 3, 1, 2), "GRU": (1, 0, 2), "RNN": (0,)}


@torch.library.custom_op("equiport::recurrent", mutates_args=())
def recurrent(
    x: Tensor,
    h0: list[Tensor],
    weights: list[Tensor],
    kind: str,
    has_biases: bool,
    num_layers: int,
    bidirectional: bool,
    batch_first: bool,
    dropout: float,
    lengths: Tensor | None = None,
) -> list[Tensor]:
    """Run a recurrent layer as PyTorch does in inference.

    Args:
        x: ``[length, batch, features]``, or ``[batch, length, features]`` if ``batch_first``.
        h0: initial states, ``[layers * directions, batch, hidden]`` each.
        kind: ``LSTM``, ``GRU``, ``RNN_TANH`` or ``RNN_RELU``.
        dropout: the rate between its layers in training; nothing is dropped here.
        lengths: int64 ``[batch]``, where the rows end at different steps.

    Returns:
        The output and the last states; beyond a row's length the output is 0.
    """
    arguments = (has_biases, num_layers, 0.0, False, bidirectional)
    function = _KERNELS[kind]
    state = tuple(h0) if kind == "LSTM" else h0[0]
    if lengths is None:
        results = function(x, state, weights, *arguments, batch_first)
        return [result.clone() for result in results]
    steps = rnn.pack_padded_sequence(x, lengths, batch_first, enforce_sorted=False)
    order, back = steps.sorted_indices, steps.unsorted_indices
    ordered = [item[:, order] for item in h0]
    state = tuple(ordered) if kind == "LSTM" else ordered[0]
    data, *last = function(steps.data, steps.batch_sizes, state, weights, *arguments)
    output, _ = rnn.pad_packed_sequence(
        steps._replace(data=data), batch_first, total_length=x.shape[int(batch_first)]
    )
    return [output.clone(), *(item[:, back] for item in last)]


_KERNELS: dict[str, Callable[..., Any]] = {
    "LSTM": torch._VF.lstm,
    "GRU": torch._VF.gru,
    "RNN_TANH": torch._VF.rnn_tanh,
    "RNN_RELU": torch._VF.rnn_relu,
}


@recurrent.register_fake
def _(
    x, h0, weights, kind, has_biases, num_layers, bidirectional, batch_first, dropout, lengths=None
):
    hidden = h0[0].shape[-1]
    output = x.new_empty(*x.shape[:2], hidden * (2 if bidirectional else 1))
    if len(weights) and kind == "LSTM" and len(weights) % (2 * (1 + has_biases)):
        raise NotImplementedError("LSTM with proj_size")
    return [output, *(torch.empty_like(state) for state in h0)]


@contextmanager
def whole_layers() -> Iterator[None]:
    """Trace each recurrent layer as one operator, those on packed sequences too."""
    names = {"lstm": "LSTM", "gru": "GRU", "rnn_tanh": "RNN_TANH", "rnn_relu": "RNN_RELU"}
    layers = (nn.LSTM, nn.GRU, nn.RNN)
    with ExitStack() as stack:
        stack.enter_context(padded_inside())
        for layer in layers:
            forward = partial(_on_packed, layer.forward)
            stack.enter_context(mock.patch.object(layer, "forward", partialmethod(forward)))
        for name, kind in names.items():
            setattr(torch._VF, name, partial(_traced, kind))
        try:
            yield
        finally:
            for name in names:
                delattr(torch._VF, name)


def _on_packed(forward: Callable[..., Any], layer: nn.RNNBase, x: Any, hx: Any = None) -> Any:
    """Run a layer's ``forward``; a packed sequence as a padded one with lengths."""
    if not isinstance(x, rnn.PackedSequence):
        return forward(layer, x, hx)
    own = lengths_of(x)
    padded = own.padded(x.data)
    if hx is None:
        count = layer.num_layers * (2 if layer.bidirectional else 1)
        zeros = padded.new_zeros(count, padded.shape[1], layer.hidden_size)
        hx = (zeros, zeros) if layer.mode == "LSTM" else zeros
    if layer.proj_size:
        raise TraceError("LSTM with proj_size has no ONNX operator", hint="Use proj_size=0.")
    output, *last = _traced(
        layer.mode, padded, hx, layer._flat_weights, layer.bias, layer.num_layers, layer.dropout,
        layer.training, layer.bidirectional, False, own.lengths,
    )  # fmt: skip
    return own.packed(output), tuple(last) if layer.mode == "LSTM" else last[0]


def _traced(kind: str, x: Tensor, *arguments: Any) -> tuple[Tensor, ...]:
    if len(arguments) == 8 and isinstance(arguments[1], Tensor):
        raise TraceError(
            "torch._VF is called on a packed sequence, which cannot be traced",
            hint="Call a layer (nn.LSTM, nn.GRU, nn.RNN) on the packed sequence instead.",
        )
    state, weights, has_biases, layers, dropout, training, bidirectional, batch_first = arguments[
        :8
    ]
    lengths = arguments[8] if len(arguments) > 8 else None
    if training and dropout:  # a module that turns its own layer back to training
        raise TraceError(
            f"{kind} with dropout between its layers is traced in training mode",
            hint="Call model.eval() first, or set its dropout to 0.",
        )
    states = list(state) if kind == "LSTM" else [state]
    if kind == "LSTM" and states[0].shape[-1] != states[1].shape[-1]:
        raise TraceError("LSTM with proj_size has no ONNX operator", hint="Use proj_size=0.")
    x, unbatched = (x, False) if x.dim() == 3 else (x.unsqueeze(0 if batch_first else 1), True)
    results = torch.ops.equiport.recurrent(
        x, states, list(weights), kind, has_biases, layers, bidirectional, batch_first,
        float(dropout), lengths,
    )  # fmt: skip
    if unbatched:
        results[0] = results[0].squeeze(0 if batch_first else 1)
    return tuple(results)


@cache
def translations() -> dict[Callable[..., Any], Callable[..., Any]]:
    """Return the table that tells `torch.onnx.export` how to write the operator down."""
    return {torch.ops.equiport.recurrent.default: _translate, **packed.translations()}


def _translate(
    x, h0, weights, kind, has_biases, num_layers, bidirectional, batch_first, dropout, lengths=None
):
    from onnxscript import opset18 as op

    directions = 2 if bidirectional else 1
    per_direction = 4 if has_biases else 2
    operator = kind.split("_")[0]
    hidden = int(weights[1].shape[-1])
    if batch_first:
        x = op.Transpose(x, perm=[1, 0, 2])
    if lengths is not None:
        lengths = op.Cast(lengths, to=6)  # int32
    last: list[list[Any]] = [[] for _ in h0]
    for layer in range(num_layers):
        first = layer * directions
        if layer and dropout:  # it does nothing in inference, and is kept for whoever trains
            x, _ = op.Dropout(x, op.Constant(value_float=dropout))
        groups = [
            weights[(first + d) * per_direction : (first + d + 1) * per_direction]
            for d in range(directions)
        ]
        pick = partial(_joined, op, groups, GATES[operator], hidden)
        bias = op.Concat(pick(2), pick(3), axis=1) if has_biases else None
        states = [_layer_state(op, state, first, directions, num_layers) for state in h0]
        attributes: dict[str, Any] = {
            "hidden_size": hidden,
            "direction": "bidirectional" if bidirectional else "forward",
        }
        if operator == "GRU":
            attributes["linear_before_reset"] = 1
        if operator == "RNN":
            attributes["activations"] = [kind.split("_")[1].capitalize()] * directions
        results = getattr(op, operator)(x, pick(0), pick(1), bias, lengths, *states, **attributes)
        # [length, directions, batch, hidden] -> [length, batch, directions * hidden]
        # The width by its number: nothing can be worked out of an empty batch.
        x = op.Reshape(op.Transpose(results[0], perm=[0, 2, 1, 3]), [0, 0, directions * hidden])
        for store, state in zip(last, results[1:], strict=True):
            store.append(state)
    if batch_first:
        x = op.Transpose(x, perm=[1, 0, 2])
    return [x, *(s[0] if len(s) == 1 else op.Concat(*s, axis=0) for s in last)]


def _layer_state(op, state, first, directions, num_layers):
    if num_layers == 1:
        return state
    return op.Slice(state, [first], [first + directions], [0])


def _joined(op, groups, gates, hidden, index):
    """Return ``[directions, gates * hidden, ...]`` in ONNX's gate order."""
    rows = []
    for group in groups:
        weight = group[index]
        if len(gates) > 1:
            parts = [op.Slice(weight, [g * hidden], [(g + 1) * hidden], [0]) for g in gates]
            weight = op.Concat(*parts, axis=0)
        rows.append(op.Unsqueeze(weight, [0]))
    return rows[0] if len(rows) == 1 else op.Concat(*rows, axis=0)
