"""From what the caller says of the inputs to a signature, and example tensors if there are any."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from converter.errors import InputSpecError, UsageError
from converter.formats import Source
from converter.signature import (
    DTYPES,
    Dim,
    DimRange,
    Signature,
    TensorSpec,
    parse_dim,
    parse_inputs,
)


@dataclass(frozen=True)
class Declared:
    """What the caller said of the inputs.

    Attributes:
        signature: the inputs, if anything was said of them.
        examples: example tensors by input name.
        fixed: arguments that are no tensors (``use_cache=False``): every call gets them.
    """

    signature: Signature | None = None
    examples: dict[str, Any] = field(default_factory=dict)
    fixed: dict[str, Any] = field(default_factory=dict)


PLAIN = (bool, int, float, str, type(None))
"""Types of arguments that are no tensors."""


def declared(source: Source, inputs: Any, dynamic: Mapping[str, Any] | None) -> Declared:
    """Read ``inputs=`` and ``dynamic=`` of `converter.convert`.

    Args:
        source: the loaded model; names positional examples.
        inputs: ``None``, a `Signature`, ``--input`` texts, or example tensors (arrays) in order or
            by name; by name, what is no tensor (a flag, a number) is an argument of every call.
        dynamic: input name to ``{axis: dimension}`` (or a sequence of them), laid over the
            examples' shapes. A dimension is what ``--input`` takes (``"t"``, ``"t<=512"``,
            ``"past+1"``), a size, a `torch.export.Dim`, or ``None`` where the size stays.

    Raises:
        InputSpecError: a text cannot be read, or ``dynamic`` names what is not there.
        UsageError: ``inputs`` is something else.
    """
    result = _read(source, inputs)
    if dynamic:
        return replace(
            result, signature=_with_dynamic(result.signature or source.signature, dynamic)
        )
    return result


def _read(source: Source, inputs: Any) -> Declared:
    if inputs is None:
        return Declared()
    if isinstance(inputs, Signature):
        return Declared(inputs)
    if isinstance(inputs, str):
        inputs = (inputs,)
    if isinstance(inputs, Mapping):
        named = dict(inputs)
    elif isinstance(inputs, Sequence):
        if not inputs:
            return Declared()
        if all(isinstance(item, str) for item in inputs):
            return Declared(parse_inputs(inputs))
        named = dict(zip(_names(source, len(inputs)), inputs, strict=True))
    else:
        named = dict(zip(_names(source, 1), (inputs,), strict=True))
    fixed = {name: value for name, value in named.items() if isinstance(value, PLAIN)}
    if len(fixed) == len(named):  # nothing but plain values: a mistake
        fixed = {}
    tensors = {name: value for name, value in named.items() if name not in fixed}
    for name, value in tensors.items():
        if not hasattr(value, "shape") or not hasattr(value, "dtype"):
            raise UsageError(
                f"the example for input {name!r} is a {type(value).__name__}, not a tensor",
                hint="Give tensors, arrays, or texts such as 'x:float32[batch,3,224,224]'.",
            )
    specs = tuple(
        TensorSpec(name, dtype_of(value), tuple(int(size) for size in value.shape))
        for name, value in tensors.items()
    )
    return Declared(Signature(specs), tensors, fixed)


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
    ranges = dict(signature.dims)
    for name, dims in dynamic.items():
        if name not in specs:
            raise InputSpecError(
                f"dynamic= names the input {name!r}, which the model does not have",
                hint=f"Its inputs are: {', '.join(specs)}.",
            )
        shape = list(specs[name].shape or ())
        for axis, dim in axes_of(dims):
            if not -len(shape) <= axis < len(shape):
                raise InputSpecError(f"dynamic= names axis {axis} of {specs[name]}")
            if dim is None:
                continue
            shape[axis], allowed = _dim(dim, name, axis % len(shape))
            if allowed is not None:
                ranges[str(shape[axis])] = allowed
        specs[name] = replace(specs[name], shape=tuple(shape))
    return replace(signature, inputs=tuple(specs.values()), dims=ranges)


def axes_of(dims: Any) -> list[tuple[int, Any]]:
    """Return one input's part of ``dynamic=`` as pairs of axis and dimension.

    Raises:
        UsageError: it is neither a mapping nor a sequence.
    """
    if dims is None:
        return []
    if isinstance(dims, Mapping):
        return list(dims.items())
    if isinstance(dims, Sequence) and not isinstance(dims, str):
        return list(enumerate(dims))
    raise UsageError(
        f"dynamic= has {dims!r} where the dimensions of an input belong",
        hint='Write {axis: word}, for example dynamic={"ids": {0: "batch", 1: "seq<=512"}}.',
    )


def _dim(dim: Any, name: str, axis: int) -> tuple[Dim, DimRange | None]:
    """Read one dimension of ``dynamic=``: a text, a size, or a `torch.export.Dim`."""
    text = text_of(dim, name, axis)
    return (text, None) if isinstance(text, int) else parse_dim(text, name)


def text_of(dim: Any, name: str, axis: int) -> int | str:
    """Return a dimension of ``dynamic=`` as `parse_dim` takes it.

    Raises:
        InputSpecError: it is nothing that says a dimension.
    """
    if isinstance(dim, str) or (isinstance(dim, int) and not isinstance(dim, bool)):
        return dim
    if isinstance(word := getattr(dim, "__name__", None), str):  # torch.export.Dim("batch", max=8)
        low, high = getattr(dim, "min", None), getattr(dim, "max", None)
        if word.isidentifier():
            word = word if not low or low < 2 else f"{low}<={word}"
            word = word if not isinstance(high, int) or high > FARTHEST else f"{word}<={high}"
        return word
    if type(dim).__name__ == "_DimHint":  # torch.export.Dim.AUTO has no name of its own
        return f"{name}_dim_{axis}".replace(".", "_")
    raise InputSpecError(
        f"dynamic= has {dim!r} for axis {axis} of input {name!r}",
        hint='A dimension is a word ("seq", "seq<=512"), an expression ("past+1") or a size.',
    )


FARTHEST = 1 << 31
"""`torch.export.Dim` without a maximum has one beyond this."""


def as_named(inputs: Any, signature: Signature) -> dict[str, Any] | None:
    """Return example tensors by the names of a graph's inputs.

    Args:
        inputs: as `declared` takes it.
        signature: the graph's.

    Returns:
        ``None`` where ``inputs`` are no tensors, or do not have the dtypes and shapes of the graph:
        a source that says itself what it takes may be given anything.
    """
    if inputs is None or isinstance(inputs, Signature | str):
        return None
    names = [spec.name for spec in signature.inputs]
    if not isinstance(inputs, Mapping):
        values = list(inputs) if isinstance(inputs, list | tuple) else [inputs]
        inputs = dict(zip(names, values, strict=False)) if len(values) == len(names) else {}
    if set(inputs) != set(names):
        return None
    for spec in signature.inputs:
        value = inputs[spec.name]
        if not hasattr(value, "shape") or not hasattr(value, "dtype"):
            return None
        shape = tuple(int(size) for size in value.shape)
        if dtype_of(value) != spec.dtype or not _fits(shape, spec.shape):
            return None
    return dict(inputs)


def _fits(shape: tuple[int, ...], wanted: tuple[Any, ...] | None) -> bool:
    if wanted is None:
        return True
    return len(shape) == len(wanted) and all(
        isinstance(dim, str) or dim == size for size, dim in zip(shape, wanted, strict=True)
    )
