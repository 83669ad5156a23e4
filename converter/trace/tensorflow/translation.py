"""From a frozen TensorFlow graph to an ONNX graph: tf2onnx, with translations of our own.

tf2onnx goes on after an operator that it fails at. What it leaves then may look like ONNX and mean
nothing, so every failure is kept, and ends the trace with the operator's name.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

import tensorflow as tf

from converter.errors import first_line
from converter.trace.tensorflow.convolutions import repair_convolutions
from converter.trace.tensorflow.freeze import Frozen
from converter.trace.tensorflow.handlers import load_translations
from converter.trace.tensorflow.slices import without_empty_ellipsis
from converter.trace.tensorflow.writer import OPSET, NotTranslated

LEFT_OUT = frozenset({"einsum_optimizer", "remove_back_to_back", "reshape_optimizer"})
"""Optimizers of tf2onnx that are not run.

The first fails at many equations of `Einsum`; the second drops a cast to float16 and back; the
third puts -1 for a size that may be 0, which no framework can work out.
"""


@dataclass(frozen=True)
class Failure:
    """An operator that could not be translated.

    Attributes:
        operator: TensorFlow's name of it.
        node: the node's name.
        reason: why, in words.
    """

    operator: str
    node: str
    reason: str


def to_onnx(frozen: Frozen) -> tuple[Any, list[Failure]]:
    """Translate a graph; returns the ModelProto, and what could not be translated.

    The ModelProto is ``None`` where nothing can be made of what is left.
    """
    from tf2onnx import tf_loader
    from tf2onnx.tfonnx import process_tf_graph

    logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)
    weights = [f"{name}:0" for name in frozen.weights]
    inputs = [*frozen.inputs, *weights]
    outputs = [*frozen.outputs, *frozen.state.values()]
    graph_def = tf_loader.fix_freezing_errors_part2(frozen.graph_def)
    failures: list[Failure] = []
    with tf.Graph().as_default() as graph, own_translations(failures):
        graph_def = tf_loader.tf_optimize(inputs, outputs, graph_def)
        present = {f"{node.name}:0" for node in graph_def.node}
        inputs = [name for name in inputs if name in present]
        tf.import_graph_def(graph_def, name="")
        try:
            processed = process_tf_graph(
                graph,
                continue_on_error=True,
                opset=OPSET,
                input_names=inputs,
                output_names=outputs,
            )
            repair_convolutions(processed)
            proto = optimized(processed).make_model("equiport")
        except Exception:
            if not failures:
                raise
            proto = None  # what follows a failure is its consequence
    return proto, failures


def optimized(graph: Any) -> Any:
    """Run tf2onnx's optimizers.

    The one that moves transpositions ends with writing those of sizes of 1 as `Reshape`. It reads
    shapes for that which it has not kept, so a square of a ``[1, 1, 1, 2]`` came out otherwise.
    An optimizer that fails is left out, here too: the one of transpositions fails at a slice that
    drops an axis after a convolution, and what it would have improved is right as it is.
    """
    from tf2onnx import optimizer
    from tf2onnx.optimizer.transpose_optimizer import TransposeOptimizer

    wanted = {
        name: factory
        for name, factory in optimizer._get_optimizers().items()
        if name not in LEFT_OUT
    }
    with mock.patch.object(TransposeOptimizer, "post_optimize_action"):
        return optimizer.optimize_graph(graph, catch_errors=True, optimizers=wanted)


@contextmanager
def own_translations(failures: list[Failure]) -> Iterator[None]:
    """Let tf2onnx take our translations before its own, and keep what fails."""
    from tf2onnx import handler
    from tf2onnx.onnx_opset import controlflow

    own = load_translations()
    create = handler.tf_op.create_mapping

    def mapping(*args: Any) -> dict[str, tuple[Callable, dict[str, Any]]]:
        table = dict(create(*args))
        if "StridedSlice" in table:
            slices, options = table["StridedSlice"]
            table["StridedSlice"] = without_empty_ellipsis(slices), options
        table.update({operator: (function, {}) for operator, function in own.items()})
        return {
            operator: (watched(operator, function, failures), options)
            for operator, (function, options) in table.items()
        }

    find = controlflow.find_function
    with (
        mock.patch.object(handler.tf_op, "create_mapping", mapping),
        mock.patch.object(controlflow, "find_function", lambda name: body_of(find(name))),
        bfloat16_kept(),
    ):
        yield


@contextmanager
def bfloat16_kept() -> Iterator[None]:
    """Let bfloat16 be what it is; tf2onnx takes it for float16, whose range ends at 65504."""
    import ml_dtypes
    from onnx import TensorProto
    from tensorflow.core.framework import types_pb2
    from tf2onnx import tf_utils, utils

    with (
        mock.patch.dict(tf_utils.TF_TO_ONNX_DTYPE, {types_pb2.DT_BFLOAT16: TensorProto.BFLOAT16}),
        mock.patch.dict(utils.ONNX_TO_NUMPY_DTYPE, {TensorProto.BFLOAT16: ml_dtypes.bfloat16}),
    ):
        yield


def body_of(function: Any) -> Any:
    """Return a copy of a function to be a body, with outputs that differ.

    tf2onnx wires the function itself, which may be called from elsewhere too, and renames only one
    of two outputs that are the same value.
    """
    body = copy.deepcopy(function)
    if body is None:
        return None
    for index, name in enumerate(body.outputs):
        if name in body.outputs[:index]:
            own = body.make_node(
                "Identity", [name], dtypes=[body.get_dtype(name)], shapes=[body.get_shape(name)]
            )
            body.outputs[index] = own.output[0]
    return body


def watched(operator: str, function: Callable, failures: list[Failure]) -> Callable:
    """Return a translation that is remembered when it fails."""

    def call(graph: Any, node: Any, **options: Any) -> Any:
        name = node.name
        try:
            return function(graph, node, **options)
        except Exception as error:
            failures.append(Failure(operator, name, reason(error)))
            raise

    return call


def reason(error: Exception) -> str:
    """Say in words why a translation failed."""
    text = first_line(error)
    if isinstance(error, NotTranslated):
        return text
    return f"tf2onnx could not translate this use of it ({type(error).__name__}: {text})"


def give_bodies_own_outputs(graph: Any, body: bool = False) -> None:
    """Let each output of a body be computed in it, and once; in place.

    tf2onnx lets a branch return a value from around it, or one value twice, and drops the name of
    one of the two where both branches do.
    """
    import onnx

    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                give_bodies_own_outputs(attribute.g, body=True)
    if not body:
        return
    computed = {name for node in graph.node for name in node.output}
    for index, output in enumerate(graph.output):
        if output.name in computed:
            computed.remove(output.name)
            continue
        own = f"{output.name}__{graph.name}_{index}"
        graph.node.append(onnx.helper.make_node("Identity", [output.name], [own], name=own))
        output.name = own
