"""Which blocks are one class, what its constructor takes, and what its members are called.

Two calls are of one class if their text is the same but for the numbers of their layers. Numbers
that differ become arguments of the constructor; numbers that always go together are one argument.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx_ir as ir

from converter.graph.structure.assembled import AnyWeight
from converter.graph.structure.layers import Layer
from converter.graph.structure.recurrent import RECURRENT
from converter.graph.structure.scopes import call_of, plain
from converter.graph.structure.sizes import Sizes, dims
from converter.graph.structure.tree import Block, Step, every, nodes_of
from converter.graph.structure.weights import weight_of
from converter.naming import free, identifier
from converter.source.body import Members, written
from converter.source.errors import NotWritable
from converter.source.language import Language
from converter.source.made import Argument, Arguments, Made


@dataclass(eq=False)
class Member:
    """Something that a class makes in its constructor.

    Attributes:
        path: below ``self``: ``conv1``, ``layers.0``.
        class_name: a layer of the framework, or a class of the module.
        arguments: of its constructor.
        weights: of a layer, by name.
        fills: numbers that the layer has and the source has not, by name.
        drafted: what a class of the module is made of.
        around: what is made of the layer itself, with ``{}`` in its place.
        built: sizes of what a layer in a branch or a loop is called with, ``None`` for an open one.
    """

    path: str
    class_name: str
    arguments: Arguments = field(default_factory=list)
    weights: Mapping[str, AnyWeight] = field(default_factory=dict)
    fills: dict[str, np.ndarray] = field(default_factory=dict)
    drafted: Drafted | None = None
    around: str = "{}"
    built: tuple[int | None, ...] | None = None


@dataclass(eq=False)
class Drafted:
    """One block, written, with its numbers apart.

    Attributes:
        members: layers and blocks in the order of their first call.
        held: name on ``self`` of each weight and constant that the block reads itself.
        lines: of its function.
        arguments: what its function takes.
        sizes: names of the open dimensions that it is given behind them.
        definition: the class that it is an instance of, once that is known.
    """

    block: Block
    path: str
    members: list[Member]
    held: dict[ir.Value, str]
    lines: list[str]
    arguments: list[str]
    sizes: list[str]
    definition: Definition | None = None


@dataclass(eq=False)
class Definition:
    """A class to be written: the first of its instances speaks for all.

    Attributes:
        name: of the class.
        instances: all of them.
        parameters: name and value for the first instance, of what the constructor takes.
        places: (member, argument) to the parameter that it takes its value from.
    """

    name: str
    instances: list[Drafted]
    parameters: list[str] = field(default_factory=list)
    places: dict[tuple[int, int], str] = field(default_factory=dict)

    @property
    def first(self) -> Drafted:
        return self.instances[0]


class Drafting:
    """Drafts the blocks of a tree from the inside to the outside, and finds their classes."""

    def __init__(self, sizes: Sizes, language: Language, root_name: str) -> None:
        self.sizes, self.language = sizes, language
        self.root_name = root_name
        self.definitions: list[Definition] = []
        self.keys: dict[Any, Definition] = {}

    def draft(self, block: Block, path: str = "") -> Drafted:
        """Return a block as text, its blocks first."""
        members: list[Member] = []
        called: dict[int, str] = {}
        made: dict[int, Made] = {}
        for step in every(block.steps):
            if isinstance(step.what, Layer):
                made[id(step)] = self.language.constructor(step.what)
            member = self._member(step, path, made.get(id(step)))
            if member is None:
                continue
            same = next((m for m in members if _is_same(m, member)), None)
            if same is None:
                self._find_place(member, step, {m.path for m in members})
                same = member
                members.append(member)
            called[id(step)] = same.path
            inside = step not in block.steps
            if inside and isinstance(step.what, Layer) and step.what.weights:
                same.built = _shape_of(step.what)
        collections = collected(members)
        held = self._held(block, path, {member.path.partition(".")[0] for member in members})
        expressions = {key: access(member, collections) for key, member in called.items()}
        loops = loops_of(block, called, collections, made)
        arguments = argument_names(block, path == "", self.language.names)
        texts = Members(held, expressions, made, loops)
        body = written(block, arguments, texts, self.sizes, self.language)
        drafted = Drafted(block, path, members, held, body.lines, arguments, body.parameters)
        self._define(drafted)
        return drafted

    def _find_place(self, member: Member, step: Step, seen: set[str]) -> None:
        """Give a member a path that no other one has.

        Layers that share a weight (an embedding and the layer that reads it backwards) share its
        name: then the call that made the node says what the second one is called.
        """
        if member.path in seen and isinstance(step.what, Layer) and step.what.weights:
            module = module_words(plain(call_of(step.what.node)))
            member.path = relative(module.rpartition(".")[2], "") or member.path
        if member.path in seen and isinstance(step.what, Layer) and not step.what.weights:
            member.path = f"{member.path}_{step.what.kind.lower()}"  # inside a layer of weights
        if member.path in seen and "." not in member.path:
            member.path = free(member.path, seen)
        elif member.path in seen:
            raise NotWritable(f"{member.path} is not the same module at each call")

    def _member(self, step: Step, path: str, made: Made | None) -> Member | None:
        if isinstance(step.what, Block):
            scope = step.what.scope
            assert scope is not None
            drafted = self.draft(step.what, scope.path)
            definition = drafted.definition
            assert definition is not None
            name = self._attribute(relative(scope.path, path))
            return Member(name, definition.name, drafted=drafted)
        if isinstance(step.what, Layer) and made is not None:
            name = self._attribute(relative(layer_path(step.what, path), path))
            return Member(
                name, made.class_name, made.arguments, made.weights, made.fills, around=made.around
            )  # fmt: skip
        return None

    def _attribute(self, path: str) -> str:
        """Return a path whose first part no object of the framework has already."""
        name, dot, number = path.partition(".")
        return f"{name}_{dot}{number}" if name in self.language.attributes else path

    def _held(self, block: Block, path: str, taken: set[str]) -> dict[ir.Value, str]:
        held: dict[ir.Value, str] = {}
        for value in block.held:
            weight = weight_of(value)
            wish = relative(module_words(weight.name), path) if weight is not None else "constant"
            name = identifier(wish.replace(".", "_")) or "weight"
            name = free(name, taken | self.language.attributes)
            taken.add(name)
            held[value] = name
        return held

    def _define(self, drafted: Drafted) -> None:
        scope = drafted.block.scope
        wish = scope.class_name if scope is not None else self.root_name
        key = (
            wish, tuple(drafted.lines), tuple(drafted.arguments),
            tuple(map(_form, drafted.members)),
            tuple((name, _shape(value)) for value, name in drafted.held.items()),
        )  # fmt: skip
        definition = self.keys.get(key)
        if definition is None:
            name = free(identifier(wish) or "Block", self.language.names, separator="")
            self.language.define(name)
            definition = self.keys[key] = Definition(name, [])
            self.definitions.append(definition)
        definition.instances.append(drafted)
        drafted.definition = definition


def _shape_of(layer: Layer) -> tuple[int | None, ...]:
    sizes = dims(layer.inputs[0])
    if sizes is None:
        name = module_words(next(iter(layer.weights.values())).name)
        raise NotWritable(f"the rank of what the layer of {name} is called with is not known")
    return tuple(size if isinstance(size, int) else None for size in sizes)


def _form(member: Member) -> Any:
    names = tuple(argument.name for argument in member.arguments)
    return member.path, member.class_name, names, member.around, member.built


def _shape(value: ir.Value) -> Any:
    return tuple(value.shape) if value.shape is not None else None


def _is_same(one: Member, other: Member) -> bool:
    """Tell whether two calls are of one member."""
    if one.class_name != other.class_name:
        return False
    if one.drafted is not None and other.drafted is not None:
        return one.path == other.path and _reads(one.drafted) == _reads(other.drafted)
    same = one.arguments == other.arguments and one.weights == other.weights
    return same and (bool(one.weights) or one.path == other.path)


def _reads(drafted: Drafted) -> list[Any]:
    """Return which weights a block reads, at all depths: two calls of one module read the same."""
    found: list[Any] = [id(value) for value in drafted.held if weight_of(value) is not None]
    for member in drafted.members:
        found += member.weights.values()
        found += _reads(member.drafted) if member.drafted is not None else []
    return found


def settle(definitions: list[Definition]) -> None:
    """Find what each class's constructor takes; those inside come first in the list."""
    for definition in definitions:
        for drafted in definition.instances:
            for member in drafted.members:
                inner = member.drafted.definition if member.drafted is not None else None
                if inner is not None:
                    values = [_value(member.drafted, inner, name) for name in inner.parameters]
                    member.arguments = [
                        Argument(name, value)
                        for name, value in zip(inner.parameters, values, strict=True)
                    ]
        _parameters(definition)


