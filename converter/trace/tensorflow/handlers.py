"""Translations that tf2onnx lacks, in the form it takes: ``(ctx, node, name, args)``."""

from __future__ import annotations

from typing import Any

import numpy as np


def erfc(ctx: Any, node: Any, name: str, args: Any) -> None:
    """``erfc(x) = 1 - erf(x)``."""
    dtype = ctx.get_dtype(node.output[0])
    shape = ctx.get_shape(node.output[0])
    from tf2onnx import utils

    source = node.input[0]
    ctx.remove_node(node.name)
    erf = ctx.make_node("Erf", [source], dtypes=[dtype], shapes=[shape])
    one = ctx.make_const(utils.make_name("one"), np.array(1, utils.map_onnx_to_numpy_type(dtype)))
    ctx.make_node(
        "Sub",
        [one.output[0], erf.output[0]],
        name=node.name,
        outputs=node.output,
        dtypes=[dtype],
        shapes=[shape],
    )


def broadcast_args(ctx: Any, node: Any, name: str, args: Any) -> None:
    """Broadcast two shapes: ones before the shorter, then the size that is not 1 on each axis."""
    from onnx import TensorProto, helper
    from tf2onnx import utils

    dtype, outputs = ctx.get_dtype(node.output[0]), node.output
    sources = list(node.input)
    ctx.remove_node(node.name)
    kind = utils.map_onnx_to_numpy_type(dtype)
    ranks = [ctx.make_node("Shape", [source]).output[0] for source in sources]
    rank = ctx.make_node("Max", ranks).output[0]
    one = helper.make_tensor("one", dtype, [1], np.array([1], kind))
    padded = []
    for source, own in zip(sources, ranks, strict=True):
        missing = ctx.make_node("Sub", [rank, own], dtypes=[TensorProto.INT64])
        ones = ctx.make_node(
            "ConstantOfShape", [missing.output[0]], attr={"value": one}, dtypes=[dtype]
        )
        whole = ctx.make_node("Concat", [ones.output[0], source], attr={"axis": 0}, dtypes=[dtype])
        padded.append(whole.output[0])
    single = ctx.make_const(utils.make_name("one"), np.array([1], kind)).output[0]
    open_ = ctx.make_node("Equal", [padded[0], single], dtypes=[TensorProto.BOOL]).output[0]
    ctx.make_node(
        "Where", [open_, padded[1], padded[0]], name=node.name, outputs=outputs, dtypes=[dtype]
    )


HANDLERS: dict[str, tuple[Any, list[Any]]] = {
    "BroadcastArgs": (broadcast_args, []),
    "Erfc": (erfc, []),
}
