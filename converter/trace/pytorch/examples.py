"""Example inputs and dynamic shapes for `torch.export`, from what the user declared."""

from __future__ import annotations

import inspect
import keyword
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch

from converter.errors import InputSpecError
from converter.expressions import size_of, words_in
from converter.signature import Signature, TensorSpec
from converter.sizes import nearest

FIRST_SIZE = 3
"""Sizes 0 and 1 are special to `torch.export`, and 2 to many models."""


@dataclass(frozen=True)
class Example:
    """What `torch.export` is called with.

    Attributes:
        args: positional inputs.
        kwargs: inputs by name.
        dynamic_shapes: as `torch.export.export` takes it.
        names: names of the inputs, in the order of the traced graph.
    """

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    dynamic_shapes: Any
    names: tuple[str, ...]


def parameters_of(module: torch.nn.Module) -> list[inspect.Parameter]:
    """Return the parameters of a module's ``forward``."""
    return list(inspect.signature(module.forward).parameters.values())


def from_signature(
    module: torch.nn.Module,
    signature: Signature,
    given: Mapping[str, torch.Tensor] | None = None,
    *,
    sizes: Mapping[str, int] | None = None,
) -> Example:
    """Make example inputs for a declared signature.

    Args:
        given: tensors to use instead of made ones, by input name.
        sizes: sizes of the dynamic dimensions, instead of chosen ones.

    Raises:
        InputSpecError: a name is not an input of ``forward``, a required one is missing, or a
            shape is left open.
    """
    parameters = parameters_of(module)
    check_names(parameters, signature)
    dims = open_dims(signature)
    sizes = example_sizes(signature) if sizes is None else sizes
    tensors, shapes = {}, {}
    for spec in signature.inputs:
        tensors[spec.name] = (given or {}).get(spec.name, None)
        if tensors[spec.name] is None:
            tensors[spec.name] = make(spec, sizes)
        shapes[spec.name] = {
            axis: dims[dim] for axis, dim in enumerate(spec.shape or ()) if isinstance(dim, str)
        } or None
    names = tuple(tensors)
    if any(p.kind is inspect.Parameter.VAR_POSITIONAL for p in parameters):
        return Example(tuple(tensors.values()), {}, (tuple(shapes.values()),), names)
    order = [p.name for p in parameters if p.name in tensors]
    names = (*order, *(name for name in names if name not in order))
    positional = [p.name for p in parameters][: len(order)] == order and len(order) == len(names)
    if positional and all(
        p.kind is not inspect.Parameter.KEYWORD_ONLY for p in parameters[: len(order)]
    ):
        return Example(tuple(tensors[n] for n in order), {}, {n: shapes[n] for n in order}, names)
    return Example(
        (), {name: tensors[name] for name in names}, {name: shapes[name] for name in names}, names
    )


def check_names(parameters: list[inspect.Parameter], signature: Signature) -> None:
    """Refuse names that ``forward`` does not have, and missing required ones."""
    kinds = inspect.Parameter
    if any(p.kind is kinds.VAR_POSITIONAL for p in parameters):
        return
    known = [p.name for p in parameters if p.kind is not kinds.VAR_KEYWORD]
    open_ended = any(p.kind is kinds.VAR_KEYWORD for p in parameters)
    for spec in signature.inputs:
        if spec.name not in known and not open_ended:
            raise InputSpecError(
                f"the model has no input called {spec.name!r}",
                hint=f"Its inputs are: {', '.join(known)}.",
            )
    declared = {spec.name for spec in signature.inputs}
    missing = [
        p.name
        for p in parameters
        if p.default is kinds.empty
        and p.kind not in (kinds.VAR_KEYWORD, kinds.VAR_POSITIONAL)
        and p.name not in declared
    ]
    if missing:
        raise InputSpecError(
            f"the model needs the input(s) {', '.join(missing)}, which no --input describes",
            hint='Describe each one: --input "name:dtype[dims]", for example '
            f'--input "{missing[0]}:float32[batch,3,224,224]".',
        )


