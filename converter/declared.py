"""From what the caller says of the inputs to a signature, and example tensors if there are any."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from converter.errors import InputSpecError, UsageError
from converter.formats import Source
from converter.signature import DTYPES, Signature, TensorSpec, parse_inputs

Declared = tuple[Signature | None, dict[str, Any]]
"""The signature, and example tensors by input name."""


def declared(source: Source, inputs: Any, dynamic: Mapping[str, Any] | None) -> Declared:
    """Read ``inputs=`` and ``dynamic=`` of `converter.convert`.

    Args:
        source: the loaded model; names positional examples.
        inputs: ``None``, a `Signature`, ``--input`` texts, or example tensors (arrays) in order or
            by name.
        dynamic: input name to ``{axis: word}`` (or a sequence of sizes and words), laid over the
            examples' shapes.

    Raises:
        InputSpecError: a text cannot be read, or ``dynamic`` names what is not there.
        UsageError: ``inputs`` is something else.
    """
    signature, examples = _read(source, inputs)
    if dynamic:
        signature = _with_dynamic(signature or source.signature, dynamic)
    return signature, examples


def _read(source: Source, inputs: Any) -> Declared:
    if inputs is None:
        return None, {}
    if isinstance(inputs, Signature):
        return inputs, {}
    if isinstance(inputs, str):
        inputs = (inputs,)
    if isinstance(inputs, Mapping):
        named = dict(inputs)
    elif isinstance(inputs, Sequence):
        if not inputs:
            return None, {}
        if all(isinstance(item, str) for item in inputs):
            return parse_inputs(inputs), {}
        named = dict(zip(_names(source, len(inputs)), inputs, strict=True))
    else:
        named = dict(zip(_names(source, 1), (inputs,), strict=True))
    for name, value in named.items():
        if not hasattr(value, "shape") or not hasattr(value, "dtype"):
            raise UsageError(
                f"the example for input {name!r} is a {type(value).__name__}, not a tensor",
                hint="Give tensors, arrays, or texts such as 'x:float32[batch,3,224,224]'.",
            )
    specs = tuple(
        TensorSpec(name, dtype_of(value), tuple(int(size) for size in value.shape))
        for name, value in named.items()
    )
    return Signature(specs), named


def dtype_of(tensor: Any) -> str:
    """Return our name of an array's or tensor's element type."""
    name = getattr(tensor.dtype, "name", None) or str(tensor.dtype)
    name = name.removeprefix("torch.")
    if name not in DTYPES:
        raise UsageError(f"an example has the element type {name}, which no model input has")
    return name


def _names(source: Source, count: int) -> list[str]:
    """Name positional examples: by the source's signature, else by ``forward``'s parameters."""
    if source.signature is not None:
        names = [spec.name for spec in source.signature.inputs]
    else:
        names = _parameters(source.model)
    if count > len(names):
        raise UsageError(
            f"{count} example inputs are given, the model takes {len(names)}: {', '.join(names)}"
        )
    return names[:count]


def _parameters(model: Any) -> list[str]:
    call = next(
        (
            getattr(model, name)
            for name in ("forward", "call", "python_function")
            if hasattr(model, name)
        ),
        model,
    )
    kinds = inspect.Parameter
    names: list[str] = []
    for parameter in inspect.signature(call).parameters.values():
        if parameter.kind is kinds.VAR_POSITIONAL:
            return [*names, *(f"input_{index}" for index in range(len(names), 64))]
        if parameter.kind in (kinds.POSITIONAL_ONLY, kinds.POSITIONAL_OR_KEYWORD):
            names.append(parameter.name)
    return names


def _with_dynamic(signature: Signature | None, dynamic: Mapping[str, Any]) -> Signature:
    if signature is None:
        raise UsageError("dynamic= needs inputs= beside it", hint="Give example inputs.")
    specs = {spec.name: spec for spec in signature.inputs}
    for name, dims in dynamic.items():
        if name not in specs:
            raise InputSpecError(
                f"dynamic= names the input {name!r}, which the model does not have",
                hint=f"Its inputs are: {', '.join(specs)}.",
            )
        shape = list(specs[name].shape or ())
        pairs = dims.items() if isinstance(dims, Mapping) else enumerate(dims)
        for axis, dim in pairs:
            if not -len(shape) <= axis < len(shape):
                raise InputSpecError(f"dynamic= names axis {axis} of {specs[name]}")
            if isinstance(dim, str):
                shape[axis] = dim
            elif hasattr(dim, "__name__"):  # torch.export.Dim("batch")
                shape[axis] = dim.__name__
        specs[name] = replace(specs[name], shape=tuple(shape))
    return replace(signature, inputs=tuple(specs.values()))
