"""A weight that is put together from parts of initializers: its elements, one by one.

What a recurrent operator of ONNX reads is cut out of the source's weights and joined in another
order. To find the way back, each element of an initializer gets a number, and the graph that moves
them runs on the numbers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import permutations

import numpy as np
import onnx_ir as ir

from converter.graph.evaluate import evaluated
from converter.graph.structure.weights import Weight, name_of
from converter.rebuild.graph_values import constant_tensor, role_of
from converter.rebuild.prepare import plain_domain, version_of

_ONE = {"Gather", "Identity", "Reshape", "Slice", "Split", "Squeeze", "Transpose", "Unsqueeze"}
"""Operators that move the elements of their first input; the others say where."""


@dataclass(frozen=True, eq=False)
class Assembled:
    """A tensor whose elements are elements of initializers, or sums of such.

    Attributes:
        sources: initializers and constants, all of one type.
        elements: int64 ``[terms, *shape]``: numbers of elements, counted through the sources.
    """

    sources: tuple[ir.Value, ...]
    elements: np.ndarray

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.elements.shape[1:])

    @property
    def dtype(self) -> ir.DataType:
        """The type of its elements."""
        tensor = constant_tensor(self._first)
        assert tensor is not None
        return ir.DataType(tensor.dtype)

    @property
    def name(self) -> str:
        """The source's name of the initializer that its first element is of."""
        return name_of(self._first)

    @property
    def role(self) -> str | None:
        """What the source does with it: ``parameter``, ``buffer``; ``None`` for a constant."""
        return role_of(self._first)

    def is_learned(self) -> bool:
        """Tell whether all of it is of parameters and buffers, nothing of constants."""
        return all(
            role_of(source)
            for source, start, end in self._ranges()
            if np.any((self.elements >= start) & (self.elements < end))
        )

    @property
    def origin(self) -> tuple[ir.Value, int]:
        """Where its first element is: the initializer, and the number of the element in it."""
        number = int(self.elements.flat[0])
        return next((source, number - start) for source, start, end in self._ranges()
                    if number < end)  # fmt: skip

    @property
    def _first(self) -> ir.Value:
        return self.origin[0]

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Assembled)
            and self.sources == other.sources
            and np.array_equal(self.elements, other.elements)
        )

    def __hash__(self) -> int:
        return hash((self.sources, self.elements.shape))

    def _ranges(self) -> list[tuple[ir.Value, int, int]]:
        found, start = [], 0
        for source in self.sources:
            end = start + _size(source)
            found.append((source, start, end))
            start = end
        return found

    def array(self) -> np.ndarray:
        """Return its numbers, in the type of the sources."""
        terms = np.zeros(self.elements.shape, self.dtype.numpy())
        for source, start, end in self._ranges():
            own = (self.elements >= start) & (self.elements < end)
            tensor = constant_tensor(source)
            if own.any() and tensor is not None:
                terms[own] = tensor.numpy().reshape(-1)[self.elements[own] - start]
        total = terms[0]
        for term in terms[1:]:
            total = total + term
        return total

    def turned(self, order: tuple[int, ...]) -> Assembled:
        """Return the same with its axes in another order."""
        moved = self.elements.transpose(0, *(axis + 1 for axis in order))
        return Assembled(self.sources, moved)

    def blocks(self, order: tuple[int, ...]) -> Assembled:
        """Return the same with the blocks of its first axis, all of one size, in another order."""
        pieces = np.split(self.elements, len(order), axis=1)
        return Assembled(self.sources, np.concatenate([pieces[i] for i in order], axis=1))

    def plus(self, other: Assembled) -> Assembled:
        """Return the sum with another one of the same sources and shape."""
        assert self.sources == other.sources
        return Assembled(self.sources, np.concatenate([self.elements, other.elements]))

    def above(self, other: Assembled) -> Assembled:
        """Return both, one above the other, along a new first axis."""
        assert self.sources == other.sources
        return Assembled(self.sources, np.stack([self.elements, other.elements], axis=1))

    def settled(self) -> Weight | Assembled:
        """Return the initializer that it is, turned; itself where it is none."""
        if len(self.elements) != 1:
            return self
        (elements,) = self.elements
        for source, start, end in self._ranges():
            shape = tuple(int(size) for size in source.shape.numpy()) if source.shape else ()
            if not role_of(source) or elements.size != end - start or elements.ndim != len(shape):
                continue
            whole = np.arange(start, end).reshape(shape)
            for order in permutations(range(len(shape))):
                if np.array_equal(whole.transpose(order), elements):
                    return Weight(source, order)
        return self


AnyWeight = Weight | Assembled
"""What a layer reads."""


@dataclass
class Elements:
    """Numbers the elements of initializers and constants, in the order in which they are met."""

    model: ir.Model
    sources: list[ir.Value] = field(default_factory=list)
    _numbers: dict[ir.Value, np.ndarray] = field(default_factory=dict)

    def of(self, value: ir.Value | None) -> np.ndarray | None:
        """Return which elements a value is made of; ``None`` where something is computed."""
        if value is None:
            return None
        if value in self._numbers:
            return self._numbers[value]
        tensor = constant_tensor(value)
        if tensor is not None:
            start = sum(map(_size, self.sources))
            self.sources.append(value)
            found = np.arange(start, start + tensor.size).reshape(tuple(tensor.shape.numpy()))
            self._numbers[value] = found
            return found
        node = value.producer()
        if node is None or plain_domain(node.domain):
            return None
        return self._moved(node, value)

    def _moved(self, node: ir.Node, value: ir.Value) -> np.ndarray | None:
        operands: list[np.ndarray | None]
        if node.op_type == "Concat":
            operands = [self.of(item) for item in node.inputs]
            known = all(item is not None for item in operands)
        elif node.op_type in _ONE:
            operands = [self.of(node.inputs[0]), *map(_constant, node.inputs[1:])]
            known = all(
                (item is None) == (of is None)
                for item, of in zip(node.inputs, operands, strict=True)
            )
        else:
            return None
        if not known:
            return None
        results = evaluated(
            ir.serde.serialize_node(node), operands, version_of(node, self.model)
        )  # fmt: skip
        self._numbers |= dict(zip(node.outputs, results, strict=True))
        return self._numbers[value]


def _constant(value: ir.Value | None) -> np.ndarray | None:
    tensor = constant_tensor(value) if value is not None else None
    return tensor.numpy() if tensor is not None else None


def _size(value: ir.Value) -> int:
    tensor = constant_tensor(value)
    assert tensor is not None
    return int(tensor.size)
