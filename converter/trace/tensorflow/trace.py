"""Trace a TensorFlow model to ONNX: weights by reference, under their names, trainable or not."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import onnx_ir as ir

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf

from converter.errors import EquiportError, TraceError
from converter.formats import Source
from converter.formats.reading import one_line
from converter.graph.clean import clean
from converter.graph.dropout import AXIS as DROPOUT_AXIS
from converter.graph.dropout import KIND as DROPOUT
from converter.graph.state import declare_state, output_name
from converter.naming import free
from converter.signature import Signature, TensorSpec
from converter.trace.tensorflow.dropout import kind_in
from converter.trace.tensorflow.freeze import Frozen, freeze
from converter.trace.tensorflow.functions import Traced, concrete
from converter.trace.tensorflow.orders import declare_orders
from converter.trace.tensorflow.provenance import failed_as_a_whole, module_path, untranslated
from converter.trace.tensorflow.translation import Failure, give_bodies_own_outputs, to_onnx


def trace(
    source: Source,
    signature: Signature | None = None,
    *,
    layers: bool = False,
) -> ir.Model:
    """Trace a live Keras model, a `tf.Module`, a `tf.function` or a loaded SavedModel.

    Args:
        layers: keep Keras' recurrent layers whole, for source code that is written from them.

    Returns:
        A graph whose initializers read the live variables when they are needed.

    Raises:
        UnsupportedOpsError: TensorFlow operators without an ONNX translation; all are listed.
        TraceError: the model cannot be expressed.
        InputSpecError: the declared inputs do not fit the model.
    """
    with quiet():
        try:
            traced = concrete(source, signature, layers)
        except EquiportError:
            raise
        except Exception as error:
            raise TraceError(
                f"TensorFlow could not trace the model: {one_line(error)}",
                hint="TensorFlow says so itself when it traces the model for these inputs: the "
                "model's own call fails, or takes other inputs.",
            ) from error
        try:
            frozen = freeze(traced.function)
            proto, failures = to_onnx(frozen)
        except EquiportError:
            raise
        except Exception as error:
            raise failed_as_a_whole(error, traced.function) from error
    if failures:
        raise untranslated(failures, traced.function)
    give_bodies_own_outputs(proto.graph)
    model = ir.serde.deserialize_model(proto)
    name_values(model, frozen, traced)
    declare_orders(model.graph.inputs, frozen.inputs, frozen.graph_def)
    record_provenance(model)
    refuse_untranslated(model, traced.function)
    names = bind_weights(model, frozen, traced)
    bind_state(model, frozen, names)
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
    names = [*traced.output_names, *frozen.state]
    for index, (value, name) in enumerate(zip(outputs, names, strict=True)):
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
        if node.op_type == "Dropout" and (kind := kind_in(node.name or "")):
            node.metadata_props.update({DROPOUT: kind, DROPOUT_AXIS: "-1"})
        if path := module_path(node.name or ""):
            node.metadata_props["equiport.module_path"] = path


def refuse_untranslated(model: ir.Model, function: Any) -> None:
    """List every operator that is still TensorFlow's."""
    from converter.rebuild.registry import schema_versions

    left = [
        Failure(node.op_type, node.name or "", "it has no translation to ONNX")
        for node in model.graph.all_nodes()
        if not schema_versions("" if node.domain == "ai.onnx" else node.domain, node.op_type)
    ]
    if left:
        raise untranslated(left, function)


def bind_state(model: ir.Model, frozen: Frozen, names: Mapping[int, str]) -> None:
    """Say of each variable that a call assigns which output is its new value; in place.

    Args:
        names: of the initializers, by the identity of their variable's handle.
    """
    taken = {value.name or "" for value in (*all_values(model), *model.graph.initializers.values())}
    outputs = list(model.graph.outputs)[len(frozen.outputs) :]
    for value, placeholder in zip(outputs, frozen.state, strict=True):
        name = names[id(frozen.weights[placeholder].handle)]
        value.name = output_name(name, taken)
        held = model.graph.initializers[name]
        held.metadata_props["equiport.role"] = "buffer"
        value.shape, value.type = held.shape, held.type
        declare_state(model, {name: value.name})


def bind_weights(model: ir.Model, frozen: Frozen, traced: Traced) -> dict[int, str]:
    """Turn the placeholders back into initializers under the source's names.

    Weights that the graph does not read become initializers too: the target has them all.

    Returns:
        The names by the identity of the variables' handles.
    """
    graph = model.graph
    by_name = {value.name: value for value in graph.inputs}
    read = {}
    for placeholder, variable in frozen.weights.items():
        value = by_name.get(f"{placeholder}:0")
        if value is not None:
            graph.inputs.remove(value)
            if value.uses():  # the state of a random generator is read no more
                read[id(variable.handle)] = (variable, value)
    weights = dict(traced.variables)
    known = {id(variable.handle) for variable in weights.values()}
    for handle, (variable, _) in read.items():
        if handle not in known:  # captured from outside of the model
            weights[free(variable.name.split(":")[0], weights)] = variable
    for name, variable in weights.items():
        if variable.dtype in (tf.resource, tf.string):
            continue
        held = lazy(variable, name)
        _, value = read.get(id(variable.handle), (None, ir.Value(name=name)))
        value.name, value.const_value = name, held
        value.shape, value.type = held.shape, ir.TensorType(held.dtype)
        trained = variable.trainable and name not in traced.frozen
        value.metadata_props["equiport.role"] = "parameter" if trained else "buffer"
        value.metadata_props.update(traced.moving.get(name, {}))
        graph.register_initializer(value)
    return {id(variable.handle): name for name, variable in weights.items()}


def lazy(variable: Any, name: str) -> ir.LazyTensor:
    """Return a tensor that reads the variable when it is asked."""
    dtype = element_type(variable.dtype.name)
    return ir.LazyTensor(
        lambda: ir.Tensor(np.asarray(variable.numpy()), name=name, dtype=dtype),
        dtype=dtype,
        shape=ir.Shape(list(variable.shape)),
        name=name,
    )
