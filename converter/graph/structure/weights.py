"""A weight as a layer reads it: which initializer, with its axes in which order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from converter.rebuild.graph_values import constant_tensor, role_of


@dataclass(frozen=True)
class Weight:
    """An initializer of the source, turned: ``stored = initializer.transpose(permutation)``."""

    initializer: ir.Value
    permutation: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        sizes = self.initializer.shape
        assert sizes is not None
        known = sizes.numpy()  # a weight has no open dimension
        return tuple(int(known[axis]) for axis in self.permutation)

    @property
    def dtype(self) -> ir.DataType:
        """The type of its elements."""
        assert self.initializer.const_value is not None
        return ir.DataType(self.initializer.const_value.dtype)

    @property
    def name(self) -> str:
        """The source's name."""
        return name_of(self.initializer)

    @property
    def role(self) -> str | None:
        """What the source does with it: ``parameter`` or ``buffer``."""
        return role_of(self.initializer)

    def array(self) -> np.ndarray:
        """Return its numbers, in its own type."""
        assert self.initializer.const_value is not None
        return self.initializer.const_value.numpy().transpose(self.permutation)

    def turned(self, order: tuple[int, ...]) -> Weight:
        """Return the same with its axes in another order."""
        return Weight(self.initializer, tuple(self.permutation[axis] for axis in order))


def name_of(value: ir.Value) -> str:
    """Return the source's name of an initializer."""
    return value.metadata_props.get("equiport.name") or value.name or ""


def weight_of(value: ir.Value | None) -> Weight | None:
    """Return the weight that a value is, seen through transpositions; ``None`` if it is none."""
    if value is None:
        return None
    if role_of(value):
        return Weight(value, tuple(range(len(value.shape or ()))))
    node = value.producer()
    if node is not None and node.op_type in _RESHAPED and node.domain in ("", "ai.onnx"):
        return _as_it_was(value)
    if node is None or node.op_type != "Transpose" or node.domain not in ("", "ai.onnx"):
        return None
    inner = weight_of(node.inputs[0])
    if inner is None:
        return None
    given = node.attributes.get("perm")
    return inner.turned(
        tuple(given.as_ints()) if given else tuple(reversed(range(len(inner.permutation))))
    )


_RESHAPED = ("Reshape", "Squeeze", "Unsqueeze")


def _as_it_was(value: ir.Value) -> Weight | None:
    """Return the weight that was reshaped and back again, ``None`` for another shape."""
    inner: ir.Value | None = value
    while inner is not None and not role_of(inner):
        node = inner.producer()
        inner = node.inputs[0] if node is not None and node.op_type in _RESHAPED else None
    if inner is None or inner.shape is None or value.shape is None:
        return None
    same = [*inner.shape] == [*value.shape]
    return Weight(inner, tuple(range(len(inner.shape)))) if same else None


def all_equal(value: ir.Value | None, number: float) -> bool:
    """Tell whether a value is a constant whose elements are all one number; nothing is 0."""
    if value is None:
        return number == 0
    if role_of(value):
        return False
    tensor = constant_tensor(value)
    return tensor is not None and bool(np.all(tensor.numpy() == number))
