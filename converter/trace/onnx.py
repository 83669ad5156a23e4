"""An ONNX file is already a graph; its initializers become weights under their names."""

from __future__ import annotations

import onnx_ir as ir

from converter.errors import InputSpecError
from converter.formats import Source
from converter.graph.clean import clean
from converter.signature import Signature

_FLOATS = frozenset({"FLOAT", "DOUBLE", "FLOAT16", "BFLOAT16"})


def trace(source: Source, signature: Signature | None = None) -> ir.Model:
    """Return a copy of the graph in which floating-point initializers are parameters.

    Running statistics of a normalisation are buffers: they are not what is learned. A file that
    Equiport wrote says itself which of them are parameters and which buffers.

    Raises:
        InputSpecError: the declared inputs do not fit the graph's.
    """
    model = source.model.clone()
    roles = (
        {name: weight.role for name, weight in source.record.weights.items()}
        if source.record
        else None
    )
    moving = running_statistics(model)
    for name, value in model.graph.initializers.items():
        if roles is not None:
            if name in roles:
                value.metadata_props["equiport.role"] = roles[name]
        elif is_weight(value):
            role = "buffer" if value in moving else "parameter"
            value.metadata_props.setdefault("equiport.role", role)
    if signature is not None:
        declare(model, signature)
    return clean(model)


def running_statistics(model: ir.Model) -> set[ir.Value | None]:
    """Return the values that batch normalisations read as mean and variance."""
    nodes = (node for node in model.graph.all_nodes() if node.op_type == "BatchNormalization")
    return {value for node in nodes for value in node.inputs[3:5]}


def is_weight(value: ir.Value) -> bool:
    """Tell a trained tensor from a constant: floating point, and more than a scalar."""
    tensor = value.const_value
    return tensor is not None and tensor.dtype.name in _FLOATS and tensor.size > 1


def declare(model: ir.Model, signature: Signature) -> None:
    """Write declared dimensions into the graph's inputs, by name; in place."""
    inputs = {v.name: v for v in model.graph.inputs if v.name not in model.graph.initializers}
    for spec in signature.inputs:
        if spec.name not in inputs:
            raise InputSpecError(
                f"the model has no input called {spec.name!r}",
                hint=f"Its inputs are: {', '.join(map(str, inputs))}.",
            )
        value = inputs[spec.name]
        if spec.shape is None:
            continue
        own = value.shape
        fits = own is None or (
            len(own) == len(spec.shape)
            and all(
                isinstance(wish, str) or not isinstance(size, int) or size == wish
                for size, wish in zip(own, spec.shape, strict=True)
            )
        )
        if not fits:
            raise InputSpecError(
                f"input {spec} does not fit the model's own shape {own}",
                hint=f"Declare {spec.name} with sizes that the model takes, or leave it out.",
            )
        value.shape = ir.Shape(
            [
                size if isinstance(size, int) else wish
                for size, wish in zip(own or spec.shape, spec.shape, strict=True)
            ]
        )