def _value(drafted: Drafted | None, definition: Definition, parameter: str) -> Any:
    assert drafted is not None
    for (member, argument), name in definition.places.items():
        if name == parameter:
            return drafted.members[member].arguments[argument].value
    raise KeyError(parameter)


def _parameters(definition: Definition) -> None:
    columns: dict[Any, str] = {}
    for index, member in enumerate(definition.first.members):
        for place, argument in enumerate(member.arguments):
            column = tuple(
                _hashable(drafted.members[index].arguments[place].value)
                for drafted in definition.instances
            )
            if len(set(column)) == 1:
                continue
            if column not in columns:
                columns[column] = _fresh(argument.name, member.path, set(definition.parameters))
                definition.parameters.append(columns[column])
            definition.places[index, place] = columns[column]


def _hashable(value: Any) -> Any:
    return tuple(map(_hashable, value)) if isinstance(value, list | tuple) else value


def _fresh(name: str, path: str, taken: set[str]) -> str:
    if name not in taken:
        return name
    return free(identifier(f"{path.replace('.', '_')}_{name}"), taken)


# ---------------------------------------------------------------------- names


def module_words(name: str) -> str:
    """Return the path of a weight in dots, whatever the source divides it with."""
    return name.replace("/", ".").removesuffix(":0")


