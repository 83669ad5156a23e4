"""Pooling in another convention."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx_ir as ir

from benchmarks.mutants.edit import attribute, before, redirect, replace, set_attribute
from benchmarks.mutants.facts import Facts
from benchmarks.mutants.kind import Edit, kind

POSITIVE = ("Relu", "Sigmoid", "HardSigmoid", "Softplus", "Softmax")
"""Operators whose results are not negative."""


def _axes(node: ir.Node, facts: Facts) -> list[tuple[int, int, int, int, int]]:
    """Return by axis: size, padding before and after, stride, and how far a window reaches.

    Only the sizes seen are looked at; in the models here those of images are fixed. No axes where
    ``auto_pad`` computes the padding.
    """
    shape = facts.shape(node.inputs[0])[2:]
    kernel = tuple(attribute(node, "kernel_shape", ()))
    if len(shape) != len(kernel) or attribute(node, "auto_pad", "NOTSET") != "NOTSET":
        return []
    pads = tuple(attribute(node, "pads", (0,) * 2 * len(kernel)))
    strides = attribute(node, "strides", (1,) * len(kernel))
    dilations = attribute(node, "dilations", (1,) * len(kernel))
    reaches = [d * (k - 1) + 1 for d, k in zip(dilations, kernel, strict=True)]
    half = len(kernel)
    return list(zip(shape, pads[:half], pads[half:], strides, reaches, strict=True))


def _windows_differ(node: ir.Node, facts: Facts) -> bool:
    """Tell whether there is a last, incomplete window that ``ceil_mode`` takes or leaves."""
    axes = _axes(node, facts)
    return not axes or any(
        (size + begin + end - reach) % stride
        # One that would begin in the padding behind is never taken.
        and ((size + begin + end - reach) // stride + 1) * stride < size + begin
        for size, begin, end, stride, reach in axes
    )


def _padding_read(node: ir.Node, facts: Facts) -> bool:
    """Tell whether any window reaches into the padding."""
    axes = _axes(node, facts)
    if not axes or attribute(node, "ceil_mode", 0):
        return True
    return any(
        begin > 0 or (size + begin + end - reach) // stride * stride + reach > size + begin
        for size, begin, end, stride, reach in axes
    )


@kind("pooling: padding counted", "AveragePool")
def count_include_pad(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """The average counts the padding, or does not."""
    if any(attribute(node, "pads", ())) and _padding_read(node, facts):
        other = 1 - attribute(node, "count_include_pad", 0)
        yield Edit(lambda rng: set_attribute(node, "count_include_pad", other))


@kind("pooling: ceil_mode", "MaxPool", "AveragePool")
def ceil_mode(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """The last, incomplete window is taken, or not."""
    if not _windows_differ(node, facts):
        return
    other = 1 - attribute(node, "ceil_mode", 0)
    yield Edit(lambda rng: set_attribute(node, "ceil_mode", other))


@kind("pooling: padded with zeros", "MaxPool")
def padded_with_zeros(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """A maximum over a padding of zeros, where minus infinity belongs."""
    pads = tuple(attribute(node, "pads", ()))
    if not any(pads) or len(node.outputs) > 1 or not _padding_read(node, facts):
        return
    producer = node.inputs[0].producer() if node.inputs[0] is not None else None
    if producer is not None and producer.op_type in POSITIVE:
        return  # zero is the smallest value: as good as minus infinity
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
