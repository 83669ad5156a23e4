"""What no language has words for yet is refused before any work."""

from __future__ import annotations

import onnx_ir as ir

from converter.graph.state import buffers
from converter.rebuild.prepare import plain_domain, version_of
from converter.source.errors import NotWritable


def refuse(model: ir.Model) -> None:
    """Refuse a graph that keeps state between calls, and scans that go through batches, too.

    Raises:
        NotWritable: names the buffers, or the node.
    """
    for node in model.graph.all_nodes():
        if node.op_type == "Scan" and not plain_domain(node.domain) and version_of(node, model) < 9:
            raise NotWritable(f"{node.name or node.outputs[0].name} is a Scan of opset 8")
    kept = [value.name or "" for value in buffers(model).values()]
    if kept:
        raise NotWritable(f"it keeps state from call to call ({', '.join(kept[:3])})")
