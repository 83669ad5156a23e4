"""The body of one function: statements for the steps of a block, with names that a person reads.

A value that is used once goes into the expression that uses it, as long as that stays short. What
gets a variable goes on under the name of what it was made from where nobody needs that any more
(``x = F.relu(x)``), else under the name of the layer or operator that made it.
"""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import onnx_ir as ir
import sympy

from converter.graph.structure.sizes import Sizes, dims
from converter.graph.structure.tree import Block, Control, Step
from converter.naming import free, identifier
from converter.source import expressions
from converter.source.errors import NotWritable
from converter.source.expressions import ATOM, Text
from converter.source.language import Language
from converter.source.made import Made, Returned
from converter.source.view import View

WIDTH, DEPTH = 64, 3
"""Longest expression, in characters and in nested calls, that goes into another one."""


@dataclass
class Members:
    """What a block's values and calls are called on ``self``."""

    held: dict[ir.Value, str] = field(default_factory=dict)
    called: dict[int, str] = field(default_factory=dict)
    """By the identity of the step: the expression that is called, e.g. ``self.conv1``."""
    made: dict[int, Made] = field(default_factory=dict)
    """By the identity of the step: how the layer that is called is made."""
    loops: dict[int, tuple[str, int]] = field(default_factory=dict)
    """By the identity of a loop's first step: what is gone through, and how many steps it has."""


def read_in(step: Step) -> list[ir.Value]:
    """Return the tensors that a step reads, each as often as it does."""
    if isinstance(step.what, Control):
        direct = [value for value in step.what.node.inputs if value in step.inputs]
        return direct + step.what.captured  # type: ignore[operator]
    if not isinstance(step.what, ir.Node):
        return step.inputs
    direct = [value for value in step.what.inputs if value in step.inputs]
    return direct + [value for value in step.inputs if value not in direct]  # type: ignore[misc]


class NoDimension(NotWritable):
    """No tensor at hand has an open dimension."""

    def __init__(self, symbol: Any) -> None:
        super().__init__(f"no tensor at hand has the dimension {symbol}")
        self.symbol = symbol


def written(
    block: Block, arguments: list[str], members: Members, sizes: Sizes, language: Language
) -> Body:
    """Write a block's statements; sizes that are needed later on are kept at its beginning.

    Raises:
        NotWritable: a value has no words.
    """
    hoisted: list[Any] = []
    while True:
        try:
            body = Body(block, arguments, members, sizes, language, hoisted)
            body.write()
            block.parameters = body.parameters
            return body
        except NoDimension as error:
            if error.symbol not in hoisted:
                hoisted.append(error.symbol)
            elif block.scope is not None and error.symbol not in block.sizes:
                hoisted.remove(error.symbol)
                block.sizes.append(error.symbol)
            else:
                raise


