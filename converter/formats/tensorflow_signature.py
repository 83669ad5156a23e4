"""What Keras models and served functions say of their inputs and outputs."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf

from converter.errors import TraceError, UsageError
from converter.naming import free
from converter.signature import Signature, TensorSpec

SERVING = "serving_default"


def words(name: str, shape: Any) -> tuple[int | str, ...]:
    """Name open dimensions: ``batch`` first, ``<input>_dim_<axis>`` elsewhere."""
    return tuple(
        int(size) if size is not None else "batch" if axis == 0 else f"{name}_dim_{axis}"
        for axis, size in enumerate(shape)
    )


def spec_of(name: str, tensor: Any) -> TensorSpec:
    """Describe anything that has ``shape`` and ``dtype``."""
    shape = tf.TensorShape(tensor.shape)
    dims = None if shape.rank is None else words(name, shape.as_list())
    return TensorSpec(name, tf.as_dtype(tensor.dtype).name, dims)


def signatures_of(model: Any) -> dict[str, Any]:
    """Return the signatures of a loaded SavedModel by name; nothing for other models."""
    signatures = getattr(model, "signatures", None)
    return {} if signatures is None or callable(signatures) else dict(signatures)


def served_function(model: Any) -> Any:
    """Return the function that a loaded SavedModel serves, the only one if there is one.

    ``None`` if it serves none, or several of which none is chosen: see `one_signature`.
    """
    found = signatures_of(model)
    return next(iter(found.values())) if len(found) == 1 else found.get(SERVING)


def one_signature(model: Any, name: str, what: str) -> Any:
    """Let a loaded SavedModel serve one of its signatures alone; in place.

    Raises:
        UsageError: it has none of that name.
    """
    found = signatures_of(model)
    if name not in found:
        raise UsageError(
            f"{what} has no signature {name!r}",
            hint=f"It has: {', '.join(sorted(found)) or 'none'}.",
        )
    model.signatures = {SERVING: found[name]}
    return model


def undecided(model: Any) -> UsageError | None:
    """Return the error for several signatures of which none is chosen."""
    found = signatures_of(model)
    if len(found) < 2 or SERVING in found:
        return None
    return UsageError(
        f"the SavedModel has {len(found)} signatures: {', '.join(sorted(found))}",
        hint="Choose one with --signature NAME (signature= in Python).",
    )


def traced_inputs(model: Any) -> tuple[TensorSpec, ...]:
    """Describe the inputs for which the call of a loaded module was traced before it was saved.

    Where it was traced several times, the description that is open wherever another one is; nothing
    where there is no such one, or where tensors are not its only arguments (flags may be false).
    """
    found = []
    call = model.__call__ if callable(model) else None
    for function in getattr(call, "concrete_functions", ()):
        positional, keywords = function.structured_input_signature
        leaves = tf.nest.flatten((positional, keywords))
        specs = [leaf for leaf in leaves if isinstance(leaf, tf.TensorSpec)]
        if specs and all(leaf in (False, None) for leaf in leaves if leaf not in specs):
            found.append(specs)
    for specs in found:
        if all(len(specs) == len(other) and _covers(specs, other) for other in found):
            names = [spec.name or f"input_{index}" for index, spec in enumerate(specs)]
            return tuple(map(spec_of, names, specs))
    return ()


def _covers(specs: list, others: list) -> bool:
    """Tell whether each description is open wherever the other one is not the same."""
    return all(
        a.dtype == b.dtype
        and (a.shape.rank is None or a.shape.rank == b.shape.rank)
        and all(x is None or x == y for x, y in zip(a.shape, b.shape, strict=True))
        for a, b in zip(specs, others, strict=True)
    )


def served_inputs(function: Any) -> tuple[TensorSpec, ...]:
    """Describe the inputs of a served function, in its order."""
    keywords = function.structured_input_signature[1]
    return tuple(spec_of(name, spec) for name, spec in keywords.items())


def served_signature(function: Any) -> Signature:
    """Describe a served function."""
    outputs = function.structured_outputs
    return Signature(
        served_inputs(function), tuple(spec_of(name, outputs[name]) for name in sorted(outputs))
    )


def keras_signature(model: Any) -> Signature | None:
    """Describe a Keras model; ``None`` if it has no symbolic inputs."""
    inputs = keras_inputs(model)
    if not inputs:
        return None
    outputs = getattr(model, "_outputs_struct", None)
    outputs = getattr(model, "outputs", None) if outputs is None else outputs
    if outputs is None:
        return None
    names = keras_output_names(model) or output_names(outputs)
    return Signature(inputs, tuple(map(spec_of, names, tf.nest.flatten(outputs))))


def keras_inputs(model: Any) -> tuple[TensorSpec, ...]:
    """Describe the symbolic inputs of a Keras model."""
    return tuple(spec_of(tensor.name, tensor) for tensor in tf.nest.flatten(symbolic_inputs(model)))


def symbolic_inputs(model: Any) -> Any:
    """Return the model's symbolic inputs as it takes them; nothing where it has none.

    A subclassed model has one if it was once called on a `keras.Input`.
    """
    if (structure := getattr(model, "_inputs_struct", None)) is not None:
        return structure
    if inputs := getattr(model, "inputs", None):
        return inputs
    try:
        tensor = model.input
    except (AttributeError, ValueError):
        return ()
    return () if isinstance(tensor, list | tuple | dict) else tensor


def keras_output_names(model: Any) -> tuple[str, ...] | None:
    """Return the names that a Keras model gives its outputs, if any."""
    structure = getattr(model, "_outputs_struct", None)
    if isinstance(structure, dict):
        return output_names(structure)
    names: Any = getattr(model, "output_names", None)
    if structure is None:  # a model of Equiport with one output; several come in a dict
        return tuple(names) if hasattr(model, "record") and len(names) == 1 else None
    return _apart(names) if names else None


def _apart(names: Iterable[str]) -> tuple[str, ...]:
    """Number names that are the same: the states of a recurrent layer all have the layer's."""
    found: list[str] = []
    for name in names:
        found.append(free(name, found))
    return tuple(found)


def output_names(structure: Any) -> tuple[str, ...]:
    """Name the leaves of an output structure: keys, or ``output``, ``output_0``, ..."""
    if structure is None:
        raise TraceError("the function returns nothing", hint="Return the tensors to be converted.")
    paths = [path for path, _ in _leaves(structure, ())]
    single = len(paths) == 1
    names = []
    for index, path in enumerate(paths):
        keys = [str(key) for key in path if not isinstance(key, int)]
        digits = [str(key) for key in path if isinstance(key, int)]
        names.append("_".join(keys + digits) if keys else "output" if single else f"output_{index}")
    return tuple(names)


def _leaves(structure: Any, path: tuple) -> Any:
    if isinstance(structure, dict):
        for key in sorted(structure):  # the order of tf.nest
            yield from _leaves(structure[key], (*path, key))
    elif isinstance(structure, list | tuple):
        for index, item in enumerate(structure):
            yield from _leaves(item, (*path, index))
    elif structure is not None:
        yield path, structure
