"""From whatever the user has to one `ConcreteFunction` with named inputs and outputs."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import tensorflow as tf

from converter.errors import InputSpecError, TraceError, UsageError
from converter.formats import Source
from converter.formats.tensorflow_signature import (
    keras_inputs,
    keras_output_names,
    output_names,
    served_function,
    served_inputs,
    symbolic_inputs,
    traced_inputs,
    undecided,
    words,
)
from converter.formats.tensorflow_variables import named_variables, trained_names
from converter.graph.weights import FIXED, MOMENTUM
from converter.signature import Signature, TensorSpec
from converter.trace.tensorflow import dropout, recurrent


@dataclass(frozen=True)
class Traced:
    """A concrete function and the source's names around it.

    Attributes:
        function: the function; its inputs are in the order of ``inputs``.
        inputs: one spec per input, dynamic dimensions as words.
        output_names: one per flat output.
        variables: the source's variables by its own names for them, in its order.
        frozen: names of variables that Keras does not train, though TensorFlow would.
        moving: what is known of moving means (`converter.graph.weights`), by the variable's name.
    """

    function: Any
    inputs: tuple[TensorSpec, ...]
    output_names: tuple[str, ...]
    variables: dict[str, Any]
    moving: dict[str, dict[str, str]] = field(default_factory=dict)
    frozen: frozenset[str] = frozenset()


def concrete(source: Source, signature: Signature | None, layers: bool = False) -> Traced:
    """Trace a live Keras model, `tf.Module`, `tf.function` or loaded SavedModel.

    Args:
        layers: keep Keras' recurrent layers whole.

    Raises:
        UsageError: the model does not say what its inputs are, and nobody else did.
        InputSpecError: the declared inputs do not fit.
        TraceError: it is a LiteRT file.
    """
    model = source.model
    if source.kind == "tflite":
        raise TraceError(
            f"{source.path} is a LiteRT model (.tflite), which Equiport writes, runs and "
            "verifies; it cannot convert one yet",
            hint="Convert the model that it was made from: a SavedModel, a Keras file, or PyTorch.",
        )
    if signature is None and source.record:  # it knows the words of the dynamic dimensions
        signature = Signature(source.record.signature.inputs)
    if is_keras(model):
        return _from_keras(model, signature, layers)
    served = served_function(model)
    if served is not None:
        return _from_signature(model, served, signature)
    if error := undecided(model):
        raise error
    if signature is None and (inputs := traced_inputs(model)):
        signature = Signature(inputs)
    return _from_function(model, signature)


def is_keras(model: Any) -> bool:
    """Tell whether a model is a layer or model of Keras 3."""
    import keras

    return isinstance(model, keras.Layer)


def _from_keras(model: Any, signature: Signature | None, layers: bool) -> Traced:
    inputs, call = keras_call(model, signature)
    with dropout.kept(), recurrent.whole_layers() if layers else nullcontext():
        function = tf.function(call, autograph=False).get_concrete_function(
            *map(tensor_spec, inputs)
        )
    names = keras_output_names(model) or output_names(function.structured_outputs)
    variables = named_variables(model)
    frozen = frozenset(variables) - {*trained_names(model, variables)}
    return Traced(function, inputs, names, variables, _moving(model, variables), frozen)


def keras_call(
    model: Any, signature: Signature | None, training: bool = False
) -> tuple[tuple[TensorSpec, ...], Callable[..., Any]]:
    """Return the inputs of a Keras model, and a function that calls it on one tensor for each.

    Raises:
        UsageError: the model does not say what its inputs are, and nobody else did.
        InputSpecError: the declared inputs do not fit.
    """
    if not model.built and signature is None:
        raise UsageError(
            f"the Keras model {model.name!r} is not built, so its inputs have no shape",
            hint='Describe them with --input "name:dtype[dims]", or call it once on data.',
        )
    own = keras_inputs(model)
    inputs = _declared(own, signature)
    if not inputs:
        raise UsageError(
            f"the Keras model {model.name!r} does not say what its inputs look like",
            hint='Describe them with --input "name:dtype[dims]" (inputs= in Python).',
        )
    structure = _input_structure(model) if own else None
    count = len(inputs)

    def call(*tensors: Any) -> Any:
        packed = (
            tf.nest.pack_sequence_as(structure, tensors)
            if own
            else (tensors[0] if count == 1 else list(tensors))
        )
        return model(packed, training=training)

    return inputs, call


def _moving(model: Any, variables: dict[str, Any]) -> dict[str, dict[str, str]]:
    """Return what Keras knows of its moving means and a graph does not say."""
    import keras

    names = {id(variable): name for name, variable in variables.items()}
    found = {}
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization) and layer.built:
            name = names.get(id(layer.moving_mean.value))
            if name is not None:
                fixed = {} if layer.trainable else {FIXED: "1"}
                found[name] = {MOMENTUM: repr(float(layer.momentum)), **fixed}
    return found


def _input_structure(model: Any) -> Any:
    """Return the model's inputs as it takes them: a tensor, a list or a dict."""
    structure = symbolic_inputs(model)
    leaves = tf.nest.flatten(structure)
    return leaves[0] if len(leaves) == 1 and isinstance(structure, list) else structure