def layer_path(layer: Layer, path: str) -> str:
    """Return where a layer stands: the path that its weights share, or one made of their name."""
    if not layer.weights:
        return _path_of_call(layer, path)
    names = [module_words(weight.name) for weight in layer.weights.values()]
    first, _, leaf = names[0].rpartition(".")
    if layer.kind in RECURRENT:
        first = re.sub(r"\.\w+_cell$", "", first)  # Keras' layer has its weights in a cell
        if layer.config["directions"] == 2:
            first = re.sub(r"\.forward_\w+$", "", first)
    if first and first != path and first.startswith(f"{path}." if path else ""):
        return first
    word = leaf.removesuffix("weight").removesuffix("kernel").strip("_")
    if not word or layer.kind in RECURRENT:  # ONNX calls what those read W, R and B
        word = layer.kind.lower()
    return f"{path}.{word}" if path else word


def _path_of_call(layer: Layer, path: str) -> str:
    """Return where a layer without weights stands: the module that was called, if it has a name."""
    place = module_words(plain(call_of(layer.node)))
    if place and place != path and place.startswith(f"{path}." if path else ""):
        return place
    word = layer.kind.lower()
    return f"{path}.{word}" if path else word


def relative(path: str, base: str) -> str:
    """Return a path below another one; parts that are numbers stay, the rest becomes words."""
    inner = path[len(base) + 1 :] if base and path.startswith(f"{base}.") else path
    *before, last = inner.split(".")
    if last.isascii() and last.isdigit() and before:
        return f"{identifier('_'.join(before))}.{last}"
    return identifier("_".join([*before, last]))


def collected(members: list[Member]) -> dict[str, list[str]]:
    """Return the collections among members: name to the numbers in it, in order of their calls."""
    found: dict[str, list[str]] = {}
    for member in members:
        name, dot, number = member.path.partition(".")
        if dot:
            found.setdefault(name, []).append(number)
    return found


def is_list(numbers: list[str]) -> bool:
    """Tell whether a collection counts from 0 without gaps."""
    return sorted(map(int, numbers)) == list(range(len(numbers)))


def access(path: str, collections: dict[str, list[str]]) -> str:
    """Return the expression of a member: ``self.conv1``, ``self.layers[0]``."""
    name, dot, number = path.partition(".")
    if not dot:
        return f"self.{name}"
    return f"self.{name}[{number}]" if is_list(collections[name]) else f'self.{name}["{number}"]'


def loops_of(
    block: Block, called: dict[int, str], collections: dict[str, list[str]], made: dict[int, Made]
) -> dict[int, tuple[str, int]]:
    """Return the runs of calls that are one loop: each gets what the one before it gave."""
    loops = {}
    for name, numbers in collections.items():
        if len(numbers) < 2 or not is_list(numbers):
            continue
        steps = [step for step in block.steps if called.get(id(step), "").startswith(f"{name}.")]
        if len(steps) != len(numbers):
            continue
        first = block.steps.index(steps[0])
        if block.steps[first : first + len(steps)] != steps:
            continue
        if [called[id(step)] for step in steps] != [f"{name}.{i}" for i in range(len(steps))]:
            continue
        wrapped = [item for step in steps if (item := made.get(id(step))) is not None]
        if any(item.given or item.taken or item.returned for item in wrapped):
            continue
        if len(steps[-1].outputs) == 1 and all(map(_follows, steps, steps[1:])):
            loops[id(steps[0])] = (f"self.{name}", len(steps))
    return loops


def _follows(before: Step, after: Step) -> bool:
    if len(before.outputs) != 1 or not after.inputs or after.inputs[0] is not before.outputs[0]:
        return False
    others = {node for node, _ in before.outputs[0].uses()}
    inside = _nodes_of(after)
    return others <= inside and before.inputs[1:] == after.inputs[1:]


def _nodes_of(step: Step) -> set[ir.Node]:
    if isinstance(step.what, Block):
        return {node for inner in step.what.steps for node in _nodes_of(inner)}
    return set(nodes_of(step))


def argument_names(block: Block, is_root: bool, taken: set[str]) -> list[str]:
    """Return what the function's arguments are called; they hide nothing that is taken."""
    taken = taken | {"self", "int", "float", "bool", "min", "max", "range", "_"}
    names: list[str] = []
    for index, value in enumerate(block.inputs):
        if is_root:
            wish = identifier(value.name or "") or f"input_{index}"
        elif value.dtype == ir.DataType.BOOL:
            wish = "mask"
        elif value.dtype is not None and not value.dtype.is_floating_point():
            wish = "ids"
        else:
            wish = "xyzuvw"[index] if index < 6 else f"x_{index}"
        names.append(free(wish, taken | set(names)))
    return names
