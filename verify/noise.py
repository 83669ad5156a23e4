"""How far the source itself is from the exact result: the noise that a comparison has to bear.

The traced graph is run in float64, which is the reference R; the source's result is S. |S - R| is
the source's own rounding error, if the graph says what the source says. Whether it does shows in a
third run, of the same graph in the source's precision: its error and the source's are two draws
of one noise, and the larger one counts. Where the source's is far larger, it is no rounding error
but a fault of the graph, and must not loosen the limit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir

from verify.arrays import dtype_name
from verify.runtimes import load

CREDIBLE = 8.0
"""How much noisier than the graph in the same precision a source may be: kernels differ."""

_NARROW = (ir.DataType.FLOAT, ir.DataType.FLOAT16, ir.DataType.BFLOAT16)


@dataclass(frozen=True)
class Noise:
    """Errors of one output against float64, relative to the largest value of the reference.

    Attributes:
        maximum: largest error of the source.
        rms: root mean square of it.
        graph_maximum: largest error of the graph run in the source's precision.
    """

    maximum: float
    rms: float
    graph_maximum: float

    @property
    def credible(self) -> float:
        """The larger of both errors, as far as rounding explains it."""
        return max(self.graph_maximum, min(self.maximum, CREDIBLE * self.graph_maximum))


class Reference:
    """A graph in float64 and in its own precision, both as PyTorch modules.

    Raises (all methods):
        ConversionError: the graph cannot be rebuilt.
        MissingFrameworkError: PyTorch is not installed.
    """

    def __init__(self, model: ir.Model) -> None:
        self.model = model
        self._modules: dict[bool, Any] = {}

    def noise(
        self, inputs: Mapping[str, np.ndarray], source: Mapping[str, np.ndarray]
    ) -> dict[str, Noise]:
        """Return the noise of each floating-point output.

        Args:
            inputs: arrays by the graph's input names.
            source: the source's outputs by the graph's output names.
        """
        exact, own = self._run(inputs, True), self._run(inputs, False)
        return {
            name: _noise(source[name], own[name], exact[name])
            for name in exact
            if name in source
            and "float" in dtype_name(source[name])
            and source[name].shape == exact[name].shape == own[name].shape
        }

    def _run(self, inputs: Mapping[str, np.ndarray], double: bool) -> dict[str, np.ndarray]:
        load("torch")  # says what to install, where PyTorch is missing
        import torch

        from converter.rebuild.pytorch import build
        from verify.runtimes.torch_tensors import from_numpy, to_numpy

        if double not in self._modules:
            self._modules[double] = build(in_float64(self.model) if double else self.model)
        module = self._modules[double]
        tensors = []
        for spec in module.signature.inputs:
            tensor = from_numpy(inputs[spec.name])
            narrow = isinstance(tensor, torch.Tensor) and tensor.is_floating_point()
            tensors.append(tensor.double() if double and narrow else tensor)
        with torch.no_grad():
            result = module(*tensors)
        names = [spec.name for spec in module.signature.outputs]
        values = (result,) if len(names) == 1 else result
        return {name: to_numpy(value) for name, value in zip(names, values, strict=True)}


def _noise(source: np.ndarray, own: np.ndarray, exact: np.ndarray) -> Noise:
    finite = np.isfinite(exact) & np.isfinite(source) & np.isfinite(own)
    reference = exact.astype(np.float64)[finite]
    peak = float(np.abs(reference).max(initial=0))
    if peak == 0:
        return Noise(0.0, 0.0, 0.0)
    error = np.abs(source.astype(np.float64)[finite] - reference)
    graph_error = np.abs(own.astype(np.float64)[finite] - reference)
    rms = float(np.sqrt(np.mean(np.square(error))))
    return Noise(float(error.max()) / peak, rms / peak, float(graph_error.max()) / peak)


def in_float64(model: ir.Model) -> ir.Model:
    """Return a copy of a graph in which every float32, float16 and bfloat16 is a float64.

    Weights are converted when they are read; casts to a narrow float become casts to float64,
    so nothing in the graph rounds.
    """
    model = model.clone()
    graph = model.graph
    for value in list(graph.initializers.values()):
        if value.const_value is not None and value.const_value.dtype in _NARROW:
            value.const_value = _wide_tensor(value.const_value)
            value.type = ir.TensorType(ir.DataType.DOUBLE)
    for value in (*graph.inputs, *(v for node in graph.all_nodes() for v in node.outputs)):
        _widen_type(value)
    for node in graph.all_nodes():
        _widen_attributes(node)
    return model


def _widen_type(value: ir.Value) -> None:
    if isinstance(value.type, ir.TensorType) and value.type.dtype in _NARROW:
        value.type = ir.TensorType(ir.DataType.DOUBLE)


def _widen_attributes(node: ir.Node) -> None:
    for name, attribute in list(node.attributes.items()):
        if attribute.is_ref():
            continue
        if name in ("to", "dtype", "stash_type", "output_dtype") and attribute.type.name == "INT":
            if attribute.as_int() in [int(kind) for kind in _NARROW] and name != "stash_type":
                node.attributes[name] = ir.AttrInt64(name, int(ir.DataType.DOUBLE))
        elif attribute.type == ir.AttributeType.TENSOR:
            tensor = attribute.as_tensor()
            if tensor.dtype in _NARROW:
                node.attributes[name] = ir.AttrTensor(name, _wide_tensor(tensor))
        elif attribute.type == ir.AttributeType.GRAPH:
            for value in attribute.as_graph().inputs:
                _widen_type(value)
    if node.op_type == "ConstantOfShape" and "value" not in node.attributes:
        zero = ir.tensor(np.zeros(1, np.float64))
        node.attributes["value"] = ir.AttrTensor("value", zero)
    elif node.op_type == "Constant" and "value_float" in node.attributes:
        number = node.attributes.pop("value_float").as_float()
        node.attributes["value"] = ir.AttrTensor("value", ir.tensor(np.array(number, np.float64)))
    elif node.op_type == "Constant" and "value_floats" in node.attributes:
        numbers = node.attributes.pop("value_floats").as_floats()
        node.attributes["value"] = ir.AttrTensor("value", ir.tensor(np.array(numbers, np.float64)))


def _wide_tensor(tensor: ir.TensorProtocol) -> ir.TensorProtocol:
    return ir.LazyTensor(
        lambda: ir.Tensor(tensor.numpy().astype(np.float64), name=tensor.name),
        dtype=ir.DataType.DOUBLE,
        shape=ir.Shape(tensor.shape.numpy()),
        name=tensor.name,
    )
