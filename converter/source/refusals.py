"""What no language has words for yet is refused before any work."""

from __future__ import annotations

import onnx_ir as ir

from converter.graph.state import buffers
from converter.source.errors import NotWritable


def refuse(model: ir.Model) -> None:
    """Refuse a graph that keeps state between calls.

    Raises:
        NotWritable: names the buffers.
    """
    kept = [value.name or "" for value in buffers(model).values()]
    if kept:
        raise NotWritable(f"it keeps state from call to call ({', '.join(kept[:3])})")
