"""Products that are split into heads: ``y[..., h, d] = sum_i x[..., i] w[i, h, d] + b[h, d]``.

Keras' `EinsumDense`, and with it its attention, splits the result and adds the bias then. Added
before the split, it is the bias of a dense layer: ``(x w)[..., h * d] + b[h * d]``, split.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir

from converter.graph.structure.rules import matching
from converter.graph.structure.rules.matching import either, made_by
from converter.graph.structure.sizes import dims
from converter.rebuild.graph_values import role_of


def recover(node: ir.Node) -> bool:
    """Put the addition of a bias in front of a split into heads; tell whether it was behind one."""
    if made_by(node.outputs[0], "Add") is None:
        return False
    for split, bias in either(node):
        reshape = made_by(split, "Reshape")
        if reshape is None or not role_of(bias) or len(list(split.uses())) != 1:
            continue
        product, heads = reshape.inputs[0], dims(bias)
        if made_by(product, "MatMul") is None or not heads or len(heads) < 2 or None in heads:
            continue
        assert product is not None
        before, after = dims(product), dims(split)
        if not before or not after or after[-len(heads) :] != heads:
            continue
        if before[-1] != int(np.prod(heads)) or not _same(before[:-1], after[: -len(heads)]):
            continue
        width = matching.constant(np.array([-1]), "one_axis")
        flat = ir.node("Reshape", [bias, width.outputs[0]])
        total = ir.node("Add", [product, flat.outputs[0]])
        again = ir.node("Reshape", [total.outputs[0], reshape.inputs[1]], reshape.attributes)
        new = [width, flat, total, again]
        matching.replace(node, node.outputs[0], new, again.outputs[0])
        return True
    return False


def _same(before: tuple[Any, ...], after: tuple[Any, ...]) -> bool:
    """Tell whether sizes are the same; one open size follows from the number of elements."""
    if len(before) != len(after):
        return False
    other = [pair for pair in zip(before, after, strict=True) if pair[0] != pair[1]]
    return not other or (len(other) == 1 and not any(isinstance(size, int) for size in other[0]))
