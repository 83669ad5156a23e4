"""Both rebuilds behind ONNX's own backend interface, so that ONNX's runner can judge them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
from onnx.backend.base import Backend, BackendRep

__all__ = ["PyTorchBackend", "TensorFlowBackend"]


def _element_type(type_: ir.TypeProtocol | None) -> int | None:
    """Return the ONNX element type inside tensors, sequences and optionals."""
    while isinstance(type_, ir.SequenceType | ir.OptionalType):
        type_ = type_.elem_type
    return None if type_ is None else int(type_.dtype)


def _inward(value: Any, element_type: int | None, from_numpy: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_inward(item, element_type, from_numpy) for item in value]
    return None if value is None else from_numpy(np.asarray(value), element_type)


def _outward(value: Any, element_type: int | None, to_numpy: Any) -> Any:
    if isinstance(value, list):
        return [_outward(item, element_type, to_numpy) for item in value]
    if hasattr(value, "to_list"):  # a sequence whose length was open
        return _outward(value.to_list(), element_type, to_numpy)
    return None if value is None else to_numpy(value, element_type)


class PyTorchRep(BackendRep):
    """A model rebuilt in PyTorch."""

    def __init__(self, model: ir.Model) -> None:
        from converter.rebuild.pytorch import build

        self.model = model
        self.inputs = [v for v in model.graph.inputs if v.name not in model.graph.initializers]
        self.module = build(model)

    def run(self, inputs: Sequence[Any], **kwargs: Any) -> tuple[Any, ...]:
        """Run on NumPy arrays (lists of them for sequences) in the graph's order."""
        import torch

        from converter.rebuild.pytorch.dtypes import from_numpy, to_numpy

        tensors = [
            _inward(value, _element_type(spec.type), from_numpy)
            for value, spec in zip(inputs, self.inputs, strict=False)
        ]
        with torch.no_grad():
            results = self.module(*tensors)
        return _results(results, self.model, to_numpy)


class TensorFlowRep(BackendRep):
    """A model rebuilt in TensorFlow; runs as a `tf.function`."""

    def __init__(self, model: ir.Model) -> None:
        from converter.rebuild.tensorflow import build

        self.model = model
        self.inputs = [v for v in model.graph.inputs if v.name not in model.graph.initializers]
        self.module = build(model)

    def run(self, inputs: Sequence[Any], **kwargs: Any) -> tuple[Any, ...]:
        """Run on NumPy arrays (lists of them for sequences) in the graph's order."""
        from converter.rebuild.tensorflow.dtypes import to_numpy

        return _results(self.module(*self.tensors(inputs)), self.model, to_numpy)

    def tensors(self, inputs: Sequence[Any]) -> list[Any]:
        """Return the inputs as TensorFlow's tensors."""
        from converter.rebuild.tensorflow.dtypes import from_numpy

        return [
            _inward(value, _element_type(spec.type), from_numpy)
            for value, spec in zip(inputs, self.inputs, strict=False)
        ]


def _results(results: Any, model: ir.Model, to_numpy: Any) -> tuple[Any, ...]:
    outputs = model.graph.outputs
    results = (results,) if len(outputs) == 1 else results
    return tuple(
        _outward(value, _element_type(spec.type), to_numpy)
        for value, spec in zip(results, outputs, strict=True)
    )


class _RebuildBackend(Backend):
    rep: type

    @classmethod
    def prepare(cls, model: onnx.ModelProto | ir.Model, device: str = "CPU", **kwargs: Any) -> Any:
        """Rebuild the model once; call ``run`` on the result.

        Raises:
            UnsupportedOpsError: operators that cannot be rebuilt, all listed.
        """
        if isinstance(model, onnx.ModelProto):
            model = ir.serde.deserialize_model(model)
        return cls.rep(model)

    @classmethod
    def run_model(
        cls, model: onnx.ModelProto, inputs: Any, device: str = "CPU", **kwargs: Any
    ) -> tuple[Any, ...]:
        """Rebuild and run once."""
        return cls.prepare(model, device, **kwargs).run(inputs)

    @classmethod
    def supports_device(cls, device: str) -> bool:
        """Tell whether ``CPU`` or ``CUDA`` can be used here."""
        return device.upper() == "CPU" or (device.upper().startswith("CUDA") and cls.has_cuda())

    @classmethod
    def has_cuda(cls) -> bool:
        """Tell whether the framework sees a GPU."""
        raise NotImplementedError(f"{cls.__name__} does not say whether it has CUDA")


class PyTorchBackend(_RebuildBackend):
    """ONNX models rebuilt as `torch.nn.Module`."""

    rep = PyTorchRep

    @classmethod
    def has_cuda(cls) -> bool:
        import torch

        return torch.cuda.is_available()


class TensorFlowBackend(_RebuildBackend):
    """ONNX models rebuilt as `tf.Module`."""

    rep = TensorFlowRep

    @classmethod
    def has_cuda(cls) -> bool:
        import tensorflow as tf

        return bool(tf.config.list_physical_devices("GPU"))
