"""Reductions."""

from __future__ import annotations

import onnx_ir as ir

from converter.source.expressions import Text, call, method
from converter.source.pytorch.dtypes import word
from converter.source.pytorch.operators.table import spells
from converter.source.view import View

_REDUCTIONS = {"ReduceMean": "mean", "ReduceSum": "sum", "ReduceMax": "amax", "ReduceMin": "amin"}


def _extreme(view: View, name: str, axes: tuple[int, ...]) -> Text:
    """Return the largest or smallest element, of nothing the limit of the type, as in ONNX."""
    from converter.rebuild.pytorch import reduction

    function = view.body.language.function(getattr(reduction, name))
    keep = Text(str(bool(view.attribute("keepdims", 1))))
    return call(function, view.tensor(0), view.literal(tuple(axes)), keep)


@spells(*_REDUCTIONS, since=1)
def _reduce(view: View) -> Text | None:
    given = view.attribute("axes", None)
    if given is None and view.has(1):
        given = view.number(1)
        if given is None:
            return None
    if not given:
        rank = view.rank(0)
        if view.attribute("noop_with_empty_axes", 0) or rank is None:
            return None
        given = tuple(range(rank))
    if not all(isinstance(axis, int) for axis in given) or view.dtype(0) is None:
        return None
    name = _REDUCTIONS[view.node.op_type]
    if name == "mean" and not view.is_float(0):
        return None
    if name in ("amax", "amin") and view.may_be_empty(0, given):
        return _extreme(view, name, given)
    axes = given[0] if len(given) == 1 else view.literal(tuple(given))
    # PyTorch adds integers up in 64 bits.
    wider = name == "sum" and not view.is_float(0) and view.dtype_of_output() != ir.DataType.INT64
    return method(
        view.tensor(0), name, axes, keepdim=True if view.attribute("keepdims", 1) else None,
        dtype=word(view.dtype_of_output()) if wider else None,
    )  # fmt: skip


@spells("ReduceL2", "ReduceL1", since=1)
def _norm(view: View) -> Text | None:
    given = view.number(1) if view.has(1) else None
    given = view.attribute("axes", given)
    if not given or not view.is_float(0):
        return None
    order = {"ReduceL2": None, "ReduceL1": 1}[view.node.op_type]
    axes = given[0] if len(given) == 1 else view.literal(tuple(given))
    keep = True if view.attribute("keepdims", 1) else None
    function = "torch.linalg.vector_norm"
    return call(function, view.tensor(0), ord=order, dim=axes, keepdim=keep)
