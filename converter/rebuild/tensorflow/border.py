"""Where values cross between the host and TensorFlow tensors."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from converter.rebuild.host_values import flatten, shape_of
from converter.rebuild.tensorflow import scalars  # noqa: F401  registers the symbolic arithmetic
from converter.rebuild.tensorflow.dtypes import number, to_framework

Nested = Any


def dims(x: tf.Tensor) -> tuple:
    """Return the sizes of ``x``: integers where static, scalar int64 tensors where not.

    Raises:
        ValueError: the rank of ``x`` is not known while tracing.
    """
    if x.shape.rank is None:
        raise ValueError(f"the rank of {x.name} is not known, so its dimensions have no number")
    if x.shape.is_fully_defined():
        return tuple(x.shape)
    # Remembered, so that a size which comes back from shape arithmetic is known to be the same.
    graph, known = getattr(x, "_equiport_dims", (None, ()))
    if graph is not tf.compat.v1.get_default_graph():
        dynamic = tf.shape(x, out_type=tf.int64)
        known = tuple(dynamic[i] if size is None else size for i, size in enumerate(x.shape))
        x._equiport_dims = (tf.compat.v1.get_default_graph(), known)
    return known


class FromTensor(tuple):
    """Scalars that were read off a tensor at run time, so that any of them may turn out to be 0."""


def on_host(x: Any) -> Nested:
    """Return the elements of ``x`` as nested tuples; a vector of open length stays a tensor."""
    if not isinstance(x, tf.Tensor | tf.Variable):
        return x
    static = tf.get_static_value(x)
    if static is not None:
        return _nested(static.tolist())
    if x.dtype.is_integer:
        x = tf.cast(x, tf.int64)
    if x.shape.rank == 0 or not x.shape.is_fully_defined():
        return x
    return FromTensor(on_host(row) for row in tf.unstack(x))


def _nested(value: Any) -> Nested:
    return tuple(map(_nested, value)) if isinstance(value, list) else value


def as_tensor(value: Nested, dtype: int, device: None = None) -> tf.Tensor:
    """Return a tensor of ONNX element type ``dtype`` from scalars on the host."""
    kind = to_framework(dtype)
    items = flatten(value)
    if not any(isinstance(item, tf.Tensor) for item in items):
        return tf.constant(value, kind)
    if not isinstance(value, tuple):
        return tf.cast(value, kind)
    return tf.reshape(tf.stack([number(item, kind) for item in items]), shape_of(value))


def check_input(x: tf.Tensor, name: str, dims: tuple[int | None, ...]) -> None:
    """Refuse an input whose static sizes are not those of the converted model.

    Raises:
        ValueError: names the input and both shapes.
    """
    if isinstance(x, tf.Tensor) and not x.shape.is_compatible_with(dims):
        raise ValueError(f"input {name!r} has shape {x.shape}; the model was converted for {dims}")


def before(value: tf.Tensor) -> tf.Tensor:
    """Return what a variable holds now; its reading comes before its assignment."""
    return tf.identity(value)


def device_of(module: Any, *inputs: Any) -> None:
    """TensorFlow places operations itself."""
    return
