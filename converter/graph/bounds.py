"""Which values an input may take, read off what the graph does with it.

An index must lie inside the table that it reads; a mask is 0 or 1, a length no more than the size;
a logarithm reads what is positive. Random inputs that ignore this make a right model crash, or
compare two frameworks on what neither defines.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import onnx_ir as ir
from onnx_ir.passes.common import InlinePass

from converter.errors import InputSpecError
from converter.expressions import words_in
from converter.graph.domains import domain_of
from converter.graph.lengths import counted, sequence_size
from converter.graph.loops import given_to_body
from converter.graph.orders import SEGMENTS, order_of, orders_of
from converter.signature import Bound, Dim, Signature

Bounds = tuple[int, int]

_PASS_THROUGH = {
    "Cast": 0, "CastLike": 0, "Clip": 0, "Expand": 0, "Flatten": 0, "Gather": 0,
    "GatherElements": 0, "GatherND": 0, "Identity": 0, "Pad": 0, "Reshape": 0,
    "ReverseSequence": 0, "Slice": 0, "Split": 0, "Squeeze": 0, "Tile": 0, "Transpose": 0,
    "Unsqueeze": 0,
}  # fmt: skip
"""Operators whose result holds values of the input at that position, and no others."""

COMPARISONS = frozenset({"Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"})
_POSITIONS = frozenset({
    ("Equal", 0), ("Equal", 1), ("LessOrEqual", 1), ("GreaterOrEqual", 0), ("Less", 0),
    ("Greater", 1),
})  # fmt: skip
"""Operator and place of what is compared with a counting as one of its elements."""

_NO_VALUE = frozenset({"Shape", "Size", "IsNaN"})
"""Operators that do not care for the values."""


@dataclass
class _Found:
    """What was seen on the way of one input through the graph.

    Attributes:
        words: the dynamic dimensions of the graph's inputs.
    """

    words: set[str]
    indices: list[Bounds] = field(default_factory=list)
    lengths: list[tuple[int, Dim]] = field(default_factory=list)
    mask: bool = False
    other: bool = False


def bounds_of(model: ir.Model) -> dict[str, tuple[Bound, Bound]]:
    """Infer the smallest and largest valid value of inputs, both included.

    An integer input that is an index (through casts, reshapes, offsets, ...) gets the size of the
    table, negative indices excluded; where the table's size is neither static nor said by the
    inputs' dimensions, only 0 is certain, and nothing of ids of segments, which make it. One
    that is compared with a counting (``arange``) or gives a recurrent layer its lengths goes from
    1 to that size, by its word where it is dynamic. An input that is only turned into booleans,
    compared with 0 or 1, or subtracted from a constant is a mask, 0 to 1. Floats: see
    `converter.graph.domains`. What is only likely: `converter.graph.suggestions`.

    Returns:
        Bounds by input name; inputs of which the graph does not tell are left out.
    """
    if model.functions:
        model = model.clone()
        InlinePass()(model)
    result: dict[str, tuple[Bound, Bound]] = {}
    words = {word for value in model.graph.inputs for word in _dynamic(value)}
    for value in model.graph.inputs:
        if value.name in model.graph.initializers or value.dtype is None:
            continue
        found = _integers(value, words) if value.dtype.is_integer() else None
        if value.dtype.is_floating_point():
            found = domain_of(value) or _read_as_index(value, words)
        if found is not None:
            result[value.name or ""] = found
    return result


def _words(end: Bound) -> set[str]:
    return set(re.findall(r"[^\W\d]\w*", end)) if isinstance(end, str) else set()


def _dynamic(value: ir.Value) -> set[str]:
    dims = [] if value.shape is None else [dim for dim in value.shape if not isinstance(dim, int)]
    return {word for dim in dims for word in _words(dim.value or 0)}


def _read_as_index(value: ir.Value, words: set[str]) -> tuple[Bound, Bound] | None:
    """Return the bounds of numbers that are cast to indices, as Keras's `Embedding` does."""
    found = _Found(words)
    _follow(value, 0, found, set())
    return _integers(value, words) if found.indices else None


