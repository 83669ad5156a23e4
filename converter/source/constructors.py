"""The constructor of a written class: its members, in the order of their first call."""

from __future__ import annotations

from converter.source.classes import Definition, Member, access, collected, is_list
from converter.source.expressions import number
from converter.source.language import Language
from converter.source.made import REQUIRED


def constructor_lines(definition: Definition, language: Language) -> list[str]:
    """Return the statements that make a class's members."""
    members, lines, done = definition.first.members, [], set()
    collections = collected(members)
    for index, member in enumerate(members):
        name, dot, _ = member.path.partition(".")
        if not dot:
            lines.append(f"self.{name} = {_made(definition, index, member, language)}")
        elif name not in done:
            done.add(name)
            lines.append(
                f"self.{name} = {_collection(definition, name, collections[name], language)}"
            )
    for member in members if language.builds_members else ():
        if member.built is not None:
            lines.append(f"{access(member.path, collections)}.build({number(member.built)})")
    for value, name in definition.first.held.items():
        lines.append(language.hold(value, name))
    return lines


def _made(definition: Definition, index: int, member: Member, language: Language) -> str:
    texts = []
    for position, argument in enumerate(member.arguments):
        parameter = definition.places.get((index, position))
        if parameter is None and argument.value == argument.default:
            continue
        text = parameter or number(argument.value)
        texts.append(text if argument.default is REQUIRED else f"{argument.name}={text}")
    if language.names_members and "." not in member.path and is_scope(member.path):
        texts.append(f'name="{member.path}"')
    return member.around.format(f"{member.class_name}({', '.join(texts)})")


def is_scope(name: str) -> bool:
    """Tell whether TensorFlow takes a name for a scope: ``_first`` and ``größe`` are none."""
    return name.isascii() and not name.startswith("_")


def _collection(definition: Definition, name: str, numbers: list[str], language: Language) -> str:
    made = {
        member.path.partition(".")[2]: _made(definition, index, member, language)
        for index, member in enumerate(definition.first.members)
        if member.path.startswith(f"{name}.")
    }
    if not is_list(numbers):
        return language.mapped({key: made[key] for key in sorted(made, key=int)})
    items = [made[str(index)] for index in range(len(made))]
    if len(items) > 1 and len(set(items)) == 1:
        return language.repeated(items[0], len(items))
    return language.listed(items)


def type_of(definition: Definition, parameter: str, dtype: str) -> str:
    """Return the type of an argument of a constructor.

    Args:
        dtype: what the framework's types of elements are.
    """
    for (member, argument), name in definition.places.items():
        if name == parameter:
            values = {
                type(drafted.members[member].arguments[argument].value).__name__
                for drafted in definition.instances
            }
            if values == {"tuple"}:
                return "tuple[int, ...]"
            if values == {"Text"}:
                return dtype
            return values.pop() if len(values) == 1 else "int | tuple[int, ...]"
    raise KeyError(parameter)
