"""ONNX Runtime."""

from __future__ import annotations

import ctypes
import os
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime

from converter.errors import UnreadableModelError, UsageError, first_line
from converter.signature import Signature, TensorSpec
from converter.temporary import TemporaryFolder
from verify.arrays import BITS, dtype_name, from_bits, to_bits
from verify.limits import threads

if TYPE_CHECKING:
    from converter.formats import Source

_ELEMENT_TYPES = {"bfloat16": 16, "float8e4m3fn": 17, "float8e4m3fnuz": 18, "float8e5m2": 19}
_ELEMENT_TYPES |= {"float8e5m2fnuz": 20}
_NAMES = {"float": "float32", "double": "float64"}
LIMIT = 1 << 30
"""Bytes of weights past which a live graph goes to the runtime through a file."""


class OnnxRunner:
    """Runs a session; see `verify.runtimes.Runner`."""

    named_outputs = True

    def __init__(self, session: Any, device: str, signature: Signature) -> None:
        self.session, self.device, self.signature = session, device, signature
        self.input_names = [value.name for value in session.get_inputs()]
        self.output_names = [value.name for value in session.get_outputs()]

    def prepare(self, inputs: dict[str, np.ndarray]) -> Any:
        fed = {name: inputs[name] for name in self.input_names if name in inputs}
        if any(dtype_name(array) == "string" for array in fed.values()):
            return {name: _texts(array) for name, array in fed.items()}  # it takes no other form
        return {name: _value(array) for name, array in fed.items()}

    def call(self, prepared: Any) -> Any:
        if any(isinstance(value, np.ndarray) for value in prepared.values()):
            return self.session.run(None, prepared)
        return self.session.run_with_ort_values(None, prepared)

    def fetch(self, result: Any) -> dict[str, np.ndarray]:
        outputs = {}
        for name, value in zip(self.output_names, result, strict=True):
            if isinstance(value, np.ndarray):
                outputs[name] = value
                continue
            dtype = _type_name(value.data_type())
            outputs[name] = _bits(value, dtype) if dtype in _ELEMENT_TYPES else value.numpy()
        return outputs

    def held(self, names: list[str]) -> dict[str, np.ndarray]:
        return {}  # a graph keeps nothing

    def put(self, values: dict[str, np.ndarray]) -> None:
        """Nothing to put back."""

    def close(self) -> None:
        """The session ends with the runner."""


def _value(array: np.ndarray) -> Any:
    make = onnxruntime.OrtValue
    name = dtype_name(array)
    if name in _ELEMENT_TYPES:
        bits = np.ascontiguousarray(to_bits(array))
        return make.ortvalue_from_numpy_with_onnx_type(bits, _ELEMENT_TYPES[name])
    return make.ortvalue_from_numpy(np.array(array, order="C"))


def _bits(value: Any, dtype: str) -> np.ndarray:
    """Copy a value of a type that NumPy lacks: ONNX Runtime itself refuses to."""
    plain = np.dtype(BITS.get(dtype, "uint8"))
    shape = value.shape()
    content = ctypes.string_at(value.data_ptr(), int(np.prod(shape)) * plain.itemsize)
    return from_bits(np.frombuffer(content, plain).reshape(shape), dtype)


def _texts(array: np.ndarray) -> np.ndarray:
    if dtype_name(array) != "string":
        return np.asarray(array)
    texts = [item.decode() if isinstance(item, bytes) else str(item) for item in array.flat]
    return np.array(texts, dtype=object).reshape(array.shape)


def _type_name(text: str) -> str:
    name = text.partition("(")[2].rstrip(")")
    return _NAMES.get(name, name)


def open(source: Source, device: str, signature: Signature | None) -> OnnxRunner:
    """Make a session of a file or of a live graph, with all of its optimisations.

    Raises:
        UsageError, UnreadableModelError: see `session_runner`.
    """
    return session_runner(source, device, onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL)


def session_runner(source: Source, device: str, optimisation: Any) -> OnnxRunner:
    """Make a session of a file or of a live graph.

    Args:
        optimisation: an `onnxruntime.GraphOptimizationLevel`.

    Raises:
        UsageError: ``device`` is not one that this ONNX Runtime has.
        UnreadableModelError: ONNX Runtime refuses the graph.
    """
    providers: list[Any] = ["CPUExecutionProvider"]
    if device.startswith("cuda"):
        if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
            raise UsageError("this ONNX Runtime has no CUDA", hint="Use --device cpu.")
        settings = {"use_tf32": "0", "device_id": device.partition(":")[2] or "0"}
        providers.insert(0, ("CUDAExecutionProvider", settings))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = optimisation
    options.intra_op_num_threads = threads() or 0
    try:
        session = _session(source, options, providers)
    except Exception as error:
        raise UnreadableModelError(
            f"ONNX Runtime cannot run {source.path or 'the graph'}: {first_line(error)}",
            hint="--runtime onnx_reference runs it without ONNX Runtime, slowly.",
        ) from error
    own = source.signature or _signature(session)
    return OnnxRunner(session, device, _bounded(own, source.model))


def _session(source: Source, options: Any, providers: list) -> Any:
    path = source.path
    if path is not None and path.is_dir():
        path = path / "model.onnx"
    if path is not None:
        return onnxruntime.InferenceSession(str(path), options, providers=providers)
    import onnx_ir as ir

    model = source.model
    if not isinstance(model, ir.Model):
        return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=providers)
    values = model.graph.initializers.values()
    tensors = [value.const_value for value in values if value.const_value is not None]
    # ONNX Runtime looks for weights in other files only beside a file of the graph.
    external = any(isinstance(tensor, ir.ExternalTensor) for tensor in tensors)
    if not external and sum(tensor.nbytes for tensor in tensors) < LIMIT:
        text = ir.serde.serialize_model(model).SerializeToString()
        return onnxruntime.InferenceSession(text, options, providers=providers)
    with TemporaryFolder() as folder:
        file = os.path.join(folder, "model.onnx")
        ir.save(model.clone(), file, external_data="model.onnx.data")
        return onnxruntime.InferenceSession(file, options, providers=providers)


def _signature(session: Any) -> Signature:
    def spec(value: Any) -> TensorSpec:
        shape = tuple(
            size if isinstance(size, int) else (size or f"{value.name}_{axis}")
            for axis, size in enumerate(value.shape)
        )
        return TensorSpec(value.name, _type_name(value.type), shape)

    inputs, outputs = session.get_inputs(), session.get_outputs()
    return Signature(tuple(map(spec, inputs)), tuple(map(spec, outputs)))


def _bounded(signature: Signature, model: Any) -> Signature:
    import onnx_ir as ir

    from converter.graph.bounds import with_bounds

    if not isinstance(model, ir.Model):
        model = ir.serde.deserialize_model(model)
    return with_bounds(signature, model)
