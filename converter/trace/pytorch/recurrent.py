"""Keep LSTM, GRU and RNN layers whole while a module is traced.

`torch.export` takes a recurrent layer apart into its time steps and fixes the length of the
sequence. While `whole_layers` is active each layer is one operator instead, whose translation is
ONNX's own LSTM, GRU or RNN. The weights stay as they are; the graph slices and joins them into
ONNX's gate order: LSTM i,f,g,o -> i,o,f,c; GRU r,z,n -> z,r,h.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor

from converter.errors import TraceError

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
) -> list[Tensor]:
    """Run a recurrent layer as PyTorch does.

    Args:
        x: ``[length, batch, features]``, or ``[batch, length, features]`` if ``batch_first``.
        h0: initial states, ``[layers * directions, batch, hidden]`` each.
        kind: ``LSTM``, ``GRU``, ``RNN_TANH`` or ``RNN_RELU``.

    Returns:
        The output and the last states.
    """
    arguments = (has_biases, num_layers, 0.0, False, bidirectional, batch_first)
    function = _KERNELS[kind]
    state = tuple(h0) if kind == "LSTM" else h0[0]
    return [result.clone() for result in function(x, state, weights, *arguments)]


_KERNELS: dict[str, Callable[..., Any]] = {
    "LSTM": torch._VF.lstm,
    "GRU": torch._VF.gru,
    "RNN_TANH": torch._VF.rnn_tanh,
    "RNN_RELU": torch._VF.rnn_relu,
}


@recurrent.register_fake
def _(x, h0, weights, kind, has_biases, num_layers, bidirectional, batch_first):
    hidden = h0[0].shape[-1]
    output = x.new_empty(*x.shape[:2], hidden * (2 if bidirectional else 1))
    if len(weights) and kind == "LSTM" and len(weights) % (2 * (1 + has_biases)):
        raise NotImplementedError("LSTM with proj_size")
    return [output, *(torch.empty_like(state) for state in h0)]


@contextmanager
def whole_layers() -> Iterator[None]:
    """Trace each recurrent layer as one operator."""
    names = {"lstm": "LSTM", "gru": "GRU", "rnn_tanh": "RNN_TANH", "rnn_relu": "RNN_RELU"}
    for name, kind in names.items():
        setattr(torch._VF, name, partial(_traced, kind))
    try:
        yield
    finally:
        for name in names:
            delattr(torch._VF, name)


def _traced(kind: str, x: Tensor, *arguments: Any) -> tuple[Tensor, ...]:
    if (
        len(arguments) > 3
        and isinstance(arguments[2], list | tuple)
        and not isinstance(arguments[2], Tensor)
        and isinstance(arguments[0], Tensor)
        and arguments[0].dim() == 1
    ):
        raise TraceError(
            "a packed sequence cannot be traced",
            hint="Convert the model on padded sequences, with their lengths as a mask.",
        )
    state, weights, has_biases, layers, dropout, training, bidirectional, batch_first = arguments
    if training and dropout:
        raise TraceError(
            f"{kind} with dropout between its layers is traced in training mode",
            hint="Call model.eval() first, or set its dropout to 0.",
        )
    states = list(state) if kind == "LSTM" else [state]
    if kind == "LSTM" and states[0].shape[-1] != states[1].shape[-1]:
        raise TraceError("LSTM with proj_size has no ONNX operator", hint="Use proj_size=0.")
    x, unbatched = (x, False) if x.dim() == 3 else (x.unsqueeze(0 if batch_first else 1), True)
    results = torch.ops.equiport.recurrent(
        x, states, list(weights), kind, has_biases, layers, bidirectional, batch_first
    )
    if unbatched:
        results[0] = results[0].squeeze(0 if batch_first else 1)
    return tuple(results)


@cache
def translations() -> dict[Callable[..., Any], Callable[..., Any]]:
    """Return the table that tells `torch.onnx.export` how to write the operator down."""
    return {torch.ops.equiport.recurrent.default: _translate}


def _translate(x, h0, weights, kind, has_biases, num_layers, bidirectional, batch_first):
    from onnxscript import opset18 as op

    directions = 2 if bidirectional else 1
    per_direction = 4 if has_biases else 2
    operator = kind.split("_")[0]
    hidden = int(weights[1].shape[-1])
    if batch_first:
        x = op.Transpose(x, perm=[1, 0, 2])
    last: list[list[Any]] = [[] for _ in h0]
    for layer in range(num_layers):
        first = layer * directions
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
        results = getattr(op, operator)(x, pick(0), pick(1), bias, None, *states, **attributes)
        # [length, directions, batch, hidden] -> [length, batch, directions * hidden]
        x = op.Reshape(op.Transpose(results[0], perm=[0, 2, 1, 3]), [0, 0, -1])
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
