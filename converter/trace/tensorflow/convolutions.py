"""What tf2onnx gets wrong about convolutions, put right in its graph."""

from __future__ import annotations

from typing import Any


def repair_convolutions(graph: Any) -> None:
    """Put groups and paddings right; in place.

    Args:
        graph: of tf2onnx, with ONNX's operators in it.
    """
    for node in graph.get_nodes():
        if node.type == "Conv":
            count_groups(graph, node)
        elif node.type == "ConvTranspose":
            grow_at_the_end(node)


def count_groups(graph: Any, node: Any) -> None:
    """Count the groups of a convolution over three axes: tf2onnx knows two-dimensional layouts.

    The filter is ``[channels out, channels in / groups, ...]``.
    """
    data, filters = (graph.get_shape(name) for name in node.input[:2])
    if not data or not filters or data[1] <= 0 or filters[1] <= 0:
        return
    node.set_attr("group", data[1] // filters[1])


def grow_at_the_end(node: Any) -> None:
    """Let a transposed convolution grow at its end alone.

    Where the stride is larger than the filter, or more is asked for than the filter reaches,
    TensorFlow adds the rest at the end. tf2onnx halves it, and the values move.
    """
    pads = node.get_attr_value("pads")
    if not pads:
        return
    half = len(pads) // 2
    begins, ends = list(pads[:half]), list(pads[half:])
    for axis, begin in enumerate(begins):
        if begin < 0:
            begins[axis], ends[axis] = 0, ends[axis] + begin
    node.set_attr("pads", begins + ends)
