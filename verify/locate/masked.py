"""Errors that the next node hides on these inputs: a wrong bias whose channel a ReLU cuts off.

Graph b has the right value after the next node, so nothing leads to a wrong output. But where a
node of b is the same operator on the same values as one of the reference, and is read by the same
operators, with the same other values, to the same end, then it is meant to be that node, and its
own value must be the reference's. Elements that are huge in both (what fills a mask) do not count.
"""

from __future__ import annotations

from collections.abc import Hashable

import onnx_ir as ir
import torch

from converter.rebuild.graph_values import constant_tensor
from verify.locate.closeness import FLOOR, HUGE, SAFETY, SAME, error_of, flat
from verify.locate.kernels import read_values
from verify.locate.recording import Recording
from verify.locate.walk import Walk

MOST_STEPS = 8
"""Nodes on which a wrong value may pass before it is hidden."""


def hidden(recording: Recording, state: Walk) -> dict[ir.Node, tuple[float, ir.Value]]:
    """Return nodes of the reference whose counterpart in b is wrong, with its error and value."""
    theirs: dict[Hashable, list[ir.Node]] = {}
    for node in state.wide.nodes:
        item = state.items.get(node.outputs[0])
        if item is not None and item.raw is not None and item.base is None:
            numbers = [state.items[v].number for v in _read(node)]
            theirs.setdefault((node.op_type, *numbers), []).append(node)
    if not theirs:
        return {}
    result = {}
    for node in recording.wide.nodes:
        number = recording.numbers.get(node.outputs[0])
        if number is None or number in state.matches or node.outputs[0] in recording.fixed:
            continue
        key = (node.op_type, *(recording.numbers.get(v) for v in _read(node)))
        for other in theirs.get(key, ()):
            error = _error(recording, state, node, other)
            if error is not None and _same_role(recording, state, node, other):
                result[node] = error, other.outputs[0]
    return result


def _read(node: ir.Node) -> list[ir.Value]:
    """Return what a node reads, constants apart."""
    return [v for v in read_values(node) if v is not None and constant_tensor(v) is None]


def _same_role(
    recording: Recording, state: Walk, node: ir.Node, other: ir.Node, depth: int = MOST_STEPS
) -> bool:
    """Tell whether readers of both, and theirs, do the same with them and come to the same."""
    for reader, place in node.outputs[0].uses():
        if reader.graph is not node.graph or not reader.outputs:
            continue
        number = recording.numbers.get(reader.outputs[0])
        mine = [recording.numbers.get(v) for v in _others(reader, place)]
        for twin, twin_place in other.outputs[0].uses():
            item = state.items.get(twin.outputs[0])
            if item is None or twin.op_type != reader.op_type or place != twin_place:
                continue
            if mine != [state.items[v].number for v in _others(twin, twin_place)]:
                continue
            if item.found is not None and item.found.layout == SAME:
                if item.base == number:
                    return True
                continue
            hidden_later = number not in state.matches and depth
            if hidden_later and _same_role(recording, state, reader, twin, depth - 1):
                return True
    return False


def _others(node: ir.Node, place: int) -> list[ir.Value]:
    read = read_values(node)
    return [v for index, v in enumerate(read) if v is not None and index != place]


def _error(recording: Recording, state: Walk, node: ir.Node, other: ir.Node) -> float | None:
    """Return how far the values are apart; ``None``: not beyond their noise."""
    item = state.items[other.outputs[0]]
    assert item.raw is not None
    reference = recording.table.values[recording.numbers[node.outputs[0]]]
    value = state.table.values[item.raw]
    if getattr(reference, "shape", None) != getattr(value, "shape", None):
        return None
    a, b = flat(reference), flat(value)
    if a is None or b is None:
        return None
    fill = (a.abs() >= HUGE) & (b.abs() >= HUGE)
    error = error_of(a, torch.where(fill, a, b))
    return error if error > FLOOR + SAFETY * item.noise else None
