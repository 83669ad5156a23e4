"""A node computed in fewer bits."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx_ir as ir

from benchmarks.mutants.edit import before, put
from benchmarks.mutants.facts import Facts
from benchmarks.mutants.kind import Edit, kind

HEAVY = ("Conv", "MatMul", "Gemm", "LSTM", "GRU", "LayerNormalization", "Softmax", "Gelu",
         "BatchNormalization", "ConvTranspose", "Resize", "ReduceMean", "Sigmoid")  # fmt: skip


def _narrowed(node: ir.Node, narrow: ir.DataType) -> None:
    """Round the float activations that a node reads, and its result."""
    for index, value in enumerate(node.inputs[:1]):
        if value is not None:
            node.replace_input_with(index, _rounded(node, value, narrow))
    output = node.outputs[0]
    readers = list(output.uses())
    if output.is_graph_output() or not readers:
        return
    rounded = _rounded(readers[0][0], output, narrow)
    for reader, index in readers:
        reader.replace_input_with(index, rounded)


def _rounded(node: ir.Node, value: ir.Value, narrow: ir.DataType) -> ir.Value:
    small = before(node, "Cast", [value], to=int(narrow))
    return before(node, "Cast", [small], to=int(ir.DataType.FLOAT))


def _applies(node: ir.Node, facts: Facts) -> bool:
    return facts.dtype(node.inputs[0]) == "float32" and facts.constant(node.inputs[0]) is None


@kind("precision: float16 in the middle", *HEAVY)
def float16(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """What a node reads and gives goes through float16."""
    if _applies(node, facts):
        yield Edit(lambda rng: _narrowed(node, ir.DataType.FLOAT16))


@kind("precision: bfloat16 in the middle", *HEAVY)
def bfloat16(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """What a node reads and gives goes through bfloat16."""
    if _applies(node, facts):
        yield Edit(lambda rng: _narrowed(node, ir.DataType.BFLOAT16))


@kind("precision: a rounded constant", "Mul", "Add", "Sub", "Div", "Pow")
def rounded_constant(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """A constant was written down with three digits."""
    for index in (0, 1):
        value = node.inputs[index]
        array = facts.constant(value)
        if array is None or array.size != 1 or array.dtype != np.float32:
            continue
        number = float(array.reshape(-1)[0])
        short = float(f"{number:.2e}")
        computed = facts.constant(node.inputs[1 - index]) is None
        if computed and short != number and abs(short / number - 1) > 1e-5:
            rounded = np.full_like(array, short)
            yield Edit(lambda rng, i=index, a=rounded: put(node, i, a))


@kind("activation: quantised to int8", "Relu", "Conv", "MatMul", "Gemm")
def quantised(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """An activation is rounded to steps of 1/32, as quantisation left in a graph does."""
    if not _applies(node, facts):
        return

    def change(rng: np.random.Generator) -> None:
        step = np.array(1 / 32, np.float32)
        scaled = before(node, "Div", [node.inputs[0], step])
        whole = before(node, "Round", [scaled])
        node.replace_input_with(0, before(node, "Mul", [whole, step]))

    yield Edit(change)
