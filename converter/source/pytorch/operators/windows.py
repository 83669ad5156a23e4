"""Convolutions without weights of their own, and pooling."""

from __future__ import annotations

from typing import Any

from converter.graph.structure.layers import short
from converter.source.expressions import Text, call, method
from converter.source.pytorch.operators.table import spells
from converter.source.view import View


@spells("Conv", since=1)
def _conv(view: View) -> Text | None:
    rank = (view.rank(0) or 0) - 2
    pads = view.attribute("pads", (0,) * 2 * rank)
    if rank not in (1, 2, 3) or view.attribute("auto_pad", "NOTSET") != "NOTSET":
        return None
    if pads[:rank] != pads[rank:]:
        return None
    keywords: dict[str, Any] = {}
    for word, given in (
        ("stride", view.attribute("strides", (1,) * rank)),
        ("dilation", view.attribute("dilations", (1,) * rank)),
    ):
        if set(given) != {1}:
            keywords[word] = view.literal(short(given))
    if any(pads):
        keywords["padding"] = view.literal(short(pads[:rank]))
    if view.attribute("group", 1) != 1:
        keywords["groups"] = view.literal(view.attribute("group", 1))
    operands = [view.tensor(index) for index in range(len(view.node.inputs))]
    return call(f"F.conv{rank}d", *operands, **keywords)


def _pooled(view: View, function: str) -> Text | None:
    rank = (view.rank(0) or 0) - 2
    kernel = view.attribute("kernel_shape", ())
    pads = view.attribute("pads", (0,) * 2 * rank)
    if rank not in (1, 2, 3) or len(view.wanted()) > 1 or pads[:rank] != pads[rank:]:
        return None
    if view.attribute("auto_pad", "NOTSET") != "NOTSET":
        return None
    if any(2 * pad > size for pad, size in zip(pads, kernel, strict=False)):
        return None
    strides = view.attribute("strides", (1,) * rank)
    dilations = view.attribute("dilations", (1,) * rank)
    keywords: dict[str, Any] = {}
    if strides != kernel:
        keywords["stride"] = view.literal(short(strides))
    if any(pads):
        keywords["padding"] = view.literal(short(pads[:rank]))
    if set(dilations) != {1}:
        if function == "avg_pool":
            return None
        keywords["dilation"] = view.literal(short(dilations))
    if view.attribute("ceil_mode", 0):
        if function == "avg_pool":
            return None
        keywords["ceil_mode"] = "True"
    if function == "avg_pool" and any(pads) and not view.attribute("count_include_pad", 0):
        keywords["count_include_pad"] = "False"
    return call(f"F.{function}{rank}d", view.tensor(0), view.literal(short(kernel)), **keywords)


@spells("MaxPool", since=1)
def _max_pool(view: View) -> Text | None:
    return _pooled(view, "max_pool")


@spells("AveragePool", since=7)
def _average_pool(view: View) -> Text | None:
    return _pooled(view, "avg_pool")


@spells("GlobalAveragePool", "GlobalMaxPool", since=1)
def _global_pool(view: View) -> Text | None:
    rank = view.rank(0)
    if rank is None:
        return None
    name = "mean" if view.node.op_type == "GlobalAveragePool" else "amax"
    axes = view.literal(tuple(range(2, rank)))
    return method(view.tensor(0), name, axes, keepdim=True)
