"""Keras: a model, called for inference."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from converter.formats.tensorflow_variables import named_variables
from verify.binding import bind, input_names, parameters_of
from verify.runtimes.tensorflow_runtime import TensorFlowRunner, from_numpy, tf, tf_device

if TYPE_CHECKING:
    import numpy as np

    from converter.formats import Source
    from converter.signature import Signature


class KerasRunner(TensorFlowRunner):
    """Runs a model as a graph, as ``predict`` does.

    A functional model knows its inputs by name; any other takes them as its ``call`` does. The
    outputs of a model are named only if it returns them in a dict: a layer's name is an accident.
    """

    def __init__(self, model: Any, device: str, signature: Signature | None) -> None:
        parameters = [p for p in parameters_of(model.call) if p.name not in ("training", "mask")]
        super().__init__(self._run, device, signature, parameters)
        self.model = model
        self.tensors = _symbolic_inputs(model)
        if self.tensors:
            self.input_names = [tensor.name for tensor in self.tensors]
        graph = tf.function(self._call_model, autograph=False, reduce_retracing=True)
        self.graph = self._call_model if model.run_eagerly else graph

    def prepare(self, inputs: dict[str, np.ndarray]) -> Any:
        with tf.device(self.device):
            values = {name: from_numpy(array) for name, array in inputs.items()}
        if self.tensors:
            named = set(values) == set(self.input_names)
            ordered = [values[name] for name in self.input_names] if named else [*values.values()]
            return (_packed(self.model, ordered),), {}
        if set(values) <= set(input_names(self.parameters)):
            return bind(values, self.parameters)
        ordered = list(values.values())
        return (ordered[0] if len(ordered) == 1 else ordered,), {}

    def transform(self, change: Callable[[Any], Any]) -> None:
        self.graph = change(self._call_model)

    def _run(self, *args: Any, **kwargs: Any) -> Any:
        return self.graph(args, kwargs)

    def _call_model(self, args: Any, kwargs: Any) -> Any:
        return self.model(*args, **kwargs, training=False)

    def fetch(self, result: Any) -> dict[str, np.ndarray]:
        outputs = super().fetch(result)
        self.named_outputs = self.declared or isinstance(result, dict)
        return outputs


def _symbolic_inputs(model: Any) -> list[Any]:
    """Return the inputs of a functional model, in order; nothing for any other."""
    try:
        return tf.nest.flatten(model.inputs) if model.inputs is not None else []
    except (AttributeError, ValueError):  # Keras raises either before a model is built
        return []


def _packed(model: Any, values: list[Any]) -> Any:
    """Return the inputs in the structure that the model takes: a tensor, a list or a dict."""
    structure = getattr(model, "_inputs_struct", None)
    if structure is None:
        structure = model.inputs
    if len(values) == 1 and isinstance(structure, list):
        return values[0]
    return tf.nest.pack_sequence_as(structure, values)


def open(source: Source, device: str, signature: Signature | None) -> KerasRunner:
    """Get a model ready; it stays as it is."""
    runner = KerasRunner(source.model, tf_device(device), source.signature)
    runner.declared = source.record is not None
    runner.variables = named_variables(source.model)
    return runner
