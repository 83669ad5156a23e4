"""LiteRT (TensorFlow Lite): a `.tflite` flatbuffer."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from converter.errors import UsageError
from converter.formats.tflite import find_interpreter
from converter.signature import Signature
from verify.arrays import as_array, dtype_name
from verify.limits import threads

if TYPE_CHECKING:
    import numpy as np

    from converter.formats import Source


class LiteRTRunner:
    """Runs the flatbuffer's signature, or its main graph; see `verify.runtimes.Runner`."""

    named_outputs = True

    def __init__(self, make: Callable[[], Any], signature: Signature | None) -> None:
        self.make, self.signature = make, signature
        self.put({})

    def put(self, values: dict[str, np.ndarray]) -> None:
        """Begin anew: an interpreter's variables are as the file has them only in a new one."""
        self.interpreter = interpreter = self.make()
        signatures = interpreter.get_signature_list()
        self.runner = None
        if signatures:
            key = "serving_default" if "serving_default" in signatures else next(iter(signatures))
            self.runner = interpreter.get_signature_runner(key)
            self.input_names = list(signatures[key]["inputs"])
        else:
            self.input_names = [item["name"] for item in interpreter.get_input_details()]

    def held(self, names: list[str]) -> dict[str, np.ndarray]:
        return {}  # LiteRT shows no variables

    def prepare(self, inputs: dict[str, np.ndarray]) -> Any:
        return {name: _texts(array) for name, array in inputs.items()}

    def call(self, prepared: Any) -> Any:
        if self.runner is not None:
            return self.runner(**prepared)
        details = {item["name"]: item["index"] for item in self.interpreter.get_input_details()}
        for name, array in prepared.items():
            self.interpreter.resize_tensor_input(details[name], array.shape)
        self.interpreter.allocate_tensors()
        for name, array in prepared.items():
            self.interpreter.set_tensor(details[name], array)
        self.interpreter.invoke()
        outputs = self.interpreter.get_output_details()
        return {item["name"]: self.interpreter.get_tensor(item["index"]) for item in outputs}

    def fetch(self, result: Any) -> dict[str, np.ndarray]:
        order = [spec.name for spec in self.signature.outputs] if self.signature else []
        names = order if set(order) == set(result) else list(result)
        return {name: as_array(result[name]) for name in names}

    def close(self) -> None:
        """The interpreter ends with the runner."""


def _texts(array: np.ndarray) -> np.ndarray:
    import numpy as np

    if dtype_name(array) != "string":
        return np.array(array)
    texts = [item if isinstance(item, bytes) else str(item).encode() for item in array.flat]
    return np.array(texts, dtype=object).reshape(array.shape)


def open(source: Source, device: str, signature: Signature | None) -> LiteRTRunner:
    """Make an interpreter of a file, with the XNNPACK delegate where LiteRT uses it.

    Raises:
        UsageError: another device than the CPU is asked for.
    """
    return interpret(source, device, "AUTO")


def interpret(source: Source, device: str, kernels: str) -> LiteRTRunner:
    """Make an interpreter of a file.

    Args:
        kernels: name in LiteRT's ``OpResolverType``: which kernels it takes.

    Raises:
        UsageError: another device than the CPU is asked for.
    """
    if device != "cpu":
        raise UsageError("LiteRT runs on the CPU only here", hint="Use --device cpu.")
    assert source.path is not None
    interpreter, types = find_interpreter(source.path)
    path = str(source.path)

    def make() -> Any:
        return interpreter(
            model_path=path,
            experimental_op_resolver_type=getattr(types, kernels),
            num_threads=threads() or os.cpu_count(),
        )

    return LiteRTRunner(make, source.signature)
