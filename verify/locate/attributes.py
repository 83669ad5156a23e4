"""Float attributes that the reference has not got, moved by their rounding.

A constant that is exact inside of one operator is an attribute in float32 where that is written
out: the sixth of HardSwish is, as the alpha of a HardSigmoid, off by 3e-8.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import onnx_ir as ir

ROUNDING = 2.0**-24
"""Half a unit in the last place of float32, relative: what ONNX keeps of an attribute."""


WRITTEN_OUT = ("HardSigmoid",)
"""Operators that stand for a part of another one; the reference may have them beside it."""


@contextmanager
def moved_attributes(node: ir.Node, reference: Iterable[ir.Node]) -> Iterator[bool]:
    """While it is entered, a node's float attributes are up by one rounding; gives whether any is.

    One that a node of the same operator in the reference has just so stays as it is, unless that
    operator is what others are written out with.
    """
    own = {
        name: attribute for name, attribute in node.attributes.items()
        if attribute.type == ir.AttributeType.FLOAT and attribute.value
    }  # fmt: skip
    for other in reference if own and node.op_type not in WRITTEN_OUT else ():
        if other.op_type == node.op_type:
            for name, attribute in list(own.items()):
                theirs = other.attributes.get(name)
                if theirs is not None and theirs.value == attribute.value:
                    del own[name]
    for name, attribute in own.items():
        up = attribute.as_float() * (1 + ROUNDING)
        node.attributes[name] = ir.Attr(name, ir.AttributeType.FLOAT, up)
    try:
        yield bool(own)
    finally:
        node.attributes.update(own)
