"""Pooling; channels are the last axis."""

from __future__ import annotations

from converter.graph.structure.layers import short
from converter.source.expressions import Text, call, number
from converter.source.keras.operators.table import last
from converter.source.view import View


@last("MaxPool", since=1)
def _max_pool(view: View) -> Text | None:
    return _pooled(view, "max_pool")


@last("AveragePool", since=1)
def _average_pool(view: View) -> Text | None:
    return _pooled(view, "average_pool")


def _pooled(view: View, function: str) -> Text | None:
    rank = (view.rank(0) or 0) - 2
    kernel = view.attribute("kernel_shape", ())
    flat = view.attribute("pads", (0,) * 2 * rank)
    if rank not in (1, 2, 3) or view.attribute("auto_pad", "NOTSET") != "NOTSET":
        return None
    if view.attribute("ceil_mode", 0) or set(view.attribute("dilations", (1,))) != {1}:
        return None
    value, padded = view.tensor(0), any(flat)
    if padded and function == "average_pool" and not view.attribute("count_include_pad", 0):
        return None
    if padded:
        amounts = ((0, 0), *zip(flat[:rank], flat[rank:], strict=True), (0, 0))
        least = 'float("-inf")' if function == "max_pool" else None
        value = call("ops.pad", value, number(amounts), constant_values=least)
    strides = view.attribute("strides", (1,) * rank)
    own = None if strides == kernel else number(short(strides))
    return call(f"ops.{function}", value, number(short(kernel)), strides=own)
