"""Tensors of another type, and tensors that are made."""

from __future__ import annotations

import onnx_ir as ir
import sympy

from converter.source.expressions import Text, call, method, number
from converter.source.pytorch.dtypes import WORDS, word
from converter.source.pytorch.operators.table import spells
from converter.source.view import View


@spells("Cast", since=6)
def _cast(view: View) -> Text | None:
    dtype = WORDS.get(ir.DataType(view.attribute("to", 1)))
    if dtype is None or view.is_from_float_to_integer():
        return None
    if view.is_number(0):
        return call("torch.tensor", view.arg(0), dtype=dtype, device=view.device())
    return method(view.tensor(0), "to", dtype)


@spells("Range", since=11)
def _range(view: View) -> Text | None:
    start, limit, step = (view.number(index) for index in range(3))
    dtype = word(view.dtype_of_output())
    if start is None or limit is None or step is None:
        return _counted(view, dtype) if view.dtype_of_output() in _INTEGERS else None
    start, limit, step = (
        sympy.nsimplify(item) if hasattr(item, "free_symbols") else item
        for item in (start, limit, step)
    )
    arguments = [view.size(start), view.size(limit), view.size(step)]
    if step == 1:
        arguments.pop()
        if start == 0:
            arguments = arguments[1:]
    device = view.device()
    return call(
        "torch.arange", *arguments, dtype=None if dtype == "torch.int64" else dtype, device=device
    )


_INTEGERS = (ir.DataType.INT32, ir.DataType.INT64)


def _counted(view: View, dtype: str) -> Text | None:
    """Return 0, 1, 2, ... up to a number that only a run tells; below 0 there are none."""
    if view.number(0) != 0 or view.number(2) != 1:
        return None
    limit = call("max", call("int", view.tensor(1)), Text("0"))
    return call(
        "torch.arange", limit, dtype=None if dtype == "torch.int64" else dtype, device=view.device()
    )


@spells("ConstantOfShape", since=9)
def _filled(view: View) -> Text | None:
    shape = view.number(0)
    if not isinstance(shape, tuple):
        return None
    fill = view.attribute("value", None)
    value = 0.0 if fill is None else fill.reshape(()).item()
    sizes, dtype, device = view.sizes(shape), word(view.dtype_of_output()), view.device()
    dtype_or_default = None if dtype == "torch.float32" else dtype
    literal = number(value, single=view.dtype_of_output() == ir.DataType.FLOAT)
    if not value:
        return call("torch.zeros", sizes, dtype=dtype_or_default, device=device)
    return call("torch.full", sizes, Text(literal), dtype=dtype, device=device)
