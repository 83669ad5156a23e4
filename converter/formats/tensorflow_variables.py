"""A TensorFlow model's variables under the names that every stage calls them by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from converter.naming import free


def named_variables(model: Any) -> dict[str, Any]:
    """Return a model's variables by the source's own names for them, in its order."""
    if hasattr(model, "named_variables"):
        return {name: of_tensorflow(v) for name, v in model.named_variables().items()}
    if _is_layer(model):
        return _keras_variables(model)
    if isinstance(kept := getattr(model, "weights", None), Mapping):  # a SavedModel of Equiport
        return dict(kept)
    states = "seed_generator_state"  # what Keras exports beside the weights
    return {name: v for name, v in _own_names(model).items() if not name.endswith(states)}


def trained_names(model: Any, variables: Mapping[str, Any]) -> list[str]:
    """Return the names of the variables that training moves.

    A layer that Keras was told to freeze counts; its variables do not know it in TensorFlow.
    """
    if not _is_layer(model) or hasattr(model, "named_variables"):
        return [name for name, variable in variables.items() if variable.trainable]
    trained = {id(of_tensorflow(variable)) for variable in model.trainable_variables}
    return [name for name, variable in variables.items() if id(variable) in trained]


def _own_names(model: Any) -> dict[str, Any]:
    """Return variables by their own names; by their paths in the object where names repeat.

    A loaded SavedModel of a plain `tf.Module` has no list of variables, so they are looked for in
    the tree of its objects.
    """
    paths = _variable_paths(model)
    listed = list(getattr(model, "variables", ()))
    found = list({id(v): v for v in (*listed, *(v for _, v in paths))}.values())
    named = [(v.name.split(":")[0], v) for v in found]
    if len({name for name, _ in named}) == len(named):
        return dict(named)
    path_of = {id(v): path for path, v in reversed(paths)}
    return _unique([(path_of.get(id(v), name), v) for name, v in named])


def _variable_paths(model: Any) -> list[tuple[str, Any]]:
    """Return the variables in a tree of objects with the shortest path to each, in its order."""
    import tensorflow as tf
    from tensorflow.python.checkpoint.trackable_view import TrackableView
    from tensorflow.python.trackable.base import Trackable

    if not isinstance(model, Trackable):
        return []
    view, found = TrackableView(model), []
    waiting: list[tuple[str, Any]] = [("", model)]
    seen = {id(model)}
    for path, item in waiting:
        for name, child in view.children(item).items():
            if id(child) in seen or name == "signatures":
                continue
            seen.add(id(child))
            whole = f"{path}/{name}" if path else name
            if isinstance(child, tf.Variable):
                found.append((whole, child))
            else:
                waiting.append((whole, child))
    return found


def _is_layer(model: Any) -> bool:
    """Tell a model or layer of Keras, which a worker need not import for anything else."""
    classes = ((base.__module__, base.__name__) for base in type(model).__mro__)
    return any(module.startswith("keras.") and name == "Layer" for module, name in classes)


def _keras_variables(model: Any) -> dict[str, Any]:
    """Return the weights by their paths; states of random generators are none."""
    return _unique([(getattr(v, "path", None) or v.name, of_tensorflow(v)) for v in model.weights])


def of_tensorflow(variable: Any) -> Any:
    """Return the TensorFlow variable in a Keras variable; one of TensorFlow as it is."""
    return variable if callable(variable.value) else variable.value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Number the names that several variables share."""
    named: dict[str, Any] = {}
    for name, variable in pairs:
        named[free(name, named)] = variable
    return named
