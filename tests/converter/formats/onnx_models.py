"""ONNX graphs of these tests."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir


def linear() -> ir.Model:
    """Build ``y = x @ kernel + bias`` with a dynamic batch."""
    weights = []
    for name, shape in (("kernel", (4, 3)), ("bias", (3,))):
        array = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
        weights.append(ir.val(name, const_value=ir.tensor(array, name=name)))
    x = ir.val("x", ir.DataType.FLOAT, ["batch", 4])
    product = ir.node("MatMul", [x, weights[0]])
    total = ir.node("Add", [product.outputs[0], weights[1]])
    product.outputs[0].name = "product"
    y = total.outputs[0]
    y.name, y.shape, y.type = "y", ir.Shape(["batch", 3]), ir.TensorType(ir.DataType.FLOAT)
    graph = ir.Graph(
        [x], [y], nodes=[product, total], initializers=weights, opset_imports={"": 20}, name="g"
    )
    return ir.Model(graph, ir_version=10)