def _integers(value: ir.Value, words: set[str]) -> tuple[Bound, Bound] | None:
    found = _Found(words)
    _follow(value, 0, found, set())
    if order_of(value) == SEGMENTS and found.indices and max(found.indices)[1] == 0:
        return None
    if found.indices:
        low = max(0, *(low for low, _ in found.indices))
        return low, max(low, min(high for _, high in found.indices))
    if found.lengths:
        low = max(low for low, _ in found.lengths)
        sizes = [high for _, high in found.lengths]
        static = [high for high in sizes if isinstance(high, int)]
        return low, max(low, min(static)) if static else sizes[0]
    return (0, 1) if found.mask and not found.other else None


def with_bounds(signature: Signature, model: ir.Model) -> Signature:
    """Return ``signature`` with the bounds and orders that the graph tells; declared ones stay.

    A bound by a word that the signature's inputs do not have is left out.
    """
    words = {word for spec in signature.inputs for dim in spec.shape or () for word in _words(dim)}
    bounds = {
        name: ends
        for name, ends in bounds_of(model).items()
        if all(_words(end) <= words for end in ends)
    }
    orders = orders_of(model)
    inputs = tuple(
        replace(
            spec,
            bounds=bounds.get(spec.name) if spec.bounds is None else spec.bounds,
            order=spec.order or orders.get(spec.name),
        )
        for spec in signature.inputs
    )
    return replace(signature, inputs=inputs)


def _follow(value: ir.Value, shift: int, found: _Found, seen: set[tuple[int, int]]) -> None:
    """Walk to every use of ``value``, which is the input plus ``shift``."""
    if (id(value), shift) in seen or len(seen) > 10_000:
        return
    seen.add((id(value), shift))
    for node, position in value.uses():
        if node.domain not in ("", "ai.onnx"):
            found.other = True
        elif (word := _table_word(node, position)) and _words(word) <= found.words:
            found.lengths.append((max(0, -shift), _plus(word, -1 - shift)))
        elif (size := table_size(node, position)) is not None:
            low, high = -shift, size - 1 - shift
            if high >= 0:  # below zero: the other branch of a wrapped negative index
                found.indices.append((low, high))
        elif (size_word := _longest(node, position)) is not None:
            found.lengths.append(_shifted(node, position, size_word, shift))
        elif node.op_type in COMPARISONS:
            truth = _is_truth(node.inputs[1 - position])
            found.mask, found.other = found.mask or truth, found.other or not truth
        elif _to_bool(node) or _complement(node, position):
            found.mask = True
        elif node.op_type in _NO_VALUE:
            continue
        else:
            following = list(_passed_on(node, position, shift))
            found.other = found.other or not following
            for result, moved in following:
                _follow(result, moved, found, seen)


def _table_word(node: ir.Node, position: int) -> str | None:
    """Return the word for the size of a table that is read at this position, if it has one."""
    if node.op_type not in ("Gather", "GatherElements", "ScatterElements") or position != 1:
        return None
    data = node.inputs[0]
    shape = None if data is None else _shape(data)
    size = None if shape is None else shape[_integer(node, "axis", 0)]
    word = None if size is None or isinstance(size, int) else size.value
    try:
        return word if word and words_in(word) else None
    except InputSpecError:  # what torch.export writes of a size may be no expression of ours
        return None


def table_size(node: ir.Node, position: int) -> int | None:
    """Return how many values an index at this position may have; ``None`` if it is no index."""
    name = node.op_type
    if name == "OneHot" and position == 0:
        depth = _constant(node.inputs[1])
        return 1 if depth is None else int(depth.numpy().reshape(-1)[0])
    indexing = ("Gather", "GatherElements", "GatherND", "ScatterElements", "ScatterND")
    if name not in indexing or position != 1:
        return None
    data, indices = node.inputs[0], node.inputs[1]
    shape = None if data is None else _shape(data)
    if shape is None:
        return 1
    if name.endswith("ND"):
        first = _integer(node, "batch_dims", 0)
        depth_of = None if indices is None or indices.shape is None else indices.shape[-1]
        last = first + depth_of if isinstance(depth_of, int) else len(shape)
        sizes = shape[first:last]
    else:
        sizes = [shape[_integer(node, "axis", 0)]]
    return min((size if isinstance(size, int) else 1 for size in sizes), default=1)


