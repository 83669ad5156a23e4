"""Which values of a graph are only sizes: numbers that follow from the shapes of the inputs.

Such a value is written where it is needed, from the shape of a tensor that is at hand there
(``x.shape[1] // 2``). It needs no name, and no module has to hand it to another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import onnx_ir as ir
import sympy

from converter.errors import EquiportError
from converter.expressions import size_of, words_in
from converter.rebuild import host
from converter.rebuild.graph_values import attribute_value, constant_tensor, nested, round_floats
from converter.rebuild.host_values import NotOnHost, symbolic
from converter.rebuild.prepare import plain_domain, version_of

LONGEST, LONGEST_OF_FLOATS = 64, 8
"""Most numbers of a constant that is written as numbers, and not kept as a tensor."""

_DTYPES = frozenset(
    {
        ir.DataType.INT64,
        ir.DataType.INT32,
        ir.DataType.BOOL,
        ir.DataType.FLOAT,
        ir.DataType.DOUBLE,
    }
)


class _Arithmetic:
    """What a size that is not known yet can do (`host_values.symbolic`)."""

    minimum = staticmethod(sympy.Min)
    maximum = staticmethod(sympy.Max)
    mod = staticmethod(sympy.Mod)

    @staticmethod
    def truncdiv(a: Any, b: Any) -> Any:
        if not (_whole(a) and _whole(b)):
            return a / b
        if (exact := _floored(sympy.sympify(a), sympy.sympify(b))) is not None:
            return exact
        if sympy.sympify(a).is_nonnegative and sympy.sympify(b).is_nonnegative:
            return sympy.floor(sympy.sympify(a) / b)
        raise NotOnHost("a division that rounds towards zero, of what may be negative")

    @staticmethod
    def cast(a: Any, to: int) -> Any:
        integers = {int(ir.DataType.INT64), int(ir.DataType.INT32)}
        if to in integers and a.is_integer:
            return a
        if to in integers and (exact := sympy.nsimplify(a, rational=True)).is_integer:
            return exact  # a size that went through floats, in which all sizes are exact
        if to in (int(ir.DataType.FLOAT), int(ir.DataType.DOUBLE)):
            return a * sympy.Float(1)
        raise NotOnHost("another type of a size")

    def __getattr__(self, name: str) -> Any:
        raise NotOnHost(name)


symbolic(sympy.Basic)(_Arithmetic())  # type: ignore[arg-type]


def _floored(above: Any, below: Any) -> Any:
    """Return ``(x - x % n) / n`` as ``x // n``, ``None`` for another quotient."""
    for term in above.args if above.is_Add else ():
        rest = above - term
        if -term == sympy.Mod(rest, below) or (
            isinstance(-term, sympy.Mod) and sympy.expand((-term) - sympy.Mod(rest, below)) == 0
        ):
            return sympy.floor(rest / below)
    return None


def _plain(value: Any) -> Any:
    """Return numbers with Python's integers in place of sympy's."""
    if isinstance(value, tuple):
        return tuple(map(_plain, value))
    return int(value) if isinstance(value, sympy.Integer) else value


def _equal(a: Any, b: Any) -> Any:
    """Return whether sizes are equal; ``==`` of expressions asks whether they are written alike."""

    def equal(x: Any, y: Any) -> Any:
        if not (isinstance(x, sympy.Basic) or isinstance(y, sympy.Basic)):
            return x == y
        found = sympy.Eq(x, y)
        return bool(found) if isinstance(found, sympy.logic.boolalg.BooleanAtom) else found

    return host.elementwise(equal, a, b)


def _whole(number: Any) -> bool:
    return bool(sympy.sympify(number).is_integer)


def symbol(word: str) -> sympy.Symbol:
    """Return the symbol of an open dimension."""
    return sympy.Symbol(word, integer=True, nonnegative=True)


def dim(size: Any) -> Any:
    """Return one dimension of a shape: an integer, an expression of symbols, or ``None``."""
    if isinstance(size, int):
        return size
    text = getattr(size, "value", size)
    return _read(text) if text else None


@cache
def _read(text: str) -> Any:
    try:
        return size_of(text, {word: symbol(word) for word in words_in(text)})
    except (EquiportError, TypeError):  # a name that is no expression is a word of its own
        return symbol(text)


def dims(value: ir.Value) -> tuple[Any, ...] | None:
    """Return a value's shape as integers and expressions; ``None`` where its rank is not known."""
    if value.shape is None or not isinstance(value.type, ir.TensorType):
        return None
    return tuple(map(dim, value.shape))


