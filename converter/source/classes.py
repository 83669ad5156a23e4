"""Which blocks are one class, what its constructor takes, and what its members are called.

Two calls are of one class if their text is the same but for the numbers of their layers. Numbers
that differ become arguments of the constructor; numbers that always go together are one argument.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import onnx_ir as ir

from converter.graph.structure.layers import Layer
from converter.graph.structure.sizes import Sizes
from converter.graph.structure.tree import Block, Step
from converter.graph.structure.weights import Weight, weight_of
from converter.source.body import Language, Members, statements
from converter.source.errors import NotWritable

REQUIRED = object()
"""In place of the default of an argument that has none."""


@dataclass(frozen=True)
class Argument:
    """An argument of a constructor; one without a default goes without its name."""

    name: str
    value: Any
    default: Any = REQUIRED


Arguments = list[Argument]


@dataclass(eq=False)
class Member:
    """Something that a class makes in its constructor.

    Attributes:
        path: below ``self``: ``conv1``, ``layers.0``.
        class_name: a layer of the framework, or a class of the module.
        arguments: of its constructor.
        weights: of a layer, by name.
        drafted: what a class of the module is made of.
    """

    path: str
    class_name: str
    arguments: Arguments = field(default_factory=list)
    weights: dict[str, Weight] = field(default_factory=dict)
    drafted: Drafted | None = None
    tied: str = ""


@dataclass(eq=False)
class Drafted:
    """One block, written, with its numbers apart.

    Attributes:
        members: layers and blocks in the order of their first call.
        held: name on ``self`` of each weight and constant that the block reads itself.
        lines: of its function.
        arguments: what its function takes.
        definition: the class that it is an instance of, once that is known.
    """

    block: Block
    path: str
    members: list[Member]
    held: dict[ir.Value, str]
    lines: list[str]
    arguments: list[str]
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

    def __init__(
        self,
        sizes: Sizes,
        language: Language,
        constructor: Callable[[Layer], tuple[str, list[Argument]]],
        root_name: str,
    ) -> None:
        self.sizes, self.language, self.constructor = sizes, language, constructor
        self.root_name = root_name
        self.definitions: list[Definition] = []
        self.keys: dict[Any, Definition] = {}
        self.names: set[str] = set(language.reserved)
        self.owned: dict[ir.Value, str] = {}

    def draft(self, block: Block, path: str = "") -> Drafted:
        """Return a block as text, its blocks first."""
        members: list[Member] = []
        called: dict[int, str] = {}
        seen: dict[str, Member] = {}
        for step in block.steps:
            member = self._member(step, path)
            if member is None:
                continue
            known = seen.get(member.path)
            if known is None:
                seen[member.path] = member
                members.append(member)
            elif not _same_member(known, member):
                raise NotWritable(f"{path}.{member.path} is not the same module at each call")
            called[id(step)] = member.path
        collections = collected(members)
        held = self._held(block, path, {member.path.partition(".")[0] for member in members})
        expressions = {key: access(member, collections) for key, member in called.items()}
        loops = loops_of(block, called, seen, collections)
        arguments = argument_names(block, path == "")
        texts = Members(held, expressions, loops)
        lines = statements(block, arguments, texts, self.sizes, self.language)
        drafted = Drafted(block, path, members, held, lines, arguments)
        self._define(drafted)
        return drafted

    def _member(self, step: Step, path: str) -> Member | None:
        if isinstance(step.what, Block):
            scope = step.what.scope
            assert scope is not None
            drafted = self.draft(step.what, scope.path)
            definition = drafted.definition
            assert definition is not None
            return Member(relative(scope.path, path), definition.name, drafted=drafted)
        if isinstance(step.what, Layer):
            class_name, arguments = self.constructor(step.what)
            name = relative(layer_path(step.what, path), path)
            return Member(name, class_name, arguments, step.what.weights)
        return None

    def _held(self, block: Block, path: str, taken: set[str]) -> dict[ir.Value, str]:
        held: dict[ir.Value, str] = {}
        for value in block.held:
            weight = weight_of(value)
            wish = relative(module_words(weight.name), path) if weight is not None else "constant"
            name = identifier(wish.replace(".", "_"))
            count, base = 1, name
            while name in taken:
                count += 1
                name = f"{base}_{count}"
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
            name, count = identifier(wish) or "Block", 1
            while name in self.names:
                count += 1
                name = f"{identifier(wish)}{count}"
            self.names.add(name)
            definition = self.keys[key] = Definition(name, [])
            self.definitions.append(definition)
        definition.instances.append(drafted)
        drafted.definition = definition


def _form(member: Member) -> Any:
    return member.path, member.class_name, tuple(a.name for a in member.arguments)


def _shape(value: ir.Value) -> Any:
    return tuple(value.shape) if value.shape is not None else None


def _same_member(one: Member, other: Member) -> bool:
    if one.drafted is not None and other.drafted is not None:
        return one.drafted.definition is other.drafted.definition
    names = {name: weight.name for name, weight in one.weights.items()}
    return names == {name: weight.name for name, weight in other.weights.items()}


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
    longer = identifier(f"{path.replace('.', '_')}_{name}")
    count, base = 1, longer
    while longer in taken:
        count += 1
        longer = f"{base}_{count}"
    return longer


# ---------------------------------------------------------------------- names


def identifier(text: str) -> str:
    """Return a word that Python takes as a name."""
    word = re.sub(r"\W", "_", text)
    return f"_{word}" if word[:1].isdigit() else word


def module_words(name: str) -> str:
    """Return the path of a weight in dots, whatever the source divides it with."""
    return name.replace("/", ".").removesuffix(":0")


def layer_path(layer: Layer, path: str) -> str:
    """Return where a layer stands: the path that its weights share, or one made of their name."""
    names = [module_words(weight.name) for weight in layer.weights.values()]
    first, _, leaf = names[0].rpartition(".")
    if first and first != path and first.startswith(f"{path}." if path else ""):
        return first
    word = leaf.removesuffix("weight").removesuffix("kernel").strip("_") or layer.kind.lower()
    return f"{path}.{word}" if path else word


def relative(path: str, base: str) -> str:
    """Return a path below another one; parts that are numbers stay, the rest becomes words."""
    inner = path[len(base) + 1 :] if base and path.startswith(f"{base}.") else path
    *before, last = inner.split(".")
    if last.isdigit() and before:
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
    block: Block, called: dict[int, str], seen: dict[str, Member], collections: dict[str, list[str]]
) -> dict[int, tuple[str, int]]:
    """Return the runs of calls that are one loop: each gets what the one before it gave."""
    loops = {}
    for name, numbers in collections.items():
        if len(numbers) < 2 or not is_list(numbers):
            continue
        steps = [step for step in block.steps if called.get(id(step), "").startswith(f"{name}.")]
        first = block.steps.index(steps[0])
        if block.steps[first : first + len(steps)] != steps or len(steps) != len(numbers):
            continue
        if [called[id(step)] for step in steps] != [f"{name}.{i}" for i in range(len(steps))]:
            continue
        if all(map(_follows, steps, steps[1:])):
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
    return set(step.what.nodes) if isinstance(step.what, Layer) else {step.what}


def argument_names(block: Block, is_root: bool) -> list[str]:
    """Return what the function's arguments are called."""
    names: list[str] = []
    for index, value in enumerate(block.inputs):
        if is_root:
            wish = identifier(value.name or f"input_{index}")
        elif value.dtype == ir.DataType.BOOL:
            wish = "mask"
        elif value.dtype is not None and not value.dtype.is_floating_point():
            wish = "ids"
        else:
            wish = "xyzuvw"[index] if index < 6 else f"x_{index}"
        name, count = wish, 1
        while name in names:
            count += 1
            name = f"{wish}_{count}"
        names.append(name)
    return names