def _longest(node: ir.Node, position: int) -> Dim | None:
    """Return the largest length that makes sense at this position; ``None`` if it is none."""
    if node.op_type in COMPARISONS:
        return counted(node.inputs[1 - position])
    return sequence_size(node, position)


def _shifted(node: ir.Node, place: int, size: Dim, shift: int) -> tuple[int, Dim]:
    """Return the bounds of the input, which is ``shift`` less than what is compared.

    What equals an element of a counting, or is compared as one (``counting <= it``), is a position,
    from 0 on; a length goes from 1 on.
    """
    position = (node.op_type, place) in _POSITIONS
    low, more = int(not position) - shift, -shift - int(position)
    if isinstance(size, int):
        return low, size + more
    return low, _plus(size, more)


def _plus(size: str, more: int) -> str:
    return f"{size} {'+' if more > 0 else '-'} {abs(more)}" if more else size


def _constant(value: ir.Value | None) -> ir.TensorProtocol | None:
    return None if value is None else ir.convenience.get_const_tensor(value)


def _shape(value: ir.Value) -> list[Any] | None:
    shape = value.shape if value.const_value is None else value.const_value.shape
    return None if shape is None else list(shape)


def _integer(node: ir.Node, name: str, default: int) -> int:
    attribute = node.attributes.get(name)
    return default if attribute is None else attribute.as_int()


def _to_bool(node: ir.Node) -> bool:
    return node.op_type == "Cast" and _integer(node, "to", 0) == ir.DataType.BOOL


def _is_truth(value: ir.Value | None) -> bool:
    """Tell whether a value is constant 0 and 1 (or between), which a mask is compared with."""
    constant = _constant(value)
    if constant is None:
        return False
    numbers = constant.numpy().astype(float)
    return bool(((numbers >= 0) & (numbers <= 1)).all())


def _complement(node: ir.Node, position: int) -> bool:
    """Tell whether the node is ``1 - mask``."""
    return node.op_type == "Sub" and position == 1 and _constant(node.inputs[0]) is not None


def _is_mask(value: ir.Value | None) -> bool:
    """Tell whether a value is 0 and 1 cast from booleans."""
    node = None if value is None else value.producer()
    source = node.inputs[0] if node is not None and node.op_type == "Cast" else None
    truth = None if source is None else source.producer()
    return truth is not None and truth.op_type in COMPARISONS | {"And", "Not", "Or", "Xor"}


def _is_masked(value: ir.Value | None) -> bool:
    """Tell whether a value is a product with such a mask."""
    node = None if value is None else value.producer()
    return node is not None and node.op_type == "Mul" and any(map(_is_mask, node.inputs))


def _passed_on(node: ir.Node, position: int, shift: int) -> Iterator[tuple[ir.Value, int]]:
    """Yield the values that hold what arrives at this position, and their shift."""
    name = node.op_type
    passes = _PASS_THROUGH.get(name) == position
    if passes or name == "Concat" or (name == "Where" and position > 0):
        yield from ((output, shift) for output in node.outputs)
    elif name == "Mul" and _is_mask(node.inputs[1 - position]):
        yield node.outputs[0], shift
    elif name == "Add" and all(map(_is_masked, node.inputs)):
        yield node.outputs[0], shift  # ``where`` written as ``x * mask + y * (1 - mask)``
    elif name == "Add" or (name == "Sub" and position == 0):
        offset = _constant(node.inputs[1 - position])
        values = None if offset is None else offset.numpy().reshape(-1)
        if values is not None and values.size == 1:
            moved = int(values[0]) if name == "Add" else -int(values[0])
            yield node.outputs[0], shift + moved
    elif name in ("Loop", "Scan"):
        inner = given_to_body(node, position)
        if inner is not None:
            yield inner, shift
