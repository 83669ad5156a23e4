"""Python's numbers keep the digits that float64 has."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

DOUBLE = 11


@contextmanager
def in_double_precision() -> Iterator[None]:
    """Write a number that becomes float64 as float64.

    torch.onnx writes each number as float32 and casts it then, so ``x + 0.1`` was off by 1.5e-9.
    """
    import onnx_ir as ir
    from torch.onnx._internal.exporter import _building

    recorder = _building.OpRecorder
    evaluate = recorder.eval

    def kept(self: Any, schema: Any, args: Any, attributes: Any) -> Any:
        if schema.name in ("Cast", "CastLike") and args and type(args[0]) is float:
            wanted = attributes.get("to") if len(args) == 1 else getattr(args[1], "dtype", None)
            if wanted == DOUBLE:
                value = ir.tensor(args[0], dtype=ir.DataType.DOUBLE)
                args = [self.opset.Constant(value=value), *args[1:]]
        return evaluate(self, schema, args, attributes)

    with mock.patch.object(recorder, "eval", kept):
        yield
