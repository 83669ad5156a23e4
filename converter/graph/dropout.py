"""Dropout: nothing in inference, and yet a part of the model for whoever trains it.

A trace keeps it as ONNX's ``Dropout`` without ``training_mode``, which gives its input back. What
kind it is stands in the node's metadata, because ONNX has one kind only.
"""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from converter.graph.clean import clean
from converter.graph.constants import constant_of

KIND = "equiport.dropout"
"""Property of a node: one of `KINDS`."""

ELEMENTS, CHANNELS, ALPHA, CHANNELS_ALPHA = "elements", "channels", "alpha", "channels_alpha"
GAUSSIAN, NOISE = "gaussian", "noise"

AXIS = "equiport.dropout_axis"
"""Property of a node that drops channels: their axis, 1 where it is not said."""

BY_CHANNELS = frozenset({CHANNELS, CHANNELS_ALPHA})

KINDS = {
    ELEMENTS: "dropout",
    CHANNELS: "dropout of channels",
    ALPHA: "alpha dropout",
    CHANNELS_ALPHA: "alpha dropout of channels",
    GAUSSIAN: "Gaussian dropout",
    NOISE: "Gaussian noise",
}
"""What each kind is called. In training, with the rate p:

- dropout makes an element 0 with probability p and divides the others by 1 - p (Srivastava et al.
  2014); of channels, a whole channel of a row at once;
- alpha dropout keeps mean and variance of what went through SELU (Klambauer et al. 2017);
- Gaussian dropout multiplies by a normal number of mean 1 and variance p / (1 - p);
- Gaussian noise adds a normal number of mean 0 and standard deviation p.
"""


def kind_of(node: ir.Node) -> str | None:
    """Return the kind of a dropout that follows the model's mode; ``None`` for any other node."""
    if node.op_type != "Dropout" or node.domain not in ("", "ai.onnx"):
        return None
    if len(node.inputs) > 2 and node.inputs[2] is not None:  # its mode is the graph's own
        return None
    if len(node.outputs) > 1 and node.outputs[1].uses():
        return None
    return node.metadata_props.get(KIND, ELEMENTS)


def rate_of(node: ir.Node) -> float:
    """Return a dropout's rate; ONNX's own default is one half."""
    ratio = constant_of(node.inputs[1]) if len(node.inputs) > 1 else None
    return 0.5 if ratio is None else float(str(ratio.reshape(())))


def axis_of(node: ir.Node) -> int:
    """Return the axis of the channels, counted from the front."""
    axis, shape = int(node.metadata_props.get(AXIS, "1")), node.inputs[0].shape  # type: ignore[union-attr]
    return axis + len(shape) if axis < 0 and shape is not None else axis


def transposed(node: ir.Node, permutation: Sequence[int]) -> bool:
    """Let a dropout take its input as it was before a transposition; in place.

    Returns:
        Whether it can: a row has to stay a row.
    """
    if kind_of(node) in BY_CHANNELS:
        if permutation[0]:
            return False
        node.metadata_props[AXIS] = str(permutation[axis_of(node)])
    return True


def drop_dropout(model: ir.Model) -> ir.Model:
    """Take out what does nothing in inference; in place."""
    for node in model.graph.all_nodes():
        if kind_of(node) is not None:
            node.op_type, node.domain = "Identity", ""
            node.resize_inputs(1)
            node.resize_outputs(1)
    return clean(model)
