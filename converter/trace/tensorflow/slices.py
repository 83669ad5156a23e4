"""A slice whose ellipsis stands for no axis: tf2onnx puts new axes beside the wrong one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from converter.trace.tensorflow.writer import NotTranslated

_MASKS = ("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask")


def without_empty_ellipsis(translate: Callable[..., None]) -> Callable[..., None]:
    """Return tf2onnx's translation of `StridedSlice` behind one that drops such an ellipsis."""

    def translation(graph: Any, node: Any, **options: Any) -> None:
        drop_empty_ellipsis(graph, node)
        translate(graph, node, **options)

    return translation


def drop_empty_ellipsis(graph: Any, node: Any) -> None:
    """Take an ellipsis out of a slice that also makes axes, if it stands for none.

    Raises:
        NotTranslated: the bounds of such a slice are worked out while the model runs.
    """
    masks = {name: node.get_attr_value(name, 0) for name in _MASKS}
    ellipsis, made = masks["ellipsis_mask"], masks["new_axis_mask"] & ~masks["ellipsis_mask"]
    shape, parts = graph.get_shape(node.input[0]), graph.get_shape(node.input[3])
    if not ellipsis or not made or shape is None or parts is None:
        return
    if len(shape) != parts[0] - 1 - made.bit_count():
        return
    if not all(graph.is_const(name) for name in node.input[1:]):
        raise NotTranslated("its bounds are worked out while the model runs, beside an ellipsis")
    at = ellipsis.bit_length() - 1
    for index in (1, 2, 3):
        given = graph.get_tensor_value(node.input[index], as_list=False)
        constant = graph.make_const(f"{node.name}__bound{index}", np.delete(given, at))
        graph.replace_input(node, node.input[index], constant.output[0], index)
    for name, mask in masks.items():
        node.set_attr(name, (mask & ((1 << at) - 1)) | (mask >> (at + 1) << at))
