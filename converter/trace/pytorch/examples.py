"""Example inputs and dynamic shapes for `torch.export`, from what the user declared."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from converter.errors import InputSpecError
from converter.signature import Signature, TensorSpec

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
    module: torch.nn.Module, signature: Signature, given: Mapping[str, torch.Tensor] | None = None
) -> Example:
    """Make example inputs for a declared signature.

    Args:
        given: tensors to use instead of made ones, by input name.

    Raises:
        InputSpecError: a name is not an input of ``forward``, a required one is missing, or a
            shape is left open.
    """
    parameters = parameters_of(module)
    check_names(parameters, signature)
    dims = {
        name: torch.export.Dim(name, min=_lowest(signature, name), max=_highest(signature, name))
        for name in signature.dynamic_dims()
    }
    sizes = example_sizes(signature)
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


def _lowest(signature: Signature, name: str) -> int | None:
    return signature.dims[name].minimum if name in signature.dims else None


def _highest(signature: Signature, name: str) -> int | None:
    return signature.dims[name].maximum if name in signature.dims else None


def example_sizes(signature: Signature) -> dict[str, int]:
    """Choose a size for each dynamic dimension, all different, within the declared range."""
    sizes: dict[str, int] = {}
    for index, name in enumerate(signature.dynamic_dims()):
        size = FIRST_SIZE + 2 * index
        if name in signature.dims:
            low, high = signature.dims[name].minimum, signature.dims[name].maximum
            size = max(size, low)
            size = size if high is None else min(size, high)
        sizes[name] = size
    return sizes


def make(spec: TensorSpec, sizes: Mapping[str, int]) -> torch.Tensor:
    """Make a tensor that fits ``spec``: zeros for integers (a valid index), noise for floats."""
    if spec.shape is None:
        raise InputSpecError(
            f"input {spec.name!r} has no shape",
            hint=f'Give its dimensions: --input "{spec.name}:{spec.dtype}[batch,...]".',
        )
    shape = [dim if isinstance(dim, int) else sizes[dim] for dim in spec.shape]
    dtype = getattr(torch, spec.dtype)
    if dtype.is_floating_point or dtype.is_complex:
        return torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(dtype)
    if dtype == torch.bool:
        return torch.ones(shape, dtype=dtype)
    return torch.zeros(shape, dtype=dtype)
