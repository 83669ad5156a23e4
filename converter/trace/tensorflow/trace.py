"""Trace a TensorFlow model to ONNX: weights by reference, under their names, trainable or not."""

from __future__ import annotations

import logging
import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import onnx_ir as ir

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf

from converter.errors import (
    EquiportError,
    TraceError,
    UnsupportedOp,
    UnsupportedOpsError,
    first_line,
)
from converter.formats import Source
from converter.graph.clean import clean
from converter.signature import Signature, TensorSpec
from converter.trace.tensorflow.freeze import Frozen, freeze
from converter.trace.tensorflow.functions import Traced, concrete

OPSET = 18
"""The newest opset that tf2onnx writes."""


def trace(
    source: Source,
    signature: Signature | None = None,
    *,
    purpose: str = "inference",
    keep_paths: bool = False,
) -> ir.Model:
    """Trace a live Keras model, a `tf.Module`, a `tf.function` or a loaded SavedModel.

    Returns:
        A graph whose initializers read the live variables when they are needed.

    Raises:
        UnsupportedOpsError: TensorFlow operators without an ONNX translation; all are listed.
        TraceError: the model cannot be expressed.
        InputSpecError: the declared inputs do not fit the model.
    """
    with quiet():
        try:
            traced = concrete(source, signature)
            frozen = freeze(traced.function)
            proto, unmapped = to_onnx(frozen)
        except EquiportError:
            raise
        except Exception as error:
            raise TraceError(
                f"TensorFlow could not trace the model: {type(error).__name__}: "
                f"{first_line(error, 400)}",
                hint="Python control flow on tensor values and custom operators cannot be traced.",
            ) from error
    model = ir.serde.deserialize_model(proto)
    name_values(model, frozen, traced)
    record_provenance(model)
    refuse_untranslated(model, unmapped)
    bind_weights(model, frozen, traced)
    model.producer_name, model.producer_version = "equiport", None
    model.graph.name = "model"
    return clean(model)


@contextmanager
def quiet() -> Iterator[None]:
    """Capture what TensorFlow and tf2onnx write to warnings and logs."""
    loggers = [logging.getLogger(name) for name in ("tensorflow", "tf2onnx")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


def to_onnx(frozen: Frozen) -> tuple[Any, set[str]]:
    """Run tf2onnx's graph processing; returns the ModelProto and the operators it left."""
    from tf2onnx import optimizer, tf_loader
    from tf2onnx.tfonnx import process_tf_graph

    from converter.trace.tensorflow.handlers import HANDLERS

    logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)
    weights = [f"{name}:0" for name in frozen.weights]
    inputs, outputs = [*frozen.inputs, *weights], list(frozen.outputs)
    graph_def = tf_loader.fix_freezing_errors_part2(frozen.graph_def)
    with tf.Graph().as_default() as graph:
        graph_def = tf_loader.tf_optimize(inputs, outputs, graph_def)
        present = {f"{node.name}:0" for node in graph_def.node}
        inputs = [name for name in inputs if name in present]
        tf.import_graph_def(graph_def, name="")
        processed = process_tf_graph(
            graph,
            continue_on_error=True,
            opset=OPSET,
            input_names=inputs,
            output_names=outputs,
            custom_op_handlers=dict(HANDLERS),
        )
    processed = optimizer.optimize_graph(processed, catch_errors=False)
    return processed.make_model("equiport"), set()


def name_values(model: ir.Model, frozen: Frozen, traced: Traced) -> None:
    """Give inputs and outputs the source's names, and open dimensions their words."""
    graph = model.graph
    by_name = {value.name: value for value in graph.inputs}
    ordered = []
    for tensor_name, spec in zip(frozen.inputs, traced.inputs, strict=True):
        value = by_name.get(tensor_name)
        if value is None:  # an input that nothing reads
            value = ir.Value(name=tensor_name, type=ir.TensorType(element_type(spec.dtype)))
        set_dims(value, spec)
        ordered.append(value)
    weights = [v for v in graph.inputs if v.name not in set(frozen.inputs)]
    graph.inputs.clear()
    graph.inputs.extend([*ordered, *weights])
    for value, spec in zip(ordered, traced.inputs, strict=True):
        rename(model, value, spec.name)
    outputs = list(graph.outputs)
    for index, (value, name) in enumerate(zip(outputs, traced.output_names, strict=True)):
        if value.producer() is None or value in outputs[:index]:
            node = ir.node("Identity", [value])
            node.outputs[0].type, node.outputs[0].shape = value.type, value.shape
            graph.append(node)
            graph.outputs[index] = value = node.outputs[0]
        if name in {spec.name for spec in traced.inputs}:
            name = f"{name}_output"
        rename(model, value, name)
        name_open_dims(value, traced.inputs)


