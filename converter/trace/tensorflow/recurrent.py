"""Keras' LSTM, GRU and SimpleRNN as one operator of ONNX each, and not as the loops they run.

While a model is traced, such a layer leaves `CudnnRNNV3` behind: TensorFlow's one operator with the
shapes of a whole recurrent layer. It never runs. What it is given in place of cuDNN's parameters
are Keras' own weights, flat and one behind the other: kernel, recurrent kernel, bias.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import keras
import numpy as np
import tensorflow as tf

from converter.trace.tensorflow.handlers.table import translates
from converter.trace.tensorflow.writer import NodeWriter, NotTranslated, Value

_LAYERS = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU, "rnn": keras.layers.SimpleRNN}
_GATES = {"lstm": (0, 3, 1, 2), "gru": (0, 1, 2), "rnn": (0,)}
"""ONNX's gates, each by its place in Keras: input, output, forget, cell; update, reset, new."""


_NAME = "equiport_recurrent"
_OURS = re.compile(rf"(^|/){_NAME}[^/]*$")
"""A model may run cuDNN's own operator: its parameters lie in another order."""


@contextmanager
def whole_layers() -> Iterator[None]:
    """Let Keras' recurrent layers leave one operator behind, as far as ONNX has one for them."""
    with ExitStack() as stack:
        for mode, layer in _LAYERS.items():
            loop = _marking(mode, layer.inner_loop)
            stack.enter_context(mock.patch.object(layer, "inner_loop", loop))
        both = _marking_both(keras.layers.Bidirectional.call)
        stack.enter_context(mock.patch.object(keras.layers.Bidirectional, "call", both))
        yield


def _marking(mode: str, usual: Callable[..., Any]) -> Callable[..., Any]:
    def inner_loop(
        layer: Any, sequences: Any, initial_state: Any, mask: Any, training: bool = False
    ) -> Any:
        if mask is not None or not _is_plain(mode, layer):
            return usual(layer, sequences, initial_state, mask, training=training)
        return _whole(mode, layer, sequences, tf.nest.flatten(initial_state))

    return inner_loop


def _is_plain(mode: str, layer: Any) -> bool:
    """Tell whether ONNX has an operator for a layer, and nothing of it is lost in training."""
    cell, activations = layer.cell, keras.activations
    if cell.dropout or cell.recurrent_dropout:
        return False
    if mode == "rnn":
        return cell.activation in (activations.tanh, activations.relu)
    return cell.activation is activations.tanh and cell.recurrent_activation is activations.sigmoid


def _whole(mode: str, layer: Any, sequences: Any, states: list[Any]) -> Any:
    """Return the last output, the outputs and the states of a layer, as its loop does."""
    if layer.go_backwards:
        sequences = tf.reverse(sequences, [1])
    outputs, states = _marked(mode, [layer], sequences, [tf.expand_dims(s, 0) for s in states])
    last = [tf.squeeze(state, [0]) for state in states]
    return last[0], outputs, last


def _marking_both(usual: Callable[..., Any]) -> Callable[..., Any]:
    def call(
        layer: Any, sequences: Any, initial_state: Any = None, mask: Any = None,
        training: bool | None = None,
    ) -> Any:  # fmt: skip
        ways = [layer.forward_layer, layer.backward_layer]
        mode = next((m for m, kind in _LAYERS.items() if type(ways[0]) is kind), None)
        alone = initial_state is None and mask is None and layer.merge_mode == "concat"
        if mode is None or not alone or not _are_twins(mode, *ways):
            return usual(layer, sequences, initial_state, mask, training)
        size = [2, tf.shape(sequences)[0], ways[0].units]
        zeros = [tf.zeros(size, sequences.dtype)] * (2 if mode == "lstm" else 1)
        outputs, states = _marked(mode, ways, sequences, zeros)
        parts = [[state[way] for state in states] for way in (0, 1)]
        result = outputs
        if not layer.return_sequences:
            result = tf.concat([parts[0][0], parts[1][0]], -1)
        return (result, *parts[0], *parts[1]) if layer.return_state else result

    return call


def _are_twins(mode: str, forward: Any, backward: Any) -> bool:
    """Tell whether two layers are the two directions of one operator."""
    same = ("units", "activation", "recurrent_activation", "reset_after", "use_bias")
    return (
        type(forward) is type(backward) and _is_plain(mode, forward) and _is_plain(mode, backward)
        and all(getattr(forward, n, None) == getattr(backward, n, None) for n in same)
        and not (forward.stateful or backward.stateful)
        and not forward.go_backwards and backward.go_backwards
    )  # fmt: skip