class Body:
    """Writes the statements of one block.

    Attributes:
        lines: the statements, without indentation before the first level.
        parameters: what the function calls the open dimensions that it is given.
    """

    def __init__(
        self,
        block: Block,
        arguments: list[str] | None,
        members: Members,
        sizes: Sizes,
        language: Language,
        hoisted: Iterable[Any] = (),
    ) -> None:
        self.hoisted = list(hoisted)
        self.named_dims: dict[Any, Text] = {}
        self.block, self.members, self.sizes, self.language = block, members, sizes, language
        self.lines: list[str] = []
        self.known: dict[ir.Value, Text] = {}
        self.pending: dict[ir.Value, Text] = {}
        self.steps: dict[ir.Value, Step] = {v: s for s in block.steps for v in s.outputs}
        self.left: dict[ir.Value, int] = {}
        self.live: dict[str, ir.Value] = {}
        self.taken = {"self", *keyword.kwlist, *dir(builtins), *language.names}
        for value in self._reads():
            self.left[value] = self.left.get(value, 0) + 1
        for value, argument in zip(block.inputs, arguments, strict=True) if arguments else ():
            self.known[value], self.live[argument] = expressions.name(argument), value
        self.parameters = [self.fresh(size_name(symbol)) for symbol in block.sizes]
        self.named_dims |= dict(
            zip(block.sizes, map(expressions.name, self.parameters), strict=True)
        )

    def _reads(self) -> Iterable[ir.Value]:
        for step in self.block.steps:
            yield from read_in(step)
        yield from self.block.outputs

    def write(self) -> None:
        """Write the statements."""
        self._keep_sizes()
        self._steps()
        self.shorten(self.block.outputs if len(self.block.outputs) > 1 else [])
        results = [self.as_tensor(value) for value in self.block.outputs]
        self.lines.append(f"return {', '.join(result.text for result in results)}")

    def _keep_sizes(self) -> None:
        """Write down the sizes that are needed when no tensor has them any more."""
        for symbol in self.hoisted:
            if symbol in self.named_dims:
                continue
            with suppress(NoDimension):
                text = self.dims([symbol])[symbol]
                name = self.fresh(size_name(symbol))
                self.lines.append(f"{name} = {text}")
                self.named_dims[symbol] = expressions.name(name)

    def _steps(self) -> None:
        steps = iter(self.block.steps)
        for step in steps:
            loop = self.members.loops.get(id(step))
            if loop is not None:
                self._loop(step, *loop)
                for _ in range(loop[1] - 1):
                    next(steps)
                continue
            self._step(step)
            if self._makes_kept(step):
                self._keep_sizes()

    def _makes_kept(self, step: Step) -> bool:
        """Tell whether a step makes a tensor of a size that has to be kept."""
        missing = {symbol for symbol in self.hoisted if symbol not in self.named_dims}
        return any(missing & set(dims(value) or ()) for value in step.outputs if missing)

    def _step(self, step: Step) -> None:
        if isinstance(step.what, Control):
            self._control(step, step.what)
            return
        self.shorten(step.inputs)
        text = self._expression(step)
        made = self.members.made.get(id(step))
        if made is not None and made.returned is not None:
            self._take_apart(step.outputs, text, made.returned)
        elif len(step.outputs) == 1:
            (value,) = step.outputs
            if self.left.get(value, 0) == 1 and not self._makes_kept(step):
                self.pending[value] = text
            else:
                self.assign([value], text)
        else:
            self.assign(step.outputs, text)

    def _control(self, step: Step, what: Control) -> None:
        """Write a branch or a loop; what its bodies see has a variable."""
        check_types(what)
        for value in what.captured:
            if value in self.pending:
                self.assign([value], self.pending.pop(value))
        self.language.control(self, step)
        for value in what.captured:
            if value in self.left:
                self.left[value] -= 1

    def bind(self, value: ir.Value, name: str) -> None:
        """Say that a variable holds a value."""
        self.known[value], self.live[name] = expressions.name(name), value

    def shorten(self, values: list[ir.Value]) -> None:
        """Give variables to what is about to be read, as long as it makes too long a line."""
        waiting = [value for value in dict.fromkeys(values) if value in self.pending]
        while waiting:
            texts = [self.pending[value] for value in waiting if value in self.pending]
            deep = any(text.depth > DEPTH for text in texts)
            if not deep and sum(len(text.text) for text in texts) <= WIDTH:
                return
            longest = max(waiting, key=lambda value: len(self.pending[value].text))
            waiting.remove(longest)
            self.assign([longest], self.pending.pop(longest))
            waiting = [value for value in waiting if value in self.pending]

    def _loop(self, first: Step, collection: str, count: int) -> None:
        index = self.block.steps.index(first)
        steps = self.block.steps[index : index + count]
        before = self._settled(self.read(first.inputs[0]), first.inputs[0])
        self.flush(before)
        # What every call gets is written down before: the loop changes what it is made of.
        others = [self.kept(self.read(value), self.wish(value)) for value in first.inputs[1:]]
        sizes = self._sizes_of(first).items()
        extents = [f"{name}={self.kept(text, 'size')}" for name, text in sizes]
        variable = self.fresh("layer")
        result = steps[-1].outputs[0]
        self.lines.append(f"for {variable} in {collection}:")
        self.lines.append(f"    {before} = {variable}({', '.join([before, *others, *extents])})")
        for step in steps[1:]:
            for value in step.inputs:
                self.left[value] -= 1
        self.known[result] = expressions.name(before)
        self.live[before] = result

    def kept(self, text: Text, wish: str) -> str:
        """Return a name, a member or a number that says an expression's value in a loop."""
        if re.fullmatch(r"(self\.)?\w+", text.text):
            return text.text
        name = self.fresh(wish)
        self.lines.append(f"{name} = {text}")
        return name

    def _settled(self, text: Text, value: ir.Value) -> str:
        """Return a variable that may be overwritten and holds a value."""
        free = text.text in self.live and not self.left.get(self.live[text.text], 0)
        if text.text.isidentifier() and free:
            return text.text
        name = text.stem if text.stem and self.is_free(text.stem) else self.fresh("x")
        self.flush(name)
        self.lines.append(f"{name} = {text}")
        if not self.left.get(value, 0):  # else its other readers find it where it was
            self.known[value], self.live[name] = expressions.name(name), value
        return name

    # ------------------------------------------------------------------ values

    def read(self, value: ir.Value) -> Text:
        """Return the expression of a value for one use of it."""
        if value in self.left:
            self.left[value] -= 1
        if value in self.pending:
            return self.pending.pop(value)
        text = self.seen(value)
        if text is None:
            raise NotWritable(f"the value {value.name} is not at hand where it is needed")
        return text

    def seen(self, value: ir.Value) -> Text | None:
        """Return the expression of a value that is at hand, ``None`` for another one."""
        if value in self.members.held:
            return Text(f"self.{self.members.held[value]}")
        return self.known.get(value)

    def at_hand(self) -> Iterator[tuple[ir.Value, Text]]:
        """Yield the tensors that have a variable."""
        for value, text in self.known.items():
            if self.live.get(text.text) is value:
                yield value, text

    def as_tensor(self, value: ir.Value) -> Text:
        """Return a value as a tensor, for one use of it: also one that is known as numbers."""
        known = self.sizes.of(value)
        if known is None:
            return self.read(value)
        return self.language.tensor(View(value.producer(), self), known, self.sizes.dtypes[value])

    def assign(self, values: list[ir.Value], text: Text) -> None:
        """Write an assignment."""
        wanted = [value for value in values if self.left.get(value)]
        if len(values) > 1 and len(wanted) == 1:
            text = expressions.combined(f"{text.at(ATOM)}[{values.index(wanted[0])}]", ATOM, text)
            values = wanted
        names = [
            self._name(value, text, index, len(values)) if self.left.get(value) else "_"
            for index, value in enumerate(values)
        ]
        for name in names:
            self.flush(name)
        if names != [text.text]:
            self.lines.append(f"{', '.join(names)} = {text}")
        for name, value in zip(names, values, strict=True):
            if name != "_":
                self.known[value] = expressions.name(name)
                self.live[name] = value

    def _take_apart(self, values: list[ir.Value], text: Text, returned: Returned) -> None:
        """Write the assignment of what a layer returns, and make the values of its parts."""
        pairs = [(v, o) for v, o in zip(values, returned.outputs, strict=True) if self.left.get(v)]
        names: dict[str, str] = {}
        for value, output in pairs:
            for part in output.parts:
                first = part == returned.parts[0] and output.joined is None
                names[part] = (first and self._goes_on(value, text)) or self.fresh(part)
        for name in names.values():
            self.flush(name)
        self.lines.append(f"{targets(returned.parts, names)} = {text}")
        for value, output in pairs:
            parts = [expressions.name(names[part]) for part in output.parts]
            if output.joined is None:
                self.known[value], self.live[parts[0].text] = parts[0], value
            elif self.left[value] == 1:
                self.pending[value] = output.joined(*parts)
            else:
                self.assign([value], output.joined(*parts))

    def flush(self, name: str) -> None:
        """Write down what is pending and reads a variable that is about to change."""
        for value, text in list(self.pending.items()):
            if name in text.names and value in self.pending:
                del self.pending[value]
                self.assign_new(value, text)

    def assign_new(self, value: ir.Value, text: Text) -> None:
        """Write an assignment to a variable that did not exist."""
        name = self.fresh(self.wish(value))
        self.lines.append(f"{name} = {text}")
        self.known[value] = expressions.name(name)
        self.live[name] = value

    def _name(self, value: ir.Value, text: Text, index: int, count: int) -> str:
        stem = self._goes_on(value, text) if count == 1 else ""
        return stem or self.fresh(
            self.wish(value) if count == 1 else f"{self.wish(value)}_{index + 1}"
        )

    def _goes_on(self, value: ir.Value, text: Text) -> str:
        """Return the variable that a value may overwrite, ``""`` where there is none."""
        stem = text.stem
        free = stem and self.is_free(stem) and self.live[stem].dtype == value.dtype
        return stem if free else ""

    def is_free(self, name: str) -> bool:
        """Tell whether nobody needs a variable any more."""
        value = self.live.get(name)
        if value is None or name not in self.live:
            return False
        if any(name in text.names for text in self.pending.values()):
            return False
        return self.left.get(value, 0) == 0

    def wish(self, value: ir.Value) -> str:
        """Return what a value would be called by what makes it."""
        step = self.steps.get(value)
        if step is None:
            return "x"
        called = self.members.called.get(id(step))
        if called is not None:
            return re.sub(r"\[.*\]", "", called.removeprefix("self."))
        word = step.node.op_type if step.node is not None else "x"
        return WORDS.get(word, re.sub(r"(?<=[a-z])(?=[A-Z])", "_", word).lower())

    def fresh(self, wish: str) -> str:
        """Return a name that is not taken."""
        base = identifier(wish).strip("_").lower() or "x"
        base = base if base.isidentifier() else f"x_{base}"
        name = free(base, self.taken | self.live.keys())
        self.taken.add(name)
        return name

    # ------------------------------------------------------------------ expressions

    def _expression(self, step: Step) -> Text:
        if isinstance(step.what, ir.Node):
            before = dict(self.left), dict(self.pending), list(self.lines), dict(self.known)
            try:
                text = self.language.spell(View(step.what, self))
            except NoDimension as error:
                if not any(error.symbol in (dims(value) or ()) for value in step.outputs):
                    raise
                text = None  # only the node itself tells this size
            if text is None:
                self.left, self.pending, self.lines, self.known = before
                text = self.language.written_out(View(step.what, self))
            return text
        called = self.members.called[id(step)]
        arguments = [self.read(value) for value in step.inputs]
        made = self.members.made.get(id(step))
        if made is not None and made.given is not None:
            arguments = [made.given(arguments[0])]
        text = expressions.call(called, *arguments, **self._sizes_of(step))
        return made.taken(text) if made is not None and made.taken is not None else text

    def _sizes_of(self, step: Step) -> dict[str, Text]:
        """Return the open dimensions that a call is given, by name, as Keras wants numbers."""
        if not isinstance(step.what, Block):
            return {}
        pairs = zip(step.what.parameters, step.what.sizes, strict=True)
        return {name: self.size(symbol) for name, symbol in pairs}

    def operand(self, number: Any, dtype: ir.DataType) -> Text:
        """Return a number or a size as an operand of arithmetic on tensors of a type."""
        single = dtype == ir.DataType.FLOAT
        if not isinstance(number, sympy.Basic) or number.is_Number:
            return self.size(number, single)
        if not number.has(sympy.Float):
            return self.language.scalar(self.size(number, single), dtype)
        symbols = sorted(number.free_symbols, key=str)
        named = {s: self.language.scalar(text, dtype) for s, text in self.dims(symbols).items()}
        return expressions.size(number, named, single)

    def size(self, number: Any, single: bool = False) -> Text:
        """Return a number or a size as an expression; a tensor of that size says it best."""
        if isinstance(number, sympy.Basic) and not number.is_Symbol and not number.is_Number:
            for value, text in self.at_hand():
                sizes = dims(value)
                if sizes and number in sizes:
                    return self.language.shape(text, sizes.index(number))
        symbols = sorted(getattr(number, "free_symbols", ()), key=str)
        extremes = self.language.maximum, self.language.minimum
        return expressions.size(number, self.dims(symbols), single, extremes)

    def dims(self, symbols: Iterable[Any]) -> dict[Any, Text]:
        """Return what open dimensions are written as, from the tensors that are at hand."""
        found = {}
        for symbol in symbols:
            if symbol in self.named_dims:
                found[symbol] = self.named_dims[symbol]
                continue
            for value, text in self.at_hand():
                sizes = dims(value)
                if sizes and symbol in sizes:
                    found[symbol] = self.language.shape(text, sizes.index(symbol))
                    break
            else:
                raise NoDimension(symbol)
        return found