def element_type(dtype: str) -> ir.DataType:
    """Return ONNX's element type of one of our dtype names."""
    names = {"float32": "FLOAT", "float64": "DOUBLE"}
    return ir.DataType[names.get(dtype, dtype.upper())]


def set_dims(value: ir.Value, spec: TensorSpec) -> None:
    """Write the declared dimensions into a graph input."""
    if spec.shape is not None:
        value.shape = ir.Shape(list(spec.shape))


def name_open_dims(value: ir.Value, inputs: tuple[TensorSpec, ...]) -> None:
    """Name an output's open dimensions: the first one is the batch if the inputs have one."""
    if value.shape is None:
        return
    first = {spec.shape[0] for spec in inputs if spec.shape and isinstance(spec.shape[0], str)}
    dims: list[int | str] = []
    for axis, dim in enumerate(value.shape):
        if isinstance(dim, int) and dim >= 0:
            dims.append(dim)
        elif axis == 0 and len(first) == 1:
            dims.append(next(iter(first)))
        else:
            dims.append(f"{value.name}_dim_{axis}")
    value.shape = ir.Shape(dims)


def rename(model: ir.Model, value: ir.Value, name: str) -> None:
    """Rename a value; whoever has the name already gets another."""
    if value.name == name:
        return
    for other in all_values(model):
        if other.name == name and other is not value:
            other.name = f"{name}_inner"
    value.name = name


def all_values(model: ir.Model) -> Iterator[ir.Value]:
    """Yield every value of the main graph and of its nodes."""
    yield from model.graph.inputs
    for node in model.graph.all_nodes():
        yield from node.outputs


def record_provenance(model: ir.Model) -> None:
    """Say of each node which layer it comes from, by TensorFlow's name scopes."""
    for node in model.graph.all_nodes():
        node.domain = "" if node.domain == "ai.onnx" else node.domain
        path = re.sub(r"(StatefulP|P)artitionedCall(_\d+)?/", "", node.name or "")
        path = path.rpartition("/")[0]
        if path:
            node.metadata_props["equiport.module_path"] = path


def refuse_untranslated(model: ir.Model, unmapped: set[str]) -> None:
    """List every operator that is still TensorFlow's."""
    from converter.rebuild.registry import schema_versions

    left = [
        UnsupportedOp(
            op=node.op_type,
            version=OPSET,
            node=node.name or "",
            module_path=node.metadata_props.get("equiport.module_path", ""),
        )
        for node in model.graph.all_nodes()
        if not schema_versions("" if node.domain == "ai.onnx" else node.domain, node.op_type)
    ]
    if left:
        raise UnsupportedOpsError(
            left,
            stage="tracing TensorFlow to ONNX",
            hint="Replace these layers by ones made of standard operations.",
        )


def bind_weights(model: ir.Model, frozen: Frozen, traced: Traced) -> None:
    """Turn the placeholders back into initializers under the source's names.

    Weights that the graph does not read become initializers too: the target has them all.
    """
    graph = model.graph
    by_name = {value.name: value for value in graph.inputs}
    read = {}
    for placeholder, variable in frozen.weights.items():
        value = by_name.get(f"{placeholder}:0")
        if value is not None:
            graph.inputs.remove(value)
            read[id(variable.handle)] = (variable, value)
    weights = dict(traced.variables)
    known = {id(variable.handle) for variable in weights.values()}
    for handle, (variable, _) in read.items():
        if handle not in known:  # captured from outside of the model
            weights[fresh_name(variable.name.split(":")[0], weights)] = variable
    for name, variable in weights.items():
        if variable.dtype in (tf.resource, tf.string):
            continue
        held = lazy(variable, name)
        _, value = read.get(id(variable.handle), (None, ir.Value(name=name)))
        value.name, value.const_value = name, held
        value.shape, value.type = held.shape, ir.TensorType(held.dtype)
        value.metadata_props["equiport.role"] = "parameter" if variable.trainable else "buffer"
        graph.register_initializer(value)


def fresh_name(wish: str, taken: Any) -> str:
    """Return ``wish``, numbered if it is taken."""
    name, count = wish, 1
    while name in taken:
        count += 1
        name = f"{wish}_{count}"
    return name


def lazy(variable: Any, name: str) -> ir.LazyTensor:
    """Return a tensor that reads the variable when it is asked."""
    dtype = element_type(variable.dtype.name)
    return ir.LazyTensor(
        lambda: ir.Tensor(np.asarray(variable.numpy()), name=name, dtype=dtype),
        dtype=dtype,
        shape=ir.Shape(list(variable.shape)),
        name=name,
    )
