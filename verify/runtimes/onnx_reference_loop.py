"""ONNX's `Loop` for the reference evaluator, whose own joins what it should stack."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx.reference.ops import op_loop


class Loop(op_loop.Loop):
    """Runs a body again and again; the evaluator finds the class by its name.

    The evaluator's own one puts the rows that an iteration gives one behind the other
    (``np.vstack``), and fails where there is no iteration. The standard stacks them along a new
    first axis.
    """

    body: Any
    _run_body: Any

    def _run(
        self, M: Any, cond: Any, *args: Any, context: Any = None, body: Any = None,
        attributes: Any = None, bindings: Any = None,
    ) -> tuple[Any, ...]:  # fmt: skip
        names, state = self.body.input_names, list(args)
        rows: list[list[Any]] = []
        going, step = cond is None or bool(cond), 0
        while going and (M is None or step < M):
            given = [np.array(step, np.int64), np.array(going), *state]
            feed = {**(context or {}), **dict(zip(names, given, strict=True))}
            again, *results = self._run_body(feed, attributes=attributes, bindings=bindings)
            state, going, step = results[: self.N], bool(again), step + 1
            rows.append(results[self.N :])
        outputs = self.body.proto_.output[1 + self.N :]
        stacked = [
            np.stack([row[index] for row in rows]) if rows else _nothing(output)
            for index, output in enumerate(outputs)
        ]
        return self._check_and_fix_outputs((*state, *stacked))


def _nothing(output: onnx.ValueInfoProto) -> np.ndarray:
    """Return what no iteration stacks, as far as the body says its rank and type."""
    tensor = output.type.tensor_type
    sizes = [dim.dim_value for dim in tensor.shape.dim]
    dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type or onnx.TensorProto.FLOAT)
    return np.zeros((0, *sizes), dtype)
