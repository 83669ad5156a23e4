"""Run one ONNX node on arrays, with ONNX's own reference implementation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import helper


def evaluated(
    node: onnx.NodeProto, operands: Sequence[np.ndarray | None], opset: int
) -> tuple[np.ndarray, ...]:
    """Return what a node makes of arrays; a missing optional input is ``None``.

    The names in ``node`` do not count. An error is the reference's own.
    """
    from onnx.reference import ReferenceEvaluator

    alone = onnx.NodeProto()
    alone.CopyFrom(node)
    names = [f"in_{index}" if array is not None else "" for index, array in enumerate(operands)]
    results = [f"out_{index}" for index in range(len(node.output))]
    del alone.input[:], alone.output[:]
    alone.input.extend(names)
    alone.output.extend(results)
    given = {name: array for name, array in zip(names, operands, strict=True) if array is not None}
    inputs = [
        helper.make_tensor_value_info(
            name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape
        )
        for name, array in given.items()
    ]
    outputs = [onnx.ValueInfoProto(name=name) for name in results]
    graph = helper.make_graph([alone], "node", inputs, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    return tuple(np.asarray(item) for item in ReferenceEvaluator(model).run(None, given))