def open_dims(signature: Signature) -> dict[str, Any]:
    """Return each word and expression of the inputs' shapes as `torch.export` writes it.

    An expression of several words, or one that is not ``a * word + b``, is any size to
    `torch.export`.
    """
    ranges = {}
    for index, name in enumerate(signature.dynamic_dims()):
        # its names must be Python's, ours need not be
        known = name if name.isidentifier() and not keyword.iskeyword(name) else f"size_{index}"
        low, high = _lowest(signature, name), _highest(signature, name)
        ranges[name] = torch.export.Dim(known, min=low, max=high)
    shapes = (dim for spec in signature.inputs for dim in spec.shape or ())
    return {dim: _open_dim(dim, ranges) for dim in shapes if isinstance(dim, str)}


def _open_dim(dim: str, ranges: Mapping[str, Any]) -> Any:
    words = words_in(dim)
    if dim in ranges:
        return ranges[dim]
    if len(words) == 1:
        at = [size_of(dim, {words[0]: size}) for size in range(6)]
        factor = at[1] - at[0]
        if factor > 0 and at == [at[0] + factor * size for size in range(6)]:
            scaled = ranges[words[0]] if factor == 1 else factor * ranges[words[0]]
            return scaled + at[0] if at[0] > 0 else scaled - -at[0] if at[0] < 0 else scaled
    return torch.export.Dim.DYNAMIC


def _lowest(signature: Signature, name: str) -> int | None:
    return signature.dims[name].minimum if name in signature.dims else None


def _highest(signature: Signature, name: str) -> int | None:
    return signature.dims[name].maximum if name in signature.dims else None


def example_sizes(signature: Signature, step: int = 1) -> dict[str, int]:
    """Choose a size for each dynamic dimension, all different, within what is declared.

    Args:
        step: the sizes are multiples of it, where the ranges let them.
    """
    sizes: dict[str, int] = {}
    for index, name in enumerate(signature.dynamic_dims()):
        size = FIRST_SIZE + 2 * index if step == 1 else step * (1 + index)
        if name in signature.dims:
            low, high = signature.dims[name].minimum, signature.dims[name].maximum
            size = max(size, -(-low // step) * step)
            size = size if high is None else min(size, high)
        sizes[name] = size
    for name in sizes:
        sizes[name] = _said(name, sizes) or sizes[name]
    return nearest(signature, sizes) or sizes


_SUM = re.compile(r"^(?P<left>\w+)_(?P<sign>plus|minus)_(?P<right>\w+)$")


def _said(name: str, sizes: Mapping[str, int]) -> int | None:
    """Return the size that a word such as ``past_plus_1`` says, where it is a sensible one.

    Only examples follow it: what the model makes of it shows in the trace.
    """
    match = _SUM.match(name)
    if not match:
        return None
    ends = [int(e) if e.isdigit() else sizes.get(e) for e in (match["left"], match["right"])]
    if ends[0] is None or ends[1] is None:
        return None
    size = ends[0] + ends[1] if match["sign"] == "plus" else ends[0] - ends[1]
    return size if size > 1 else None


def tried_inputs(
    signature: Signature, given: Mapping[str, torch.Tensor] | None = None
) -> list[TensorSpec]:
    """Return the inputs with the sizes that an example has."""
    sizes = example_sizes(signature)
    specs = []
    for spec in signature.inputs:
        own = (given or {}).get(spec.name)
        shape = own.shape if own is not None else [size_of(d, sizes) for d in spec.shape or ()]
        specs.append(replace(spec, shape=tuple(map(int, shape))))
    return specs


def make(spec: TensorSpec, sizes: Mapping[str, int]) -> torch.Tensor:
    """Make a tensor that fits ``spec``: zeros for integers (a valid index), noise for floats."""
    if spec.shape is None:
        raise InputSpecError(
            f"input {spec.name!r} has no shape",
            hint=f'Give its dimensions: --input "{spec.name}:{spec.dtype}[batch,...]".',
        )
    shape = [size_of(dim, sizes) for dim in spec.shape]
    dtype = getattr(torch, spec.dtype)
    if dtype.is_floating_point or dtype.is_complex:
        return torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(dtype)
    if dtype == torch.bool:
        return torch.ones(shape, dtype=dtype)
    return torch.zeros(shape, dtype=dtype)
