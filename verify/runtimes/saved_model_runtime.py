"""TensorFlow: a SavedModel, through its serving signature."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from converter.errors import UnreadableModelError
from converter.formats.saved_model_names import served_as
from converter.formats.tensorflow_signature import served_function, undecided
from converter.formats.tensorflow_variables import named_variables
from converter.signature import Signature
from verify.runtimes import tensorflow_runtime
from verify.runtimes.tensorflow_runtime import TensorFlowRunner, tf_device

if TYPE_CHECKING:
    import numpy as np

    from converter.formats import Source


class SavedModelRunner(TensorFlowRunner):
    """Runs one signature; inputs and outputs go by name."""

    def __init__(self, model: Any, function: Any, device: str, signature: Any) -> None:
        super().__init__(function, device, signature, [])
        self.model = model  # the function does not keep the variables alive
        self.taken = set(function.structured_input_signature[1])
        self.input_names = list(function.structured_input_signature[1])
        if signature is not None:  # Python may take an input under another name
            served = served_as([spec.name for spec in signature.inputs])
            own = {served[name]: name for name in served}
            self.input_names = [own.get(name, name) for name in self.input_names]

    def prepare(self, inputs: dict[str, np.ndarray]) -> Any:
        args, _ = super().prepare(inputs)
        served = served_as([spec.name for spec in self.signature.inputs]) if self.signature else {}
        names = [n if n in self.taken else served.get(n, n) for n in inputs]
        return (), dict(zip(names, args, strict=True))

    def fetch(self, result: Any) -> dict[str, np.ndarray]:
        outputs = super().fetch(result)
        order = [spec.name for spec in self.signature.outputs] if self.signature else []
        if set(order) != set(outputs):
            return outputs
        return {name: outputs[name] for name in order}


def open(source: Source, device: str, signature: Signature | None) -> TensorFlowRunner:
    """Take the serving signature, or the only one that there is; without any, the module's call.

    Raises:
        UsageError: it has several signatures, and none is chosen.
        UnreadableModelError: the SavedModel serves nothing.
    """
    place = tf_device(device)
    function = served_function(source.model)
    if function is None and (error := undecided(source.model)):
        raise error
    if function is None and callable(source.model):
        return tensorflow_runtime.open(source, device, signature)
    if function is None:
        raise UnreadableModelError(
            f"the SavedModel {source.path or ''} has no signature and no call",
            hint="Save it with signatures=...",
        )
    runner = SavedModelRunner(source.model, function, place, source.signature)
    used = {variable.name.split(":")[0]: variable for variable in function.variables}
    runner.variables = used | named_variables(source.model)
    return runner