def _declared(own: tuple[TensorSpec, ...], signature: Signature | None) -> tuple[TensorSpec, ...]:
    """Put what the user declared in place of what the model says, by name or by position."""
    if signature is None or not signature.inputs:
        return own
    if not own:
        return signature.inputs
    by_name = {spec.name: spec for spec in signature.inputs}
    unknown = set(by_name) - {spec.name for spec in own}
    if unknown and len(own) == 1 and len(by_name) == 1:  # one input needs no name
        by_name = {own[0].name: next(iter(by_name.values()))}
    elif unknown:
        raise InputSpecError(
            f"the model has no input called {sorted(unknown)[0]!r}",
            hint=f"Its inputs are: {', '.join(spec.name for spec in own)}.",
        )
    result = []
    for spec in own:
        wish = by_name.get(spec.name, spec)
        shape = spec.shape if wish.shape is None else wish.shape
        fits = spec.shape is None or (
            len(spec.shape) == len(shape or ())
            and all(
                a == b or isinstance(a, str) for a, b in zip(spec.shape, shape or (), strict=False)
            )
        )
        if not fits:
            raise InputSpecError(
                f"input {spec.name!r} is declared as {wish}, the model has {spec}",
                hint=f"Declare {spec.name} with sizes that the model takes, or leave it out.",
            )
        result.append(TensorSpec(spec.name, spec.dtype, shape))
    return tuple(result)


def tensor_spec(spec: TensorSpec) -> tf.TensorSpec:
    """Return what TensorFlow calls this input."""
    dims = None
    if spec.shape is not None:
        dims = [dim if isinstance(dim, int) else None for dim in spec.shape]
    return tf.TensorSpec(dims, tf.as_dtype(spec.dtype), spec.name)


def _from_signature(model: Any, function: Any, signature: Signature | None) -> Traced:
    inputs = _declared(served_inputs(function), signature)
    order = [spec.name for spec in inputs]
    keys = sorted(function.structured_outputs)

    def call(*tensors: Any) -> Any:
        return function(**dict(zip(order, tensors, strict=True)))

    traced = tf.function(call, autograph=False).get_concrete_function(*map(tensor_spec, inputs))
    return Traced(traced, inputs, tuple(keys), named_variables(model))


def _from_function(model: Any, signature: Signature | None) -> Traced:
    function = model if hasattr(model, "get_concrete_function") else model.__call__
    if not hasattr(function, "get_concrete_function"):
        function = tf.function(function)
    given = getattr(function, "input_signature", None)
    if given is None and hasattr(model, "signature") and signature is None:
        signature = model.signature  # one of our own results
    if signature is not None and signature.inputs:
        inputs = signature.inputs
        traced = tf.function(lambda *t: function(*t), autograph=False).get_concrete_function(
            *map(tensor_spec, inputs)
        )
        named = getattr(getattr(model, "signature", None), "outputs", ())
        names = tuple(s.name for s in named) or output_names(traced.structured_outputs)
        return Traced(traced, inputs, names, named_variables(model))
    if given is None:
        raise UsageError(
            "the TensorFlow function does not say what its inputs look like",
            hint='Describe them with --input "name:dtype[dims]", or give it an input_signature.',
        )
    specs = tf.nest.flatten(given)
    inputs = tuple(
        TensorSpec(
            spec.name or f"input_{i}",
            spec.dtype.name,
            words(spec.name or f"input_{i}", spec.shape),
        )
        for i, spec in enumerate(specs)
    )
    traced = function.get_concrete_function()
    return Traced(traced, inputs, output_names(traced.structured_outputs), named_variables(model))
