"""The Keras model that a `.keras` archive of Equiport holds.

`import converter.formats.keras_model` registers it, then `keras.models.load_model(path)` opens the
archive. Its configuration is the ONNX graph without weights, so nothing in the archive is code; the
weights are Keras variables, saved in the source's layout.
"""

from __future__ import annotations

import base64
from typing import Any

import keras
import numpy as np
import onnx_ir as ir
import tensorflow as tf

from converter.errors import ConversionError, UnreadableModelError
from converter.rebuild.tensorflow import build
from converter.record import Record

_WEIGHT = "equiport.weight"
"""Marks the inputs of a graph in a configuration that stand for weights."""


@keras.saving.register_keras_serializable(package="equiport")
class ConvertedModel(keras.Model):
    """A rebuilt graph as a Keras model; takes a tensor, a list, or a dict of them by name.

    Returns the output, or a dict by name if there are several.

    Attributes:
        record: signature, and role and permutation of each weight.
        permutations: weight name to how it is stored, ``stored = source.transpose(permutation)``.
    """

    def __init__(self, graph: str, record: dict[str, Any], module: Any = None, **options: Any):
        """Rebuild the graph.

        Args:
            graph: an ONNX graph without weights, as base64 of its protobuf.
            record: what `Record.to_json` returns.
            module: the rebuilt module, if there is one already.
        """
        # The signature says each input's type; Keras would round float64 to float32 on its way in.
        super().__init__(**{"name": "equiport", "autocast": False} | options)
        self._graph = graph
        self.record = Record.from_json(record)
        if module is None:
            module = build(with_weights(decoded(graph)))
        self.permutations = dict(module.permutations)
        self._names = tuple(module.weights)
        self._held = [self._variable(name, module.weights[name]) for name in self._names]
        # What the written-down graph reads: the same weights, as Keras keeps them.
        module.weights = _Untracked(zip(self._names, self._held, strict=True))
        self._module = _Untracked(module=module)
        self.built = True

    @classmethod
    def from_graph(cls, graph: ir.Model, record: Record, module: Any = None) -> ConvertedModel:
        """Make the model of a graph with its weights.

        Args:
            module: the graph's `converter.rebuild.tensorflow.module.ConvertedModule`, if there is
                one; the model takes it over.
        """
        if module is None:
            module = build(graph)
        return cls(encoded(without_weights(graph)), record.to_json(), module)

    def _variable(self, name: str, variable: tf.Variable) -> keras.Variable:
        """Return a Keras variable with the value of one of TensorFlow."""
        try:
            return self.add_weight(
                # Keras takes no slash in a name; `named_variables` knows the source's.
                name=name.replace("/", "."),
                shape=variable.shape,
                dtype=variable.dtype.name,
                trainable=variable.trainable,
                initializer=lambda *_, **__: tf.identity(variable),
            )
        except ValueError as error:
            raise ConversionError(
                f"Keras has no variables of type {variable.dtype.name}, which {name!r} is",
                hint="--to tf writes a SavedModel, which has them.",
            ) from error

    @property
    def inputs(self) -> list[Any]:
        """Symbolic inputs, in order."""
        return [
            keras.KerasTensor(
                [dim if isinstance(dim, int) else None for dim in spec.shape or ()],
                spec.carried_as or spec.dtype,
                name=spec.name,
            )
            for spec in self.record.signature.inputs
        ]

    @property
    def output_names(self) -> list[str]:
        """Names of the outputs, in order."""
        return [spec.name for spec in self.record.signature.outputs]

    def named_variables(self) -> dict[str, Any]:
        """Return the weights by their names in the source."""
        return dict(zip(self._names, self._held, strict=True))

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Run the graph; it behaves the same in training."""
        result = self._module["module"].run_graph(*self._in_order(inputs))
        if len(self.output_names) == 1:
            return result
        return dict(zip(self.output_names, result, strict=True))

    def _in_order(self, inputs: Any) -> list[Any]:
        specs = self.record.signature.inputs
        if isinstance(inputs, dict):
            inputs = [inputs[spec.name] for spec in specs]
        elif not isinstance(inputs, list | tuple):
            inputs = [inputs]
        return [
            tf.cast(value, spec.carried_as or spec.dtype)
            if spec.dtype != "string"
            else tf.convert_to_tensor(value)
            for value, spec in zip(inputs, specs, strict=True)
        ]

    def get_config(self) -> dict[str, Any]:
        """Return the graph and the record; no code."""
        return {"name": self.name, "graph": self._graph, "record": self.record.to_json()}

    def save_own_variables(self, store: Any) -> None:
        """Write the weights in the source's layout, numbered in the source's order."""
        for index, (name, variable) in enumerate(self.named_variables().items()):
            permutation = self.permutations.get(name)
            value = variable.numpy()
            store[str(index)] = value.transpose(np.argsort(permutation)) if permutation else value

    def load_own_variables(self, store: Any) -> None:
        """Read what `save_own_variables` wrote.

        Raises:
            UnreadableModelError: a weight is missing or of another shape.
        """
        named = self.named_variables()
        if len(store.keys()) != len(named):
            raise UnreadableModelError(
                f"the archive has {len(store.keys())} weights, its graph {len(named)}"
            )
        for index, (name, variable) in enumerate(named.items()):
            value = np.asarray(store[str(index)])
            permutation = self.permutations.get(name) or tuple(range(len(variable.shape)))
            wanted = tuple(variable.shape[permutation.index(axis)] for axis in sorted(permutation))
            if value.shape != wanted:
                raise UnreadableModelError(
                    f"the archive's weight {name!r} has the shape {value.shape}, not {wanted}"
                )
            variable.assign(value.transpose(permutation))


class _Untracked(dict):
    """A dictionary that Keras does not look into: the weights hang on the model once."""


def without_weights(graph: ir.Model) -> ir.Model:
    """Return a copy in which each weight is an input; what is no weight stays."""
    copy = graph.clone()
    for name, value in list(copy.graph.initializers.items()):
        if value.metadata_props.get("equiport.role") is None or value.const_value is None:
            continue
        value.shape = ir.Shape(value.const_value.shape)  # type: ignore[arg-type]
        value.type = ir.TensorType(value.const_value.dtype)
        value.metadata_props[_WEIGHT] = "1"
        value.const_value = None
        del copy.graph.initializers[name]
        if value not in copy.graph.inputs:
            copy.graph.inputs.append(value)
    return copy


def with_weights(graph: ir.Model) -> ir.Model:
    """Undo `without_weights`, with zeros for the weights; in place."""
    for value in list(graph.graph.inputs):
        if value.metadata_props.pop(_WEIGHT, None) is None:
            continue
        assert value.shape is not None
        assert value.dtype is not None
        shape = [int(dim) for dim in value.shape]  # type: ignore[arg-type]
        graph.graph.inputs.remove(value)
        value.const_value = ir.Tensor(
            np.zeros(shape, value.dtype.numpy()), name=value.name, dtype=value.dtype
        )
        graph.graph.register_initializer(value)
    return graph


def encoded(graph: ir.Model) -> str:
    """Return a graph as text."""
    content = ir.serde.serialize_model(graph).SerializeToString(deterministic=True)
    return base64.b64encode(content).decode()


def decoded(text: str) -> ir.Model:
    """Return the graph in a text."""
    import onnx

    return ir.serde.deserialize_model(onnx.ModelProto.FromString(base64.b64decode(text)))
