"""Axes, orders and sizes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx_ir as ir

from benchmarks.mutants.edit import attribute, before, put, replace, set_attribute
from benchmarks.mutants.facts import Facts
from benchmarks.mutants.kind import Edit, kind

LARGE = 1 << 30
"""An end of a slice above this means: to the end."""


def _computed(value: ir.Value | None, facts: Facts) -> bool:
    return value is not None and facts.known(value) and facts.constant(value) is None


@kind("axes: two exchanged", "Transpose")
def transpose_axes(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """A transposition exchanges two more axes; a reshape behind it hides the shape."""
    perm = attribute(node, "perm")
    if perm is None or len(perm) < 2 or facts.rank(node.inputs[0]) != len(perm):
        return
    shape = facts.shape(node.inputs[0])
    readers = [reader.op_type for reader, _ in node.outputs[0].uses()]
    reshaped = set(readers) == {"Reshape"} and not node.outputs[0].is_graph_output()
    for first in range(len(perm) - 1):
        if reshaped and 1 in (shape[perm[first]], shape[perm[first + 1]]):
            continue  # the elements stay where they are
        other = list(perm)
        other[first], other[first + 1] = other[first + 1], other[first]
        yield Edit(lambda rng, p=tuple(other): set_attribute(node, "perm", p), rewires=True)


@kind("axes: transposition dropped", "Transpose")
def transpose_dropped(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """A reshape to the same shape in place of a transposition."""
    perm = attribute(node, "perm")
    if perm is None or tuple(perm) == tuple(range(len(perm))):
        return
    shape = facts.shape(node.inputs[0])
    moved = [axis for axis in perm if not shape or shape[axis] > 1]
    if moved == sorted(moved):
        return  # only axes of one element move: a reshape does the same

    def change(rng: np.random.Generator) -> None:
        turned = before(node, "Transpose", [node.inputs[0]], perm=tuple(perm))
        replace(node, "Reshape", [node.inputs[0], before(node, "Shape", [turned])])

    yield Edit(change, rewires=True)


@kind("axes: flattened in the other layout", "Reshape", "Flatten")
def flattened_otherwise(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """What is flattened was transposed before, as between channels first and last."""
    x = node.inputs[0]
    shape = facts.shape(x)
    if len(shape) < 3 or not _computed(x, facts) or facts.rank(node.outputs[0]) >= len(shape):
        return
    perm = (0, *range(2, len(shape)), 1)
    if shape[1] < 2 or np.prod(shape[2:]) < 2:
        return

    def change(rng: np.random.Generator) -> None:
        node.replace_input_with(0, before(node, "Transpose", [x], perm=perm))

    yield Edit(change, rewires=True)


@kind("concatenation: order", "Concat")
def concatenation_order(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """The first part comes last."""
    floats = facts.dtype(node.outputs[0]).startswith("float")
    if len(node.inputs) < 2 or not floats:
        return
    rolled = [*node.inputs[1:], node.inputs[0]]
    axis = attribute(node, "axis", 0)
    yield Edit(lambda rng: replace(node, "Concat", rolled, axis=axis), rewires=True)


@kind("split: order", "Split")
def split_order(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """Two parts are in each other's place."""
    if len(node.outputs) < 2:
        return
    first, second = node.outputs[0], node.outputs[1]

    def change(rng: np.random.Generator) -> None:
        uses = [(value, list(value.uses())) for value in (first, second)]
        for (_, readers), new in zip(uses, (second, first), strict=True):
            for reader, index in readers:
                reader.replace_input_with(index, new)

    if not first.is_graph_output() and not second.is_graph_output():
        yield Edit(change, rewires=True)


