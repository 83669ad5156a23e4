"""A function of tensors through trace and rebuild, in PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import onnx_ir as ir
import torch
from torch.utils import _pytree as pytree

from converter.formats import Source
from converter.rebuild.pytorch import build
from converter.signature import Signature, TensorSpec
from converter.trace.pytorch import trace


class Function(torch.nn.Module):
    """A module without weights."""

    def __init__(self, function: Callable[..., Any]):
        super().__init__()
        self.function = function

    def forward(self, *tensors: torch.Tensor) -> Any:
        return self.function(*tensors)


def traced(function: Callable[..., Any], *tensors: torch.Tensor) -> ir.Model:
    """Trace a function at the sizes of its inputs."""
    specs = tuple(
        TensorSpec(f"x{i}", str(t.dtype).removeprefix("torch."), tuple(t.shape))
        for i, t in enumerate(tensors)
    )
    given = {spec.name: tensor for spec, tensor in zip(specs, tensors, strict=True)}
    return trace(Source("torch", "module", Function(function)), Signature(specs), given=given)


def rebuilt(function: Callable[..., Any], *tensors: torch.Tensor) -> Any:
    """Return what comes out of the road, flat."""
    return pytree.tree_leaves(build(traced(function, *tensors))(*tensors))


def same(function: Callable[..., Any], *tensors: torch.Tensor) -> None:
    """Assert that the road changes no value, no dtype and no shape."""
    wanted = pytree.tree_leaves(function(*[t.clone() for t in tensors]))
    for a, b in zip(wanted, rebuilt(function, *tensors), strict=True):
        torch.testing.assert_close(b, a, rtol=1e-5, atol=1e-5, equal_nan=True)


def operators(model: ir.Model) -> list[str]:
    """Return the operators of a graph, those in bodies included."""
    return [node.op_type for node in model.graph.all_nodes()]
