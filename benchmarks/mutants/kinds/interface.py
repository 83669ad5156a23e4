"""The inputs and outputs of a model."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx_ir as ir

from benchmarks.mutants.edit import before, put, redirect
from benchmarks.mutants.facts import Facts
from benchmarks.mutants.kind import Edit, kind


@kind("outputs: order")
def output_order(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """Two outputs of one dtype and rank are in each other's place."""
    value, graph = node.outputs[0], node.graph
    if not isinstance(graph, ir.Graph) or not graph.outputs or value is not graph.outputs[0]:
        return
    if not facts.known(value):  # of a body, whose outputs count by their order
        return
    for other in graph.outputs[1:]:
        same = facts.dtype(other) == facts.dtype(value)
        if same and facts.shape(other) == facts.shape(value):

            def change(rng: np.random.Generator, other=other) -> None:
                first, second = value.name, other.name
                value.name, other.name = "planted_output", first
                value.name = second

            yield Edit(change, rewires=True)
            return


@kind("output: dtype")
def output_dtype(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """An output comes in float64 or float16."""
    value = node.outputs[0]
    if not value.is_graph_output() or facts.dtype(value) != "float32":
        return
    for kind_of in (ir.DataType.DOUBLE, ir.DataType.FLOAT16):

        def change(rng: np.random.Generator, to=kind_of) -> None:
            last = [user for user, _ in value.uses()]
            assert node.graph is not None
            end = last[-1] if last else node
            made = ir.node("Cast", [value], {"to": int(to)})
            node.graph.insert_after(end, made)
            redirect(value, made.outputs[0])
            made.replace_input_with(0, value)
            made.outputs[0].type = ir.TensorType(to)

        yield Edit(change)


@kind("input: scaled")
def input_scaled(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """An input is normalised that is normalised already."""
    for index, value in enumerate(node.inputs):
        if value is None or not value.is_graph_input() or facts.dtype(value) != "float32":
            continue
        if node.op_type in ("Shape", "Size") or (node.op_type, index) == ("CastLike", 1):
            continue  # reads no content

        def change(rng: np.random.Generator, index=index, value=value) -> None:
            scaled = before(node, "Mul", [value, np.array(1 / 0.98, np.float32)])
            node.replace_input_with(index, scaled)

        yield Edit(change)


@kind("input: ignored", "Add", "Mul", "Concat", "Where", "And")
def input_ignored(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """What the node reads is what it was in the example with which the model was traced."""
    for index, value in enumerate(node.inputs):
        array = facts.frozen.get(value.name or "") if value is not None else None
        if array is not None and value is not None and facts.rank(value) > 1:
            yield Edit(lambda rng, i=index, a=array: put(node, i, a), lost=value)
