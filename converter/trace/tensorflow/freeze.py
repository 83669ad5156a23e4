"""Take the weights out of a TensorFlow graph.

TensorFlow's own conversion of variables to constants follows a variable into the bodies of `while`
and `cond`. It is given stand-ins that hold one number each instead of the weights; the constants
that come out become placeholders, so that nothing downstream can fold a weight into something else,
and no protobuf ever holds one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import graph_pb2
from tensorflow.python.framework import convert_to_constants

from converter.trace.tensorflow.seeds import without_seed_updates
from converter.trace.tensorflow.state import with_new_values


@dataclass(frozen=True)
class Frozen:
    """A graph without weights.

    Attributes:
        graph_def: the graph; each weight is a placeholder.
        inputs: tensor names of the function's inputs, in order.
        outputs: tensor names of its outputs, in order.
        weights: placeholder name to the variable that it stands for.
        state: placeholder name to the tensor that is the new value of a variable that is assigned.
    """

    graph_def: graph_pb2.GraphDef
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    weights: dict[str, Any]
    state: dict[str, str] = field(default_factory=dict)


class _StandIns(convert_to_constants._FunctionConverterDataInEager):
    """Hands out one zero, spread over the variable's shape, in place of each weight."""

    def _eval(self, tensor: Any) -> np.ndarray:
        if not hasattr(tensor, "handle"):
            return tensor.numpy()
        zero = np.zeros((), tensor.dtype.as_numpy_dtype)
        return np.broadcast_to(zero, tuple(tensor.shape))


def freeze(function: Any) -> Frozen:
    """Return the graph of a `ConcreteFunction` with placeholders for its variables."""
    inputs = tuple(t.name for t in function.inputs if t.dtype != tf.resource)
    captured = {internal.name for _, internal in function.graph.captures}
    inputs = tuple(name for name in inputs if name not in captured)
    graph = function.graph
    handles = {id(v.handle): v for v in graph.variables}
    variables = {
        internal.name.split(":")[0]: handles[id(external)]
        for external, internal in graph.captures
        if id(external) in handles
    }
    inline, state = convert_to_constants._run_inline_graph_optimization, {}

    def inlined(*args: Any) -> graph_pb2.GraphDef:
        without_seeds = without_seed_updates(inline(*args), variables)
        result, new = with_new_values(without_seeds, variables)
        state.update({name: f"{node}:0" for name, node in new.items()})
        return result

    with (
        mock.patch.object(convert_to_constants, "_run_inline_graph_optimization", inlined),
        mock.patch.object(convert_to_constants, "tensor_util", _SplatProtos()),
        mock.patch.object(graph, "as_graph_def", _inlinable(graph.as_graph_def)),
    ):
        data = _StandIns(func=function, lower_control_flow=False, aggressive_inlining=True)
        graph_def, _ = convert_to_constants._replace_variables_by_constants(converter_data=data)
    weights = {name: v for name, v in variables.items() if name in data.tensor_data}
    _to_placeholders(graph_def, weights)
    outputs = tuple(t.name for t in function.outputs)
    return Frozen(graph_def, inputs, outputs, weights, state)


_KEPT_APART = ("_XlaMustCompile", "_noinline")


def _inlinable(as_graph_def: Any) -> Any:
    """Let functions that ask to be compiled or kept apart be inlined like the rest."""

    def strip(*args: Any, **kwargs: Any) -> graph_pb2.GraphDef:
        graph_def = as_graph_def(*args, **kwargs)
        holders = [*graph_def.node, *graph_def.library.function]
        holders += [node for f in graph_def.library.function for node in f.node_def]
        for holder in holders:
            for name in _KEPT_APART:
                if name in holder.attr:
                    del holder.attr[name]
        return graph_def

    return strip


class _SplatProtos:
    """`tensor_util` that writes a stand-in as its shape and one value."""

    def __getattr__(self, name: str) -> Any:
        from tensorflow.python.framework import tensor_util

        return getattr(tensor_util, name)

    def make_tensor_proto(
        self, values: Any, dtype: Any = None, shape: Any = None, **rest: Any
    ) -> Any:
        from tensorflow.python.framework import tensor_util

        spread = isinstance(values, np.ndarray) and values.size > 1 and not any(values.strides)
        if spread:
            values = np.zeros((), values.dtype)
        return tensor_util.make_tensor_proto(values, dtype, shape, **rest)


def _to_placeholders(graph_def: graph_pb2.GraphDef, weights: dict[str, Any]) -> None:
    for node in graph_def.node:
        if node.name not in weights:
            continue
        shape = tuple(weights[node.name].shape)
        dtype = node.attr["dtype"].type
        node.ClearField("attr")
        node.op = "Placeholder"
        node.attr["dtype"].type = dtype
        node.attr["shape"].shape.CopyFrom(tf.TensorShape(shape).as_proto())
