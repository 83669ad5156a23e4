"""Check each node of a graph on the values that a run of it had itself.

A runtime's own error begins at a node whose result is not what the node makes of what it read in
that very run. Everything lies open there, so no alignment is needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx_ir as ir
import torch

from converter.rebuild.pytorch.dtypes import from_numpy
from verify.locate.closeness import error_of, flat
from verify.locate.graph import Table, Wide, compute
from verify.locate.kernels import NodeFailed, read_values
from verify.locate.walk import STEPS

UNIT = {
    torch.float32: 2.0**-24, torch.float16: 2.0**-11, torch.bfloat16: 2.0**-8,
    torch.float64: 2.0**-53,
}  # fmt: skip

SAFETY = 64.0
"""How many times the noise of one rounding of all that it reads a node's error may be."""


def wrong_nodes(model: ir.Model, values: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Return the nodes whose results do not follow from what they read, with their errors.

    Args:
        model: the graph that was run.
        values: what a run of it had, by value name; nodes that read something else are left out.

    Returns:
        By the name of the node's first output, in order of computation.
    """
    wide, table = Wide(model), Table()
    kinds = {getattr(from_numpy(np.asarray(array)), "dtype", None) for array in values.values()}
    unit = max((UNIT[kind] for kind in kinds if kind in UNIT), default=2.0**-24)
    known: dict[ir.Value, Any] = {}
    for value in wide.model.graph.initializers.values():
        number = table.constant(value, wide)
        if number is not None:
            known[value] = table.values[number]
    for value in (*wide.inputs, *(v for node in wide.model.graph for v in node.outputs)):
        number = table.constant(value, wide) if value.producer() is not None else None
        if number is not None:
            known[value] = table.values[number]
        elif value.name in values:
            known[value] = _wide(from_numpy(np.asarray(values[value.name or ""])))
    result = {}
    for node in wide.nodes:
        read = read_values(node)
        if any(v is not None and v not in known for v in read):
            continue
        given = [None if v is None else known[v] for v in read]
        error = _error(node, wide, given, known, unit)
        if error is not None:
            result[node.outputs[0].name or ""] = error
    return result


def _wide(value: Any) -> Any:
    narrow = isinstance(value, torch.Tensor) and value.is_floating_point()
    return value.double() if narrow else value


def _error(
    node: ir.Node, wide: Wide, given: list[Any], known: Mapping[ir.Value, Any], unit: float
) -> float | None:
    """Return how wrong a node is; ``None``: not beyond its noise, or not known."""
    moved = given if node.op_type in STEPS else [_moved(value, unit) for value in given]
    try:
        exact = compute(node, wide, given, frozenset())
        near = compute(node, wide, moved, frozenset())
    except NodeFailed:
        return None
    for value, right, other in zip(node.outputs, exact, near, strict=False):
        if value not in known:
            continue
        a, b, c = flat(right), flat(known[value]), flat(other)
        if a is None or b is None or c is None:
            continue
        if a.numel() != b.numel():
            return float("inf")
        floats = isinstance(right, torch.Tensor) and right.is_floating_point()
        noise = error_of(a, c) if c.numel() == a.numel() else 0.0
        error = error_of(a, b)
        if error > (SAFETY * max(noise, unit) if floats else 0.0):
            return error
    return None


def _moved(value: Any, unit: float) -> Any:
    if not isinstance(value, torch.Tensor) or not value.is_floating_point():
        return value
    generator = torch.Generator().manual_seed(value.numel())
    sign = torch.randint(0, 2, value.shape, generator=generator).double() * 2 - 1
    finite = torch.where(torch.isfinite(value), value, 0.0)
    rms = finite.square().mean().sqrt() if value.numel() else finite.sum()
    moved = value + sign * unit * (value.abs() + rms)
    return torch.where(torch.isfinite(moved), moved, value)
