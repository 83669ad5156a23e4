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


HANDLERS: dict[str, tuple[Any, list[Any]]] = {"Erfc": (erfc, [])}
