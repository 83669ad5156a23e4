"""A tensor that is split into a sequence, of which each use takes one piece: `Split`."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from converter.graph.structure.rules.matching import constant, numbers


def recover(node: ir.Node) -> bool:
    """Put one `Split` in the place of a `SplitToSequence`; tell whether it was one.

    The pieces have a size that is known, and so has the axis; each use is a `SequenceAt` of a
    piece that is known, and each takes another one.
    """
    if node.op_type != "SplitToSequence" or len(node.inputs) < 2:
        return False
    if node.outputs[0].is_graph_output():
        return False
    sizes = _sizes(node)
    takers = [taker for taker, _ in node.outputs[0].uses()]
    places = [numbers(taker.inputs[1]) for taker in takers if taker.op_type == "SequenceAt"]
    if sizes is None or len(places) != len(takers) or None in places:
        return False
    wanted = [place[0] for place in places if place]
    if any(not -len(sizes) <= place < len(sizes) for place in wanted):
        return False
    if len({place % len(sizes) for place in wanted}) != len(takers):
        return False
    graph = node.graph
    assert graph is not None
    counts = constant(np.array(sizes, np.int64), "sizes")
    axis = node.attributes.get("axis")
    split = ir.node(
        "Split", [node.inputs[0], counts.outputs[0]], {"axis": axis.as_int() if axis else 0},
        num_outputs=len(sizes),
    )  # fmt: skip
    split.metadata_props.update(node.metadata_props)
    graph.insert_before(node, [counts, split])
    for taker, place in zip(takers, wanted, strict=True):
        piece, old = split.outputs[place], taker.outputs[0]
        name, shape, kind = old.name, old.shape, old.type
        old.replace_all_uses_with(piece, replace_graph_outputs=True)
        graph.remove(taker, safe=True)
        piece.name, piece.shape, piece.type = name, shape, kind
    graph.remove(node, safe=True)
    return True


def _sizes(node: ir.Node) -> tuple[int, ...] | None:
    """Return the sizes of the pieces, ``None`` where they are not known."""
    value, given = node.inputs[0], numbers(node.inputs[1])
    keep = node.attributes.get("keepdims")
    axis = node.attributes.get("axis")
    if (
        value is None
        or value.shape is None
        or not given
        or (keep is not None and not keep.as_int())
    ):
        return None
    shape = node.inputs[1].shape if node.inputs[1] is not None else None
    whole = value.shape[axis.as_int() if axis else 0]
    if shape is None or not isinstance(whole, int):
        return None
    if len(shape):
        return given
    full, rest = divmod(whole, given[0])
    return (given[0],) * full + ((rest,) if rest else ())
