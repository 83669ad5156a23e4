"""Say what a model is without converting it; needs no more than its own framework."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from converter.errors import UntrustedModelError
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
        notes: what else there is to know: how names become those of a given model.
        alone: the file holds weights and no model, so that nobody knows which are trained.
        signatures: those of a SavedModel that has several, or one that is not the default.
    """

    framework: str
    kind: str
    path: Path | None
    signature: Signature | None
    weights: tuple[tuple[str, str, tuple[int, ...], bool], ...]
    notes: tuple[str, ...] = ()
    alone: bool = False
    signatures: dict[str, Signature] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "framework": self.framework,
            "kind": self.kind,
            "path": str(self.path) if self.path else None,
            "signature": self.signature.to_json() if self.signature else None,
            "signatures": {name: one.to_json() for name, one in self.signatures.items()},
            "weights": [
                {"name": name, "dtype": dtype, "shape": list(shape), "trainable": trainable}
                for name, dtype, shape, trainable in self.weights
            ],
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        lines = [f"{self.path or 'model'}: {self.framework}, {self.kind.replace('_', ' ')}"]
        if self.alone:
            lines += self._listed()
            return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])
        for name, one in self.signatures.items():
            inputs, outputs = (", ".join(map(str, part)) for part in (one.inputs, one.outputs))
            lines.append(f"signature  {name}({inputs}) -> {outputs}")
        if self.signature is None and self.signatures:
            lines.append("choose a signature with --signature NAME")
        elif self.signature is None:
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
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])

    def _listed(self) -> list[str]:
        """List the weights of a file that holds nothing else."""
        width = max((len(name) for name, *_ in self.weights), default=0)
        lines = [
            f"  {name:<{width}}  {dtype}[{','.join(map(str, shape))}]"
            for name, dtype, shape, _ in self.weights
        ]
        return [
            *lines,
            f"weights {count(len(self.weights), 'tensor')}, {size(self.bytes())} in all",
        ]

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

    if isinstance(model, str | Path) and (weights := weights_alone(Path(model), trust)) is not None:
        return of_weights(Path(model), *weights, factory)
    source = load(model, trust=trust, factory=factory)
    listing = {"torch": torch_weights, "tensorflow": tensorflow_weights, "onnx": onnx_weights}
    return Inspection(
        source.framework,
        source.kind,
        source.path,
        source.signature,
        tuple(listing[source.framework](source)),
        tuple(source.notes),
        signatures=several_signatures(source) if source.kind == "saved_model" else {},
    )


def weights_alone(path: Path, trust: bool) -> tuple[str, Mapping[str, Any]] | None:
    """Return the format and the tensors of a file that holds no model; ``None``: it holds one."""
    from converter.formats import recognise, torch_pickle

    module = recognise(path)
    if module.NAME in ("state_dict", "safetensors"):
        return module.NAME, module.read_weights(path)
    if module is not torch_pickle:
        return None
    try:
        return module.NAME, torch_pickle.weights_alone(path)
    except UntrustedModelError:
        if trust:  # a module, or a checkpoint that only its own classes can read
            return None
        raise


def of_weights(
    path: Path, kind: str, weights: Mapping[str, Any], factory: str | None
) -> Inspection:
    """Say what a file of weights holds, and how it fits the model that a factory builds.

    Raises:
        UsageError: the factory fails, or builds no module.
    """
    from converter.formats.factory import listed
    from converter.formats.prefixes import common_prefix, fit
    from converter.formats.state_dict import misfits

    tensors = tuple(
        (name, str(item.dtype).removeprefix("torch."), tuple(item.shape), False)
        for name, item in weights.items()
        if hasattr(item, "shape")
    )
    prefix = common_prefix(weights)
    notes = [f"all names begin with {prefix!r}"] if prefix else []
    if factory is None:
        notes.append("--model package.module:function says which model they are of, and whether "
                     "they fit")  # fmt: skip
    else:
        import torch

        from converter.formats.factory import build

        own = build(factory, torch.nn.Module, "an nn.Module").state_dict()
        found = fit(own, weights)
        problems = misfits(own, weights, found)
        left = f"; not of this model: {listed(found.beside)}" if found.beside else ""
        if not problems:
            notes.append(f"they fit the model of {factory}: {found}{left}")
        else:
            notes.append(f"they do not fit the model of {factory} ({found}): {'; '.join(problems)}")
    return Inspection("torch", kind, path, None, tensors, tuple(notes), alone=True)


def several_signatures(source: Source) -> dict[str, Signature]:
    """Return the signatures of a SavedModel, nothing if the default is its only one."""
    from converter.formats.tensorflow_signature import SERVING, served_signature, signatures_of

    found = signatures_of(source.model)
    if set(found) <= {SERVING}:
        return {}
    return {name: served_signature(found[name]) for name in sorted(found)}


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
