"""The weights of an ONNX graph: its initializers, mapped where the file is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from converter.trace.onnx import is_weight
from verify.proof.held import Holding, weight_of

if TYPE_CHECKING:
    import onnx_ir as ir

    from converter.formats import Source


def held(source: Source) -> Holding:
    """Read the initializers; roles and permutations are what the graph says of them."""
    return of_graph(source.model)


def of_graph(model: ir.Model) -> Holding:
    """Read the initializers of a graph."""
    holding, stored = Holding(), {}
    marked = any("equiport.role" in v.metadata_props for v in model.graph.initializers.values())
    for name, value in model.graph.initializers.items():
        tensor = value.const_value
        if tensor is None or tensor.dtype.name in ("STRING", "UNDEFINED"):
            continue
        role = value.metadata_props.get("equiport.role", "")
        if not marked and is_weight(value):
            role = "parameter"
        holding.weights[name] = weight_of(name, tensor.numpy(), role)
        if order := value.metadata_props.get("equiport.permutation"):
            stored[name] = tuple(map(int, order.split(",")))
    if marked:
        holding.permutations = stored
    return holding