class Sizes(Mapping[ir.Value, Any]):
    """What each value is on the host: a number, an expression, or a nested tuple of them.

    Attributes:
        dtypes: the element type of each.
        given: the symbols in the shapes of the graph's inputs: whoever calls it chooses them.
        iterations: what the number of a loop's iteration is, by the input of its body.
    """

    def __init__(self, model: ir.Model) -> None:
        self.known: dict[ir.Value, Any] = {}
        self.dtypes: dict[ir.Value, ir.DataType] = {}
        self.iterations: dict[ir.Value, sympy.Symbol] = {}
        self.given = {
            symbol for value in model.graph.inputs for size in dims(value) or ()
            if isinstance(size, sympy.Basic) for symbol in size.free_symbols
        }  # fmt: skip
        for node in model.graph.all_nodes():
            self._add(node, model)

    def __getitem__(self, value: ir.Value) -> Any:
        return self.known[value]

    def __iter__(self) -> Any:
        return iter(self.known)

    def __len__(self) -> int:
        return len(self.known)

    def constant(self, value: ir.Value) -> Any:
        """Return what a small constant is, ``None`` for another value."""
        if value.metadata_props.get("equiport.role"):
            return None
        tensor = constant_tensor(value)
        if tensor is None or tensor.dtype not in _DTYPES:
            return None
        if tensor.size > (LONGEST_OF_FLOATS if tensor.dtype.is_floating_point() else LONGEST):
            return None
        self.known[value] = nested(tensor.numpy().tolist())
        self.dtypes[value] = ir.DataType(tensor.dtype)
        return self.known[value]

    def of(self, value: ir.Value | None) -> Any:
        """Return what is known of a value, ``None`` if nothing is."""
        if value is None:
            return None
        return self.known[value] if value in self.known else self.constant(value)

    def _add(self, node: ir.Node, model: ir.Model) -> None:
        if node.op_type in ("Loop", "Repeat"):
            self._add_loop(node)
        if plain_domain(node.domain):
            return
        if node.op_type == "Constant":
            self.constant(node.outputs[0])
            return
        if node.op_type in ("Shape", "Size"):
            self._add_shape(node)
            return
        handler = host.registry.find("", node.op_type, version_of(node, model))
        given = [self.of(value) for value in node.inputs]
        dtype = self._dtype(node)
        if handler is None or not given or dtype is None:
            return
        if any(item is None for item, value in zip(given, node.inputs, strict=True) if value):
            return
        attributes = {name: attribute_value(a) for name, a in node.attributes.items()}
        if not set(attributes) <= handler.attributes:
            return
        bound = {"n_outputs": len(node.outputs)} if "n_outputs" in handler.bound else {}
        compute: Callable[..., Any] = _equal if node.op_type == "Equal" else handler.function
        try:
            results = compute(*given, **attributes, **bound)
        except (NotOnHost, ArithmeticError, LookupError, TypeError, AttributeError):
            return
        for output, result in zip(
            node.outputs, results if handler.multiple else (results,), strict=True
        ):
            if dtype == ir.DataType.FLOAT:
                result = round_floats(result)
            self.known[output], self.dtypes[output] = _plain(result), dtype

    def _add_loop(self, node: ir.Node) -> None:
        """Take the iteration's number for a size, and the condition that let it in for true."""
        inputs = node.attributes["body"].as_graph().inputs
        self.iterations[inputs[0]] = symbol(f"iteration {len(self.iterations)}")
        self.known[inputs[0]] = self.iterations[inputs[0]]
        self.dtypes[inputs[0]] = ir.DataType.INT64
        if node.op_type == "Loop":
            self.known[inputs[1]], self.dtypes[inputs[1]] = True, ir.DataType.BOOL

    def _add_shape(self, node: ir.Node) -> None:
        (value,), (output,) = node.inputs, node.outputs
        sizes = dims(value) if value is not None else None
        if sizes is None:
            return
        start, end = (node.attributes.get(name) for name in ("start", "end"))
        part = sizes[start.as_int() if start else None : end.as_int() if end else None]
        if None in part:
            return
        self.known[output] = part if node.op_type == "Shape" else sympy.prod(part)
        self.dtypes[output] = ir.DataType.INT64

    def _dtype(self, node: ir.Node) -> ir.DataType | None:
        operator = node.op_type
        if operator == "Cast":
            dtype = ir.DataType(node.attributes["to"].as_int())
        elif operator in ("Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual", "Not"):
            dtype = ir.DataType.BOOL
        elif operator == "ConstantOfShape":
            fill = node.attributes.get("value")
            dtype = fill.as_tensor().dtype if fill else ir.DataType.FLOAT
        else:
            first = node.inputs[1 if operator == "Where" else 0] if node.inputs else None
            found = None if first is None or self.of(first) is None else self.dtypes[first]
            if found is None:
                return None
            dtype = found
        return dtype if dtype in _DTYPES else None
