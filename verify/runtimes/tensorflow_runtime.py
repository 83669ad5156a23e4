"""TensorFlow: a live `tf.Module` or `tf.function`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from converter.errors import UsageError
from converter.formats.tensorflow_variables import named_variables
from converter.signature import Signature
from verify.arrays import dtype_name
from verify.binding import bind, input_names, parameters_of
from verify.structure import tensorflow_leaves

if TYPE_CHECKING:
    import numpy as np

    from converter.formats import Source


class TensorFlowRunner:
    """Runs a callable of TensorFlow tensors; see `verify.runtimes.Runner`.

    ``declared`` says that the signature's output names are the model's own, not made up in loading.
    """

    declared = False
    variables: dict[str, Any] = {}

    def __init__(
        self, function: Any, device: str, signature: Signature | None, parameters: list
    ) -> None:
        self.function, self.device, self.signature = function, device, signature
        self.parameters = parameters
        self.input_names = input_names(parameters)
        self.named_outputs = False

    def prepare(self, inputs: dict[str, np.ndarray]) -> Any:
        with tf.device(self.device):
            tensors = {name: from_numpy(array) for name, array in inputs.items()}
        return bind(tensors, self.parameters)

    def call(self, prepared: Any) -> Any:
        args, kwargs = prepared
        with tf.device(self.device):
            result = self.function(*args, **kwargs)
        if self.device.startswith("GPU"):
            tf.test.experimental.sync_devices()
        return result

    def fetch(self, result: Any) -> dict[str, np.ndarray]:
        leaves, self.named_outputs = tensorflow_leaves(result)
        outputs = self.signature.outputs if self.signature else ()
        if outputs and not self.named_outputs and len(outputs) == len(leaves):
            leaves = [(s.name, value) for s, (_, value) in zip(outputs, leaves, strict=True)]
            self.named_outputs = self.declared
        return {name: to_numpy(value) for name, value in leaves}

    def held(self, names: list[str]) -> dict[str, np.ndarray]:
        return {
            name: to_numpy(variable).copy()
            for name, variable in self.variables.items()
            if name in names or not variable.trainable
        }

    def put(self, values: dict[str, np.ndarray]) -> None:
        for name, array in values.items():
            self.variables[name].assign(from_numpy(array))

    def transform(self, change: Callable[[Any], Any]) -> None:
        """Run ``change(function)`` in place of the function itself."""
        self.function = change(self.function)

    def close(self) -> None:
        """Nothing to put back."""


def open(source: Source, device: str, signature: Signature | None) -> TensorFlowRunner:
    """Get a live module or function ready."""
    model = source.model
    place = tf_device(device)
    own = getattr(model, "signature", None)
    own = own if isinstance(own, Signature) else None
    if own is not None:  # one of our own results: its inputs have names
        runner: TensorFlowRunner = _Converted(model, place, source.signature or own)
    else:
        python_function = getattr(model, "python_function", None)
        parameters = parameters_of(python_function or model.__call__)
        runner = TensorFlowRunner(model, place, source.signature, parameters)
    runner.variables = named_variables(model)
    return runner


class _Converted(TensorFlowRunner):
    declared = True

    def __init__(self, module: Any, device: str, signature: Signature) -> None:
        super().__init__(module, device, signature, [])
        self.input_names = [spec.name for spec in signature.inputs]

    def prepare(self, inputs: dict[str, np.ndarray]) -> Any:
        args, _ = super().prepare(inputs)
        return (), dict(zip(inputs, args, strict=True))


def tf_device(name: str) -> str:
    """Return TensorFlow's name of a device, ready for comparing: without TF32.

    Raises:
        UsageError: there is no such device here.
    """
    if name == "cpu":
        return "CPU:0"
    if not name.startswith("cuda"):
        raise UsageError(f"TensorFlow knows no device {name!r}", hint="Use cpu or cuda.")
    if not tf.config.list_physical_devices("GPU"):
        raise UsageError("TensorFlow sees no GPU", hint="Use --device cpu.")
    tf.config.experimental.enable_tensor_float_32_execution(False)
    return f"GPU:{name.partition(':')[2] or 0}"


def from_numpy(array: np.ndarray) -> tf.Tensor:
    """Return a tensor of an array; texts become UTF-8."""
    if dtype_name(array) != "string":
        return tf.constant(array)
    texts = [item if isinstance(item, bytes) else str(item).encode() for item in array.flat]
    return tf.reshape(tf.constant(texts, tf.string), array.shape)


def to_numpy(value: Any) -> np.ndarray:
    """Return an array of a tensor, a variable, or a number.

    Raises:
        TypeError: the value is sparse, ragged or no tensor at all.
    """
    from verify.arrays import as_array

    if isinstance(value, tf.RaggedTensor | tf.SparseTensor):
        raise TypeError(f"a {type(value).__name__} cannot be compared")
    return as_array(value.numpy() if hasattr(value, "numpy") else value)
