"""Where values cross between the host and PyTorch tensors."""

from __future__ import annotations

from typing import Any

import torch

from converter.rebuild.host_values import flatten, shape_of
from converter.rebuild.pytorch import scalars  # noqa: F401  registers the symbolic arithmetic
from converter.rebuild.pytorch.dtypes import to_framework

Nested = Any


def dims(x: torch.Tensor) -> tuple:
    """Return the sizes of ``x``: integers, or symbolic integers while tracing."""
    return tuple(x.shape)


def on_host(x: Any) -> Nested:
    """Return the elements of ``x`` as nested tuples."""
    return _nested(x.tolist()) if isinstance(x, torch.Tensor) else x


def _nested(value: Any) -> Nested:
    return tuple(map(_nested, value)) if isinstance(value, list) else value


def as_tensor(value: Nested, dtype: int, device: torch.device | str) -> torch.Tensor:
    """Return a tensor of ONNX element type ``dtype`` from scalars on the host."""
    kind = to_framework(dtype)
    items = flatten(value)
    if all(type(item) in (int, float, bool) for item in items):
        if not isinstance(value, tuple):  # no constant of the program: a loop's body holds none
            return torch.full((), value, dtype=kind, device=device)
        return torch.tensor(value, dtype=kind, device=device)
    # torch.tensor would turn symbolic sizes into constants.
    rows = [
        item.to(device=device, dtype=kind)
        if isinstance(item, torch.Tensor)
        else torch.scalar_tensor(item, dtype=kind, device=device)
        for item in items
    ]
    return torch.stack(rows).reshape(shape_of(value))


def check_input(x: Any, name: str, dims: tuple[int | None, ...]) -> None:
    """Refuse an input whose rank or static sizes are not those of the converted model.

    Raises:
        ValueError: names the input, the axis and both sizes.
    """
    if torch.jit.is_tracing() or not isinstance(x, torch.Tensor):
        return
    if x.dim() != len(dims):
        raise ValueError(f"input {name!r} has {x.dim()} dimensions, the model takes {len(dims)}")
    for axis, (size, wanted) in enumerate(zip(x.shape, dims, strict=True)):
        if wanted is not None and size != wanted:
            raise ValueError(
                f"input {name!r} has size {size} on axis {axis}; "
                f"the model was converted for {wanted}"
            )


def before(buffer: torch.Tensor) -> torch.Tensor:
    """Return what a buffer holds now, with memory of its own: the buffer changes in place."""
    return buffer.detach().clone()


def device_of(module: torch.nn.Module, *inputs: Any) -> torch.device:
    """Return where the model runs: its first tensor's device."""
    for tensor in inputs:
        if isinstance(tensor, torch.Tensor):
            return tensor.device
    for tensor in module.parameters():
        return tensor.device
    return torch.device("cpu")
