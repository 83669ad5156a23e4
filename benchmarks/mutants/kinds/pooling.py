"""Pooling in another convention."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx_ir as ir

from benchmarks.mutants.edit import attribute, before, redirect, replace, set_attribute
from benchmarks.mutants.facts import Facts
from benchmarks.mutants.kind import Edit, kind


@kind("pooling: padding counted", "AveragePool")
def count_include_pad(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """The average counts the padding, or does not."""
    if any(attribute(node, "pads", ())):
        other = 1 - attribute(node, "count_include_pad", 0)
        yield Edit(lambda rng: set_attribute(node, "count_include_pad", other))


@kind("pooling: ceil_mode", "MaxPool", "AveragePool")
def ceil_mode(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """The last, incomplete window is taken, or not."""
    other = 1 - attribute(node, "ceil_mode", 0)
    yield Edit(lambda rng: set_attribute(node, "ceil_mode", other))


@kind("pooling: padded with zeros", "MaxPool")
def padded_with_zeros(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """A maximum over a padding of zeros, where minus infinity belongs."""
    pads = tuple(attribute(node, "pads", ()))
    if not any(pads) or len(node.outputs) > 1:
        return
    half = len(pads) // 2
    full = np.array([0, 0, *pads[:half], 0, 0, *pads[half:]])

    def change(rng: np.random.Generator) -> None:
        node.replace_input_with(0, before(node, "Pad", [node.inputs[0], full]))
        set_attribute(node, "pads", (0,) * len(pads))

    yield Edit(change)


@kind("pooling: average for maximum", "MaxPool", "GlobalMaxPool")
def average_for_maximum(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """The average of a window in place of its largest value."""
    if len(node.outputs) > 1:
        return
    if node.op_type == "GlobalMaxPool":
        yield Edit(lambda rng: replace(node, "GlobalAveragePool", list(node.inputs)))
        return
    names = ("kernel_shape", "pads", "strides", "ceil_mode", "dilations", "auto_pad")
    kept = {name: attribute(node, name) for name in names if name in node.attributes}
    yield Edit(lambda rng: replace(node, "AveragePool", list(node.inputs), **kept))


@kind("pooling: maximum for average", "AveragePool", "GlobalAveragePool")
def maximum_for_average(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """The largest value of a window in place of its average."""
    if node.op_type == "GlobalAveragePool":
        yield Edit(lambda rng: replace(node, "GlobalMaxPool", list(node.inputs)))
        return
    names = ("kernel_shape", "pads", "strides", "ceil_mode", "dilations", "auto_pad")
    kept = {name: attribute(node, name) for name in names if name in node.attributes}
    yield Edit(lambda rng: replace(node, "MaxPool", list(node.inputs), **kept))


@kind("pooling: a window missed", "MaxPool", "AveragePool")
def window_missed(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """The last row is that of the window before."""
    shape = facts.shape(node.outputs[0])
    if len(shape) != 4 or shape[2] < 2 or len(node.outputs) > 1:
        return
    value = node.outputs[0]

    def change(rng: np.random.Generator) -> None:
        user, _ = value.uses()[0]
        rows = before(
            user, "Slice", [value, np.array([0]), np.array([-1]), np.array([2]), np.array([1])]
        )
        pad = np.array([0, 0, 0, 0, 0, 0, 1, 0])
        redirected = before(user, "Pad", [rows, pad], mode="edge")
        redirect(value, redirected)
        rows_node = rows.producer()
        assert rows_node is not None
        rows_node.replace_input_with(0, value)

    if value.uses():
        yield Edit(change, value)
