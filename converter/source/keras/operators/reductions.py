"""Reductions."""

from __future__ import annotations

import onnx_ir as ir

from converter.source.expressions import Text, call
from converter.source.keras.operators.table import spells
from converter.source.view import View

_REDUCTIONS = {"ReduceMean": "mean", "ReduceSum": "sum", "ReduceMax": "max", "ReduceMin": "min"}


@spells(*_REDUCTIONS, since=1)
def _reduce(view: View) -> Text | None:
    axes = _axes(view)
    name = _REDUCTIONS[view.node.op_type]
    whole = name != "mean" and view.dtype(0) in (ir.DataType.INT64, ir.DataType.INT32)
    if axes is None or not (view.is_float(0) or whole):
        return None
    keep = True if view.attribute("keepdims", 1) else None
    return call(f"ops.{name}", view.tensor(0), axis=axes, keepdims=keep)


@spells("ReduceL2", "ReduceL1", since=1)
def _norm(view: View) -> Text | None:
    axes = _axes(view)
    if axes is None or not view.is_float(0):
        return None
    keep = True if view.attribute("keepdims", 1) else None
    if view.node.op_type == "ReduceL1":
        return call("ops.sum", call("ops.abs", view.tensor(0)), axis=axes, keepdims=keep)
    square = call("ops.sum", call("ops.square", view.tensor(0)), axis=axes, keepdims=keep)
    return call("ops.sqrt", square)


def _axes(view: View) -> int | Text | None:
    """Return the axes of a reduction as they are written, ``None`` where they are not known."""
    given, rank = view.attribute("axes", None), view.rank(0)
    if given is None and view.has(1):
        given = view.number(1)
        if given is None:
            return None
    if not given:
        if view.attribute("noop_with_empty_axes", 0) or rank is None:
            return None
        given = tuple(range(rank))
    if not all(isinstance(axis, int) for axis in given):
        return None
    return given[0] if len(given) == 1 else view.literal(tuple(given))


@spells("ArgMax", "ArgMin", since=11)
def _index(view: View) -> Text | None:
    if view.attribute("keepdims", 1) or view.attribute("select_last_index", 0):
        return None
    name = view.node.op_type.lower()
    found = call(f"ops.{name}", view.tensor(0), axis=view.attribute("axis", 0))
    return call("ops.cast", found, '"int64"')