def _marked(
    mode: str, layers: list[Any], sequences: Any, states: list[Any]
) -> tuple[Any, list[Any]]:
    """Leave the operator behind; returns the outputs and the last states of each direction."""
    weights = [weight for layer in layers for weight in _weights(layer.cell)]
    cell, size = layers[0].cell, tf.shape(sequences)
    found = tf.raw_ops.CudnnRNNV3(
        input=tf.transpose(sequences, [1, 0, 2]),
        input_h=states[0],
        input_c=states[-1],
        params=tf.concat([tf.reshape(weight, [-1]) for weight in weights], 0),
        sequence_lengths=tf.fill(size[:1], size[1]),
        rnn_mode=mode if mode != "rnn" else f"rnn_{cell.activation.__name__}",
        direction="unidirectional" if len(layers) == 1 else "bidirectional",
        is_training=False,
        # Keras' own word that the operator has no place for.
        seed=int(bool(getattr(cell, "reset_after", False))),
        name=_NAME,
    )
    last = [found.output_h, *([found.output_c] if mode == "lstm" else [])]
    return tf.transpose(found.output, [1, 0, 2]), last


def _weights(cell: Any) -> list[Any]:
    bias = [] if cell.bias is None else [cell.bias.value]
    return [cell.kernel.value, cell.recurrent_kernel.value, *bias]


@translates("CudnnRNNV3")
def recurrent(
    write: NodeWriter, x: Value, h: Value, c: Value, weights: Value, _lengths: Value
) -> tuple[Value | None, ...]:
    """The recurrent layer that Keras left behind.

    Raises:
        NotTranslated: the operator is not one of ours, or a size of its weights is not known.
    """
    if not _OURS.search(write.scope):
        raise NotTranslated("its parameters are cuDNN's")
    mode = str(write.attribute("rnn_mode"))
    kind = mode.partition("_")[0]
    ways = 2 if write.attribute("direction") == "bidirectional" else 1
    into, hidden, total = write.shape(x)[-1], write.shape(h)[-1], write.shape(weights)[0]
    if into is None or hidden is None or total is None:
        raise NotTranslated("the sizes of its weights are not known")
    each = total // ways
    found = [_weights_of(write, kind, weights, way * each, each, into, hidden)
             for way in range(ways)]  # fmt: skip
    axis = np.array([0])
    w, r, b = (
        None
        if parts[0] is None
        else write.Concat(*[write.Unsqueeze(p, axis) for p in parts], axis=0)
        for parts in zip(*found, strict=True)
    )
    options: dict[str, Any] = {"hidden_size": hidden}
    if ways == 2:
        options["direction"] = "bidirectional"
    if kind == "gru":
        options["linear_before_reset"] = int(bool(write.attribute("seed")))
    if kind == "rnn":
        options["activations"] = [mode.partition("_")[2].capitalize()] * ways
    states = [h, c] if kind == "lstm" else [h]
    y, *last = getattr(write, kind.upper())(
        x, w, r, b, None, *states, outputs=1 + len(states), **options
    )
    if ways == 1:
        return write.Squeeze(y, np.array([1])), *last
    y = write.Transpose(y, perm=[0, 2, 1, 3])
    return write.Reshape(y, np.array([0, 0, 2 * hidden])), *last


def _weights_of(
    write: NodeWriter, kind: str, weights: Value, start: int, count: int, into: int, hidden: int
) -> tuple[Value, Value, Value | None]:
    """Cut the weights of one direction out of all, and put them as ONNX has them."""
    rows = len(_GATES[kind]) * hidden

    def part(*shape: int) -> Value:
        nonlocal start
        ends = np.array([start]), np.array([start + int(np.prod(shape))]), np.array([0])
        start = int(ends[1][0])
        piece: Value = write.Reshape(write.Slice(weights, *ends), np.array(shape))
        return piece

    kernel, own = (
        _ordered(write, kind, write.Transpose(part(size, rows), perm=[1, 0]), hidden)
        for size in (into, hidden)
    )
    biases = count // rows - into - hidden
    if not biases:
        return kernel, own, None
    parts = [_ordered(write, kind, part(rows), hidden) for _ in range(biases)]
    if biases == 1:
        parts.append(np.zeros(rows, write.dtype(weights)))
    return kernel, own, write.Concat(*parts, axis=0)


def _ordered(write: NodeWriter, kind: str, weight: Value, hidden: int) -> Value:
    """Put the blocks of a weight's first axis, one for each gate, into ONNX's order."""
    order = _GATES[kind]
    if order == tuple(range(len(order))):
        return weight
    axis = np.array([0])
    blocks = [
        write.Slice(weight, np.array([i * hidden]), np.array([(i + 1) * hidden]), axis)
        for i in order
    ]
    joined: Value = write.Concat(*blocks, axis=0)
    return joined