@kind("slice: off by one", "Slice")
def slice_off_by_one(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """A slice begins, and ends, one later or earlier."""
    starts, ends = facts.constant(node.inputs[1]), facts.constant(node.inputs[2])
    axes = facts.constant(node.inputs[3]) if len(node.inputs) > 3 else np.arange(1)
    shape = facts.shape(node.inputs[0])
    if starts is None or ends is None or axes is None or starts.size != 1 or not shape:
        return
    size, start, end = shape[int(axes.reshape(-1)[0])], int(starts[0]), int(ends[0])
    begin = start + size if start < 0 else start
    stop = min(end + size if end < 0 else end, size)
    if begin > 0:
        moved = starts - 1, (ends if end > LARGE else ends) * 0 + (stop - 1)
    elif stop < size:
        moved = starts + 1, ends * 0 + stop + 1
    else:
        return

    def change(rng: np.random.Generator) -> None:
        put(node, 1, moved[0])
        put(node, 2, moved[1])

    yield Edit(change)


@kind("slice: backwards", "Slice")
def slice_backwards(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """What is cut out comes in reverse."""
    starts, ends = facts.constant(node.inputs[1]), facts.constant(node.inputs[2])
    axes = facts.constant(node.inputs[3]) if len(node.inputs) > 3 else np.arange(1)
    shape = facts.shape(node.inputs[0])
    if starts is None or ends is None or axes is None or starts.size != 1 or not shape:
        return
    size = shape[int(axes.reshape(-1)[0])]
    step = facts.constant(node.inputs[4]) if len(node.inputs) > 4 else np.ones(1, starts.dtype)
    start, end, _ = slice(int(starts[0]), int(ends[0])).indices(size)
    if step is None or int(step[0]) != 1 or end - start < 2 or int(ends[0]) > LARGE:
        return

    def change(rng: np.random.Generator) -> None:
        node.resize_inputs(5)
        put(node, 1, np.array([end - 1], starts.dtype))
        put(node, 2, np.array([start - 1 if start else -(1 << 31) + 1], starts.dtype))
        put(node, 3, axes.astype(starts.dtype))
        put(node, 4, np.array([-1], starts.dtype))

    yield Edit(change, rewires=True)


@kind("gather: index off by one", "Gather", "GatherElements", "GatherND")
def index_off_by_one(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """A constant index points to the neighbour."""
    index = facts.constant(node.inputs[1])
    shape = facts.shape(node.inputs[0])
    if index is None or not shape or index.size == 0 or not _computed(node.inputs[0], facts):
        return
    size = shape[attribute(node, "axis", 0)]
    if size > 1 and node.op_type == "Gather":
        moved = np.where(index % size + 1 < size, index + 1, index - 1).astype(index.dtype)
        yield Edit(lambda rng: put(node, 1, moved))


@kind("gather: computed index off by one", "Gather", "GatherElements")
def computed_index(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """A computed index points to the neighbour, and the last to itself."""
    dtype = facts.dtype(node.inputs[1])
    if not _computed(node.inputs[1], facts) or dtype not in ("int64", "int32"):
        return
    shape = facts.shape(node.inputs[0])
    if not shape or not facts.dtype(node.inputs[0]).startswith("float"):
        return
    last = shape[attribute(node, "axis", 0)] - 1
    if last < 1 or facts.constant(node.inputs[0]) is None:
        return
    kind_of = np.dtype(dtype)

    def change(rng: np.random.Generator) -> None:
        later = before(node, "Add", [node.inputs[1], np.array(1, kind_of)])
        node.replace_input_with(1, before(node, "Min", [later, np.array(last, kind_of)]))

    yield Edit(change)


@kind("dynamic dimension: frozen", "Reshape", "Expand", "Slice", "Range", "ConstantOfShape", "Tile")
def frozen(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """A size is that of the example with which the model was traced."""
    for index, value in enumerate(node.inputs):
        if index == 0 and node.op_type not in ("Range", "ConstantOfShape"):
            continue
        array = facts.frozen.get(value.name or "") if value is not None else None
        if array is not None:
            yield Edit(lambda rng, i=index, a=array: put(node, i, a), lost=value)


@kind("broadcast: along the other axis", "Add", "Mul")
def broadcast_axis(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """A vector is laid along another axis of the same size."""
    shape = facts.shape(node.outputs[0])
    for index in (0, 1):
        array = facts.constant(node.inputs[index])
        if array is None or array.ndim != 1 or array.size < 2 or len(shape) < 2:
            continue
        if shape[-2] == array.size:
            turned = array.reshape(-1, 1)
            yield Edit(lambda rng, i=index, a=turned: put(node, i, a))
