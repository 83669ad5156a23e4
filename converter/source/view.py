"""A node as the spellers see it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import onnx_ir as ir

from converter.graph.structure.sizes import dims
from converter.rebuild.graph_values import attribute_value
from converter.source import expressions
from converter.source.errors import NotWritable
from converter.source.expressions import ATOM, Text

if TYPE_CHECKING:
    from converter.source.body import Body


class View:
    """A node as a speller sees it: its operands as expressions, its numbers as numbers."""

    def __init__(self, node: ir.Node | None, body: Body) -> None:
        self.node: ir.Node = node  # type: ignore[assignment]  # of a constant there is none
        self.body = body
        self.used: list[Text] = []

    def has(self, index: int) -> bool:
        """Tell whether the node has an input."""
        return index < len(self.node.inputs) and self.node.inputs[index] is not None

    def number(self, index: int) -> Any:
        """Return an input that is known as numbers, else ``None``."""
        return self.body.sizes.of(self.node.inputs[index])

    def is_single(self, index: int) -> bool:
        """Tell whether a number is of single precision."""
        value = self.node.inputs[index]
        return self.body.sizes.dtypes.get(value) == ir.DataType.FLOAT  # type: ignore[arg-type]

    def is_number(self, index: int) -> bool:
        """Tell whether an input is one number that is known."""
        known = self.number(index)
        return known is not None and not isinstance(known, tuple)

    def arg(self, index: int) -> Text:
        """Return an input as an expression: a tensor, or a bare number."""
        if not self.is_number(index):
            return self.tensor(index)
        dtype = self.body.sizes.dtypes[self.node.inputs[index]]  # type: ignore[index]
        text = self.body.operand(self.number(index), dtype)
        self.used.append(text)
        return text

    def tensor(self, index: int) -> Text:
        """Return an input as a tensor."""
        value = self.node.inputs[index]
        assert value is not None
        known = self.number(index)
        if known is not None:
            dtype = self.body.sizes.dtypes[value]
            return self.body.language.tensor(self, known, dtype)
        return self.body.read(value)

    def optional(self, index: int) -> Text | None:
        """Return an input as an expression, ``None`` where it is left out."""
        return self.arg(index) if self.has(index) else None

    def size(self, number: Any, single: bool = False) -> Text:
        """Return a number or a size as an expression."""
        text = self.body.size(number, single)
        self.used.append(text)
        return text

    def sizes(self, numbers: tuple[Any, ...]) -> Text:
        """Return a shape as a tuple."""
        parts = [self.size(number) for number in numbers]
        inner = ", ".join(part.text for part in parts)
        return expressions.combined(
            f"({inner},)" if len(parts) == 1 else f"({inner})", ATOM, *parts
        )

    def literal(self, number: Any) -> Text:
        """Return a number that an attribute holds (floats are of single precision)."""
        return Text(expressions.number(number, single=True), ATOM)

    def attribute(self, name: str, default: Any) -> Any:
        """Return an attribute."""
        given = self.node.attributes.get(name)
        return default if given is None else attribute_value(given)

    def rank(self, index: int) -> int | None:
        """Return the number of an input's axes."""
        sizes = self.dims(index)
        return None if sizes is None else len(sizes)

    def dims(self, index: int) -> tuple[Any, ...] | None:
        """Return an input's shape as numbers and symbols."""
        value = self.node.inputs[index]
        return None if value is None else dims(value)

    def may_be_empty(self, index: int, axes: Iterable[int]) -> bool:
        """Tell whether the data may leave an axis of an input without elements.

        A size that the caller chooses is taken for 1 or more.
        """
        sizes = self.dims(index)
        for axis in axes:
            size = sizes[axis] if sizes is not None else None
            symbols: set[Any] = getattr(size, "free_symbols", set())
            if size is None or not symbols <= self.body.sizes.given:
                return True
            if symbols and not size.subs(dict.fromkeys(symbols, 1)) >= 1:
                return True
        return False

    def wanted(self) -> list[ir.Value]:
        """Return the outputs that somebody reads."""
        return [v for v in self.node.outputs if v.uses() or v.is_graph_output()]

    def dtype(self, index: int) -> ir.DataType | None:
        """Return the type of an input's elements, if it is known."""
        value = self.node.inputs[index]
        return value.dtype if value is not None else None

    def is_float(self, index: int) -> bool:
        """Tell whether an input is known to be a float."""
        dtype = self.dtype(index)
        return dtype is not None and dtype.is_floating_point()

    def is_from_float_to_integer(self) -> bool:
        """Tell whether a cast leaves the floats."""
        given = self.dtype(0)
        to = ir.DataType(self.attribute("to", 1))
        if given is None:
            return True
        return given.is_floating_point() and not (to.is_floating_point() or to == ir.DataType.BOOL)

    def same_dtype(self) -> bool:
        """Tell whether the first two inputs are known to have one type."""
        first, second = self.dtype(0), self.dtype(1)
        return first is not None and first == second

    def dtype_of_output(self) -> ir.DataType:
        """Return the type of the first output's elements.

        Raises:
            NotWritable: it is not known.
        """
        dtype = self.node.outputs[0].dtype
        if dtype is None:
            raise NotWritable(f"the type of {self.node.outputs[0].name} is not known")
        return dtype

    def device(self) -> Text | None:
        """Return the device of a tensor at hand."""
        for _, text in self.body.at_hand():
            return Text(f"{text}.device")
        return None
