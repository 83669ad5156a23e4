"""The value of a constant, also where it is cast or reshaped before it is read."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from converter.graph.state import is_state

_SHAPED = frozenset({"Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze"})


def constant_of(value: ir.Value | None) -> np.ndarray | None:
    """Return a constant's elements; ``None`` where the value is computed or too large to look at.

    The shape is that of the constant, not what reshapes on the way have made of it.
    """
    kinds: list[np.dtype] = []
    while value is not None and not is_state(value):
        tensor = ir.convenience.get_const_tensor(value)
        if tensor is not None:
            if tensor.size > 1 << 20 or tensor.dtype == ir.DataType.STRING:
                return None
            array = tensor.numpy()
            for kind in reversed(kinds):
                array = array.astype(kind)
            return array
        node = value.producer()
        if node is None or not node.inputs:
            return None
        if node.op_type == "Cast":
            kinds.append(ir.DataType(node.attributes["to"].as_int()).numpy())
        elif node.op_type != "CastLike" and node.op_type not in _SHAPED:
            return None
        value = node.inputs[0]
    return None
