"""Tensors of another type, and tensors that are made."""

from __future__ import annotations

import onnx_ir as ir
import sympy

from converter.source.expressions import Text, call, number
from converter.source.keras.dtypes import WORDS, word
from converter.source.keras.operators.table import spells
from converter.source.view import View


@spells("Cast", since=6)
def _cast(view: View) -> Text | None:
    dtype = ir.DataType(view.attribute("to", 1))
    if dtype not in WORDS or view.is_from_float_to_integer():
        return None
    if view.is_number(0):
        return call("ops.convert_to_tensor", view.arg(0), word(dtype))
    return call("ops.cast", view.tensor(0), word(dtype))


@spells("Range", since=11)
def _range(view: View) -> Text | None:
    start, limit, step = (view.number(index) for index in range(3))
    if start is None or limit is None or step is None:
        return None
    dtype = word(view.dtype_of_output())
    start, limit, step = (
        sympy.nsimplify(item) if hasattr(item, "free_symbols") else item
        for item in (start, limit, step)
    )
    arguments = [view.size(start), view.size(limit), view.size(step)]
    if step == 1:
        arguments.pop()
        if start == 0:
            arguments = arguments[1:]
    return call("ops.arange", *arguments, dtype=dtype)


@spells("ConstantOfShape", since=9)
def _filled(view: View) -> Text | None:
    shape = view.number(0)
    if not isinstance(shape, tuple):
        return None
    fill = view.attribute("value", None)
    value = 0.0 if fill is None else fill.reshape(()).item()
    sizes, dtype = view.sizes(shape), word(view.dtype_of_output())
    literal = number(value, single=view.dtype_of_output() == ir.DataType.FLOAT)
    if not value:
        return call("ops.zeros", sizes, dtype)
    return call("ops.full", sizes, Text(literal), dtype)