def size_name(symbol: Any) -> str:
    """Return what a size is called; names that shape inference made up say nothing."""
    return "size" if re.fullmatch(r"(unk__|[su])\d+", str(symbol)) else str(symbol)


def check_types(what: Control) -> None:
    """Refuse branches and loops over what is no tensor.

    Raises:
        NotWritable: a sequence or an optional goes in or comes out.
    """
    node = what.node
    bodies = [v for body in what.bodies.values() for v in (*body.inputs, *body.outputs)]
    for value in (*node.inputs, *node.outputs, *bodies):
        if (
            value is not None
            and value.type is not None
            and not isinstance(value.type, ir.TensorType)
        ):
            kind = "Loop" if node.op_type == "Repeat" else node.op_type
            raise NotWritable(f"{kind} over {value.name}, which is no tensor")


def targets(parts: tuple[Any, ...], names: dict[str, str]) -> str:
    """Return the left side of an assignment; what is not needed is ``_``."""
    texts = []
    for part in parts:
        if isinstance(part, tuple):
            inner = targets(part, names)
            texts.append(f"({inner})" if set(inner) - set("_, ") else "_")
        else:
            texts.append(names.get(part, "_"))
    return ", ".join(texts)


WORDS = {
    "If": "result",
    "MatMul": "product", "Add": "total", "Mul": "scaled", "Concat": "joined", "Reshape": "x",
    "Transpose": "x", "Gather": "picked", "Equal": "mask", "ReduceMean": "mean", "Cast": "x",
    "Sub": "difference", "Unsqueeze": "x", "Where": "chosen", "Div": "ratio",
    "Softmax": "weights", "Slice": "part", "Split": "part", "Range": "positions",
    "CumSum": "sums", "GatherElements": "picked", "GatherND": "picked", "Not": "mask",
    "And": "mask", "Or": "mask", "Less": "mask", "LessOrEqual": "mask", "Greater": "mask",
    "GreaterOrEqual": "mask", "Expand": "x", "Pow": "power", "Sqrt": "root", "Pad": "padded",
    "TopK": "largest", "ArgMax": "index", "ScatterND": "filled", "ScatterElements": "filled",
}  # fmt: skip
"""What a value is called by the operator that made it, where the operator's name says little."""
