"""Weights that arrive altered, misplaced or not at all."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx_ir as ir

from benchmarks.mutants.edit import attribute, put, set_weight
from benchmarks.mutants.facts import Facts
from benchmarks.mutants.kind import Edit, kind

FEW = 8
"""Fewer elements than this are no tensor of weights."""


def weights_read_first(node: ir.Node, facts: Facts) -> Iterator[tuple[ir.Value, np.ndarray]]:
    """Give the float weights that no earlier node reads, so that each weight is one place."""
    for index, value in enumerate(node.inputs):
        array = facts.weight(value)
        if value is None or array is None or array.size < FEW:
            continue
        reader, first = value.uses()[0]
        if reader is node and first == index:
            yield value, array


@kind("weight: an element moved by a tenth of the deviation")
def element_moved(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """One element of a weight is off by a tenth of the tensor's standard deviation."""
    for value, array in weights_read_first(node, facts):
        if not array.std() > 0:
            continue

        def change(rng: np.random.Generator, value=value, array=array) -> None:
            altered = array.copy()
            altered.flat[rng.integers(array.size)] += 0.1 * array.std()
            set_weight(value, altered)

        yield Edit(change, value)


@kind("weight: stored in float16")
def rounded_to_float16(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """One tensor went through float16 on its way."""
    for value, array in weights_read_first(node, facts):
        rounded = array.astype(np.float16).astype(array.dtype)
        if not np.array_equal(rounded, array):
            yield Edit(lambda rng, v=value, a=rounded: set_weight(v, a), value)


@kind("weight: stored in bfloat16")
def rounded_to_bfloat16(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """One tensor went through bfloat16 on its way."""
    import ml_dtypes

    for value, array in weights_read_first(node, facts):
        rounded = array.astype(ml_dtypes.bfloat16).astype(array.dtype)
        if not np.array_equal(rounded, array):
            yield Edit(lambda rng, v=value, a=rounded: set_weight(v, a), value)


@kind("weight: stored in int8")
def rounded_to_int8(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """One tensor was quantised to eight bits, symmetrically and per tensor, and back."""
    for value, array in weights_read_first(node, facts):
        scale = np.abs(array).max() / 127
        if array.ndim < 2 or not scale > 0:
            continue
        rounded = (np.round(array / scale) * scale).astype(array.dtype)
        yield Edit(lambda rng, v=value, a=rounded: set_weight(v, a), value)


@kind("weight: rows read as columns")
def transposed(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """A matrix is read in column order: transposed where it is square."""
    for value, array in weights_read_first(node, facts):
        if array.ndim == 2 and min(array.shape) > 1:
            other = np.ascontiguousarray(array.T).reshape(array.shape)
            yield Edit(lambda rng, v=value, a=other: set_weight(v, a), value)


@kind("weight: two of one shape exchanged")
def exchanged(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """Two weights of the same shape are in each other's place, at one reader of the first."""
    for index, value in enumerate(node.inputs if node.op_type != "Shape" else ()):
        array = facts.weight(value)
        if value is None or array is None or array.size < FEW or value.uses()[0][0] is not node:
            continue
        assert value.graph is not None
        for other in value.graph.initializers.values():
            content = facts.weight(other)
            same = content is not None and other is not value and content.shape == array.shape
            if same and not np.array_equal(content, array):
                assert content is not None
                yield Edit(lambda rng, i=index, a=content: put(node, i, a))
                break


@kind("bias: an element zeroed", "Conv", "ConvTranspose", "Gemm", "Add", "LayerNormalization",
      "BatchNormalization", "LSTM", "GRU", "Reshape", "Slice")  # fmt: skip
def bias_element_zeroed(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """One element of a one-dimensional weight is zero."""
    for value, array in weights_read_first(node, facts):
        if array.ndim != 1 or not array.any():
            continue

        def change(rng: np.random.Generator, value=value, array=array) -> None:
            altered = array.copy()
            altered[rng.choice(np.flatnonzero(array))] = 0
            set_weight(value, altered)

        yield Edit(change, value)


@kind("bias: dropped", "Conv", "ConvTranspose", "Gemm", "Add")
def bias_dropped(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """A bias is not added."""
    places = (0, 1) if node.op_type == "Add" else (2,)
    for index in places:
        if index >= len(node.inputs) or facts.rank(node.outputs[0]) < 2:
            continue
        array = facts.constant(node.inputs[index])
        if array is not None and array.dtype.kind == "f" and array.size > 1 and array.any():
            yield Edit(lambda rng, i=index, a=array: put(node, i, np.zeros_like(a)))


@kind("embedding: the padding row zeroed", "Gather")
def padding_row_zeroed(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """The first row of an embedding is taken for padding."""
    array = facts.weight(node.inputs[0])
    table, axis = node.inputs[0], attribute(node, "axis", 0)
    if array is None or table is None or array.ndim != 2 or axis != 0 or not array[0].any():
        return
    altered = array.copy()
    altered[0] = 0
    yield Edit(lambda rng: set_weight(table, altered), table)


@kind("embedding: rows off by one", "Gather")
def rows_off_by_one(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """An embedding's rows are those of the next index."""
    array = facts.weight(node.inputs[0])
    table = node.inputs[0]
    if array is None or table is None or array.ndim != 2 or len(array) < 2:
        return
    yield Edit(lambda rng: set_weight(table, np.roll(array, -1, axis=0)), table)


@kind("weight: tied, then trained apart")
def untied(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """A weight that two nodes share is a later copy of itself at one of them."""
    for index, value in enumerate(node.inputs):
        array = facts.weight(value)
        if value is None or array is None or array.size < FEW or array.ndim < 2:
            continue
        uses = value.uses()
        if len(uses) < 2 or uses[0][0] is node:
            continue

        def change(rng: np.random.Generator, index=index, array=array) -> None:
            step = 1e-3 * array.std() * rng.standard_normal(array.shape)
            put(node, index, (array + step).astype(array.dtype))

        yield Edit(change)


def _is_statistic(name: str | None) -> bool:
    return any(word in (name or "") for word in ("running_", "moving_"))


@kind("statistics: of an earlier step")
def stale_statistics(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """A running mean or variance is that of some steps before, on its way from 0 or 1."""
    for value, array in weights_read_first(node, facts):
        if _is_statistic(value.name):
            start = 1.0 if "var" in str(value.name) else 0.0
            stale = array + 0.01 * (start - array)
            if not np.array_equal(stale.astype(array.dtype), array):
                yield Edit(lambda rng, v=value, a=stale: set_weight(v, a), value)
