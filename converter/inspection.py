"""Say what a model is without converting it; needs no more than its own framework."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from converter.formats import Source
from converter.progress import count, size
from converter.signature import Signature


@dataclass(frozen=True)
class Inspection:
    """What a model is.

    Attributes:
        framework: ``"torch"``, ``"tensorflow"`` or ``"onnx"``.
        kind: the format's name.
        signature: inputs and outputs, ``None`` if the file does not say.
        weights: name, dtype, shape and whether it is trained, of every weight.
    """

    framework: str
    kind: str
    path: Path | None
    signature: Signature | None
    weights: tuple[tuple[str, str, tuple[int, ...], bool], ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "framework": self.framework,
            "kind": self.kind,
            "path": str(self.path) if self.path else None,
            "signature": self.signature.to_json() if self.signature else None,
            "weights": [
                {"name": name, "dtype": dtype, "shape": list(shape), "trainable": trainable}
                for name, dtype, shape, trainable in self.weights
            ],
        }

    def __str__(self) -> str:
        lines = [f"{self.path or 'model'}: {self.framework}, {self.kind.replace('_', ' ')}"]
        if self.signature is None:
            lines.append("inputs: the file does not say; describe them with --input")
        else:
            lines += [f"input   {spec}" for spec in self.signature.inputs]
            lines += [f"output  {spec}" for spec in self.signature.outputs]
        trained = [shape for *_, shape, trainable in self.weights if trainable]
        elements = sum(_product(shape) for shape in trained)
        lines.append(
            f"weights {count(len(self.weights), 'tensor')}, {len(trained)} trainable "
            f"with {count(elements, 'element')}, {size(self.bytes())} in all"
        )
        return "\n".join(lines)

    def bytes(self) -> int:
        """Return the size of all weights."""
        return sum(_product(shape) * _width(dtype) for _, dtype, shape, _ in self.weights)


def inspect(model: Any, *, trust: bool = False, factory: str | None = None) -> Inspection:
    """Load a model and say what it is.

    Raises:
        UnreadableModelError, UntrustedModelError, UsageError, MissingFrameworkError: see
            `converter.convert`.
    """
    from converter.pipeline import load

    source = load(model, trust=trust, factory=factory)
    weights = {"torch": torch_weights, "tensorflow": tensorflow_weights, "onnx": onnx_weights}
    return Inspection(
        source.framework,
        source.kind,
        source.path,
        source.signature,
        tuple(weights[source.framework](source)),
    )


def torch_weights(source: Source) -> list[tuple[str, str, tuple[int, ...], bool]]:
    """List parameters and buffers of a module or an exported program."""
    import torch

    return [
        (
            name,
            str(tensor.dtype).removeprefix("torch."),
            tuple(tensor.shape),
            isinstance(tensor, torch.nn.Parameter) and tensor.requires_grad,
        )
        for name, tensor in named_tensors(source.model)
    ]


def named_tensors(model: Any) -> list[tuple[str, Any]]:
    """Return the named parameters and buffers, parameters first."""
    buffers = model.named_buffers()
    return [*model.named_parameters(), *buffers]


def tensorflow_weights(source: Source) -> list[tuple[str, str, tuple[int, ...], bool]]:
    """List the variables; a LiteRT file has none."""
    if source.kind == "tflite":
        return []
    from converter.trace.tensorflow.functions import named_variables

    return [
        (name, variable.dtype.name, tuple(variable.shape), bool(variable.trainable))
        for name, variable in named_variables(source.model).items()
    ]


def onnx_weights(source: Source) -> list[tuple[str, str, tuple[int, ...], bool]]:
    """List the initializers."""
    from converter.graph.signatures import dtype_name
    from converter.trace.onnx import trace

    graph = trace(source).graph
    return [
        (
            name,
            dtype_name(value.dtype),
            tuple(value.const_value.shape.numpy()),
            value.metadata_props.get("equiport.role") == "parameter",
        )
        for name, value in graph.initializers.items()
        if value.const_value is not None
    ]


def _product(shape: tuple[int, ...]) -> int:
    result = 1
    for size_ in shape:
        result *= size_
    return result


def _width(dtype: str) -> int:
    """Return the bytes of one element (half a byte counts as one)."""
    digits = "".join(c for c in dtype.split("e")[0] if c.isdigit())
    return max(int(digits) // 8, 1) if digits else 1
