"""What rules ask of a graph."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx_ir as ir

from converter.rebuild.graph_values import constant_tensor, role_of
from converter.rebuild.prepare import plain_domain


def made_by(value: ir.Value | None, *operators: str) -> ir.Node | None:
    """Return the node that makes a value, if it is one of some operators of ONNX."""
    node = value.producer() if value is not None else None
    if node is None or node.op_type not in operators or plain_domain(node.domain):
        return None
    return node


def number(value: ir.Value | None) -> float | None:
    """Return a constant of one element, ``None`` for anything else."""
    tensor = constant_tensor(value) if value is not None and not role_of(value) else None
    return float(tensor.numpy().ravel()[0]) if tensor is not None and tensor.size == 1 else None


def numbers(value: ir.Value | None) -> tuple[int, ...] | None:
    """Return a constant of integers, ``None`` for anything else."""
    tensor = constant_tensor(value) if value is not None and not role_of(value) else None
    return tuple(int(item) for item in tensor.numpy().ravel()) if tensor is not None else None


def either(node: ir.Node) -> Iterator[tuple[ir.Value, ir.Value]]:
    """Yield the two operands of a node that does not ask for their order, both ways."""
    left, right = node.inputs[:2]
    if left is not None and right is not None:
        yield left, right
        yield right, left


def terms(value: ir.Value, sign: int = 1) -> Iterator[tuple[int, ir.Value]]:
    """Yield what a sum is made of, each with its sign; sums in sums are opened."""
    node = made_by(value, "Add", "Sub", "Neg")
    if node is None:
        product = made_by(value, "Mul")
        for left, right in either(product) if product is not None else ():
            negated = made_by(left, "Neg")
            if negated is not None and negated.inputs[0] is not None:
                # -a * b: the sign belongs to the product.
                yield -sign, _Product(negated.inputs[0], right)  # type: ignore[misc]
                return
        yield sign, value
        return
    signs = {"Add": (1, 1), "Sub": (1, -1), "Neg": (-1,)}[node.op_type]
    for operand, own in zip(node.inputs, signs, strict=True):
        if operand is not None:
            yield from terms(operand, sign * own)


class _Product:
    """A product that no node of the graph makes as such."""

    def __init__(self, left: ir.Value, right: ir.Value) -> None:
        self.factors = (left, right)


def factors(term: ir.Value | _Product) -> tuple[ir.Value, ir.Value] | None:
    """Return the two factors of a product."""
    if isinstance(term, _Product):
        return term.factors
    node = made_by(term, "Mul")
    if node is None or node.inputs[0] is None or node.inputs[1] is None:
        return None
    return node.inputs[0], node.inputs[1]


def is_last(axes: tuple[int, ...] | None, rank: int) -> bool:
    """Tell whether axes are the last one alone."""
    return axes is not None and tuple(axis % rank for axis in axes) == (rank - 1,)


def replace(node: ir.Node, output: ir.Value, new: list[ir.Node], result: ir.Value) -> None:
    """Put nodes in the place of one, and a value in the place of what it made."""
    graph = node.graph
    assert graph is not None
    for item in new:
        for key, text in node.metadata_props.items():
            item.metadata_props.setdefault(key, text)
    graph.insert_before(node, new)
    name, shape, kind = output.name, output.shape, output.type
    output.replace_all_uses_with(result, replace_graph_outputs=True)
    graph.remove(node, safe=True)
    result.name, result.shape, result.type = name, shape, kind


def constant(array: np.ndarray, name: str) -> ir.Node:
    """Return a node that makes a constant."""
    return ir.node("Constant", [], {"value": ir.Tensor(array, name=name)})
