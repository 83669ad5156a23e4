"""Find inputs whose elements must stand in an order: offsets, lengths of packed rows, borders."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import onnx_ir as ir
import torch
from torch import Tensor

from converter.graph.orders import FALLING, OFFSETS, RISING, declare_order

aten = torch.ops.aten


@torch.library.custom_op("equiport::longest_first", mutates_args=())
def longest_first(lengths: Tensor) -> Tensor:
    """Return int64 ``[rows]`` as it is: `pack_padded_sequence` was told that the longest is first.

    Keeps that in the graph, where only `orders_of` reads it.
    """
    return lengths.clone()


@longest_first.register_fake
def _(lengths):
    return torch.empty_like(lengths)


def translate_longest_first(lengths):
    """Write it in ONNX."""
    from onnxscript import opset18 as op

    return op.Identity(lengths)


TRANSLATIONS = {torch.ops.equiport.longest_first.default: translate_longest_first}

_READERS = {
    aten.embedding_bag.default: ("offsets", OFFSETS),
    aten.embedding_bag.padding_idx: ("offsets", OFFSETS),
    aten._embedding_bag.default: ("offsets", OFFSETS),
    aten._embedding_bag_forward_only.default: ("offsets", OFFSETS),
    aten.bucketize.Tensor: ("boundaries", RISING),
    aten.bucketize.Scalar: ("boundaries", RISING),
    torch.ops.equiport.longest_first.default: ("lengths", FALLING),
}
"""Operators, which of their arguments has an order, and which."""

_SORTED = frozenset({aten.searchsorted.Tensor, aten.searchsorted.Scalar})
"""Operators whose first argument rises, unless another one sorts it."""

_SAME_VALUES = frozenset(
    {
        "_to_copy", "alias", "clone", "contiguous", "detach", "expand", "flatten", "lift_fresh",
        "reshape", "squeeze", "to", "unsqueeze", "view",
    }
)  # fmt: skip
"""Operators whose result holds the first argument's elements in their order."""


def orders_of(program: torch.export.ExportedProgram) -> dict[str, str]:
    """Return the order of each input that has one, by its placeholder's name."""
    found: dict[str, str] = {}
    for node in program.graph.nodes:
        for argument, order in _ordered(node):
            source = _source(argument)
            if source is not None:
                found.setdefault(source.name, order)
    return found


def declare_orders(model: ir.Model, program: torch.export.ExportedProgram) -> None:
    """Note them at the graph's inputs, which have the placeholders' names still; in place."""
    orders = orders_of(program)
    for value in model.graph.inputs:
        if value.name in orders:
            declare_order(value, orders[value.name])


def _ordered(node: torch.fx.Node) -> Iterator[tuple[Any, str]]:
    if node.target in _SORTED and node.kwargs.get("sorter") is None:
        yield _argument(node, "sorted_sequence"), RISING
    elif node.target in _READERS:
        name, order = _READERS[node.target]
        yield _argument(node, name), order


def _argument(node: torch.fx.Node, name: str) -> Any:
    """Return an argument of a call by the name that it has in the operator's schema."""
    if name in node.kwargs:
        return node.kwargs[name]
    target: Any = node.target
    names = [argument.name for argument in target._schema.arguments]
    return dict(zip(names, node.args, strict=False)).get(name)


def _source(value: Any) -> torch.fx.Node | None:
    """Return the placeholder whose elements a value holds; ``None`` where it is computed."""
    while isinstance(value, torch.fx.Node) and value.op == "call_function":
        name = getattr(value.target, "_schema", None)
        if name is None or name.name.split("::")[-1] not in _SAME_VALUES:
            return None
        value = value.args[0]
    return value if isinstance(value, torch.fx.Node) and value.op == "placeholder" else None
