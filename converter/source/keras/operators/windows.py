"""Pooling, and convolutions whose kernel is computed; channels are the last axis."""

from __future__ import annotations

from converter.graph.structure.layers import short
from converter.source.expressions import SUM, Text, call, infix, number
from converter.source.keras.operators.table import last
from converter.source.view import View


@last("MaxPool", since=1)
def _max_pool(view: View) -> Text | None:
    return _pooled(view, "max_pool")


@last("AveragePool", since=1)
def _average_pool(view: View) -> Text | None:
    return _pooled(view, "average_pool")


@last("Conv", since=1)
def _conv(view: View) -> Text | None:
    rank = (view.rank(0) or 0) - 2
    flat = view.attribute("pads", (0,) * 2 * rank)
    strides, widths = (view.attribute(n, (1,) * rank) for n in ("strides", "dilations"))
    if rank not in (1, 2, 3) or view.attribute("auto_pad", "NOTSET") != "NOTSET":
        return None
    if set(strides) != {1} and set(widths) != {1}:
        return None
    value, kernel = view.tensor(0), view.tensor(1)
    if any(flat):
        amounts = ((0, 0), *zip(flat[:rank], flat[rank:], strict=True), (0, 0))
        value = call("ops.pad", value, number(amounts))
    keywords = {}
    if set(strides) != {1}:
        keywords["strides"] = number(short(strides))
    if set(widths) != {1}:
        keywords["dilation_rate"] = number(short(widths))
    made = call("ops.conv", value, kernel, **keywords)
    return infix("+", SUM, made, view.tensor(2)) if view.has(2) else made


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
    # JAX's backend has no default for the strides.
    return call(f"ops.{function}", value, number(short(kernel)), number(short(strides)))
