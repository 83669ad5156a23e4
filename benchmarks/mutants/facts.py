"""What is known of a graph's values: shapes, dtypes, and the content of what is constant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import onnx_ir as ir

SMALL = 64
"""Integers of up to this many elements are kept: shapes, and what a trace might freeze."""


@dataclass
class Facts:
    """Facts of one graph, by the names of its values.

    Attributes:
        shapes: as seen in one run.
        dtypes: likewise.
        constants: content of what depends on no input of the graph.
        frozen: content of small integers that do depend on one, in that run.
        bounds: smallest and largest valid value of integer inputs, where they are known.
        spans: what `benchmarks.mutants.spans` has found out already.
    """

    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    dtypes: dict[str, str] = field(default_factory=dict)
    constants: dict[str, np.ndarray] = field(default_factory=dict)
    frozen: dict[str, np.ndarray] = field(default_factory=dict)
    bounds: dict[str, tuple[int, int]] = field(default_factory=dict)
    spans: dict[str, tuple[int, int] | None] = field(default_factory=dict)

    def rank(self, value: ir.Value | None) -> int:
        """Return how many axes a value has; -1: not known."""
        return len(self.shape(value)) if self.known(value) else -1

    def known(self, value: ir.Value | None) -> bool:
        """Tell whether a value's shape was seen."""
        return value is not None and value.name in self.shapes

    def shape(self, value: ir.Value | None) -> tuple[int, ...]:
        """Return the shape that a value had, ``()`` if it was not seen."""
        return self.shapes.get(value.name or "", ()) if value is not None else ()

    def dtype(self, value: ir.Value | None) -> str:
        """Return the dtype, ``""`` if it was not seen."""
        return self.dtypes.get(value.name or "", "") if value is not None else ""

    def constant(self, value: ir.Value | None) -> np.ndarray | None:
        """Return the content of a value that no input reaches."""
        return self.constants.get(value.name or "") if value is not None else None

    def content_read(self, value: ir.Value) -> bool:
        """Tell whether anything reads more of a value than its shape or dtype."""
        read = [
            reader.op_type not in ("Shape", "Size") and (reader.op_type, index) != ("CastLike", 1)
            for reader, index in value.uses()
        ]
        return any(read) or value.is_graph_output()

    def weight(self, value: ir.Value | None) -> np.ndarray | None:
        """Return the content of a float initializer of the graph."""
        if value is None or not value.is_initializer():
            return None
        array = self.constant(value)
        return array if array is not None and array.dtype.kind == "f" else None


def observe(model: ir.Model, inputs: Mapping[str, np.ndarray]) -> Facts:
    """Run a graph once in ONNX Runtime and note what every value of it is.

    Args:
        inputs: arrays by input name.
    """
    import onnxruntime

    shown = model.clone()
    graph = shown.graph
    outputs = {value.name for value in graph.outputs}
    for node in graph:
        for value in node.outputs:
            if value.name and value.name not in outputs and value.uses():
                graph.outputs.append(value)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(
        ir.serde.serialize_model(shown).SerializeToString(),
        options,
        providers=["CPUExecutionProvider"],
    )
    names = [value.name for value in session.get_outputs()]
    arrays = dict(zip(names, session.run(names, dict(inputs)), strict=True))
    arrays.update(inputs)
    facts = Facts()
    fixed = _fixed(model.graph)
    for name, value in model.graph.initializers.items():
        if value.const_value is not None:
            arrays[name] = value.const_value.numpy()
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray):  # a sequence
            continue
        facts.shapes[name], facts.dtypes[name] = array.shape, str(array.dtype)
        if name in fixed:
            facts.constants[name] = array
        elif array.dtype.kind == "i" and array.size <= SMALL:
            facts.frozen[name] = array
    return facts


def _fixed(graph: ir.Graph) -> set[str]:
    """Return the names of what depends on no input and on no random number."""
    fixed = set(graph.initializers)
    for node in graph:
        if any(a.type == ir.AttributeType.GRAPH for a in node.attributes.values()):
            continue
        if node.op_type.startswith("Random") or node.op_type == "Bernoulli":
            continue
        # Of its second input CastLike reads the dtype alone.
        inputs = node.inputs[:1] if node.op_type == "CastLike" else node.inputs
        if all(value is None or value.name in fixed for value in inputs):
            fixed.update(value.name for value in node.outputs if value.name)
    return fixed
