"""From what a trace rests on to what the user may rely on: ranges, relations and conditions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

import sympy
import torch
from torch.utils._sympy.printers import PythonPrinter

from converter.errors import InputSpecError, TraceError
from converter.expressions import holds, renamed, size_of, words_in
from converter.signature import Dim, DimRange, Signature
from converter.trace.pytorch.guards import Place, Places, environment, guards_of
from converter.trace.pytorch.provenance import source_line

SPECIAL = 2
"""`torch.export` takes every open size to be at least this: a bound of 2 says nothing."""

TRIED = (*range(1, 25), 32, 48, 49, 50, 64, 65, 100, 128, 127, 256)
"""Sizes at which a condition on one dimension is looked at; fewer where it has several."""

FEW = (1, 2, 3, 4, 5, 7, 8, 9, 16, 33)

STEPS = (2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32, 48, 56, 64)
"""Multiples that a condition may stand for."""


@dataclass
class Found:
    """What a trace found out.

    Attributes:
        signature: the declared one with it taken over.
        notes: each thing that was taken over, in a sentence, by what it is of: ``("from", word)``,
            ``("to", word)``, ``("is", word)`` or ``("if", condition)``.
        assumed: words whose lower end torch asked for, and not the user's code; and where.
    """

    signature: Signature
    notes: dict[tuple[str, str], str] = field(default_factory=dict)
    assumed: dict[str, Place] = field(default_factory=dict)


def sizes_of(program: torch.export.ExportedProgram) -> list[tuple[Any, ...]]:
    """Return each input's traced sizes: integers, or sympy's expressions."""
    values = {node.name: node.meta.get("val") for node in program.graph.nodes}
    return [
        tuple(
            int(size) if isinstance(size, int) else sympy.sympify(size.node.expr)
            for size in getattr(values.get(name), "shape", ())
        )
        for name in program.graph_signature.user_inputs
        if isinstance(name, str)
    ]


def related(
    program: torch.export.ExportedProgram, names: tuple[str, ...], signature: Signature,
    places: Places,
) -> Found:  # fmt: skip
    """Take over which dimensions follow from others.

    Args:
        names: the inputs in the program's order.

    Raises:
        TraceError: the model fixes a dimension that was declared open; says where.
    """
    traced = dict(zip(names, sizes_of(program), strict=False))
    ranges = {str(symbol): bounds for symbol, bounds in program.range_constraints.items()}
    words: dict[Any, str] = {}
    pairs = [
        (spec.name, axis, dim, traced[spec.name][axis])
        for spec in signature.inputs
        for axis, dim in enumerate(spec.shape or ())
        if isinstance(dim, str)
    ]
    for name, axis, dim, size in pairs:
        bounds = ranges.get(str(size))
        known = isinstance(size, int) or size.is_number
        if known or (bounds and bounds.lower == bounds.upper):
            value = bounds.lower if bounds and not known else size
            original = _original(program, name, axis)
            raise fixed(dim, int(value), places.settled.get(original, _of(size, places)))
        if size.is_symbol and dim.isidentifier():
            words.setdefault(size, dim)
    found = Found(signature)
    relations: dict[str, str] = {}
    for name, axis, dim, size in pairs:
        if not dim.isidentifier() or dim in relations:
            continue
        if not {str(symbol) for symbol in size.free_symbols} <= {str(s) for s in words}:
            continue
        text = python(size, {str(symbol): word for symbol, word in words.items()})
        if text == dim or dim in words_in(text):
            continue
        relations[dim] = text
        place = places.settled.get(_original(program, name, axis), Place())
        found.notes["is", dim] = tied(dim, text, place)
    found.signature = with_relations(signature, relations)
    return found


def with_relations(signature: Signature, relations: Mapping[str, str]) -> Signature:
    """Put expressions in place of words in a signature's inputs."""
    if not relations:
        return signature
    specs = tuple(
        replace(
            spec,
            shape=tuple(
                renamed(dim, relations) if isinstance(dim, str) else dim for dim in spec.shape
            ),
        )
        if spec.shape is not None
        else spec
        for spec in signature.inputs
    )
    return replace(signature, inputs=specs)


def fixed(dim: str, size: int, place: Place) -> TraceError:
    """Return the error for a dimension that was declared open and is not."""
    return TraceError(
        f"the model fixes the dimension {dim!r} at {size}, so it cannot be dynamic",
        module_path=place.module or None,
        source_line=place.line or None,
        hint=f"Write {size} instead of {dim} in --input, or change the model there.",
    )


def conditioned(
    program: torch.export.ExportedProgram, names: tuple[str, ...], signature: Signature,
    places: Places,
) -> Found:  # fmt: skip
    """Take over ranges and conditions on sizes that the trace rests on.

    What torch only assumes for its own sake is left out: that a size is not 0 or 1, and how
    tensors lie in memory. What holds for every declared size says nothing and is left out, too.
    """
    env = environment(program)
    if env is None:
        return Found(signature)
    found = Found(signature)
    texts = {str(symbol): text for symbol, text in _texts(env, signature, names).items()}
    for symbol, bounds in env.var_to_range.items():
        word = texts.get(str(symbol), "")
        if word.isidentifier():
            _take_range(found, word, bounds, symbol, places)
    found = take_guards(found, program, names, guards_of(env), places)
    return take_not_one(found, program, names)


SQUEEZES = (
    torch.ops.aten.squeeze.default,
    torch.ops.aten.squeeze.dim,
    torch.ops.aten.squeeze.dims,
)


def take_not_one(
    found: Found, program: torch.export.ExportedProgram, names: tuple[str, ...]
) -> Found:
    """Add that a size may not be 1 where `squeeze` or a slice rests on it; ``found`` is changed.

    `torch.export` takes every open size to be 2 or more, and says nothing of where that decides.
    """
    env = environment(program)
    for node in program.graph.nodes if env is not None else ():
        if node.target not in (*SQUEEZES, torch.ops.aten.slice.Tensor):
            continue
        texts = {str(symbol): text for symbol, text in _texts(env, found.signature, names).items()}
        for size in cut_at_two(node) if node.target not in SQUEEZES else squeezed(node):
            expression = getattr(getattr(size, "node", None), "expr", None)
            if expression is None or not {str(s) for s in expression.free_symbols} <= set(texts):
                continue
            try:
                condition = f"{python(expression, texts)} != 1"
                _take_condition(found, condition, place_of(node))
            except InputSpecError:
                continue  # no expression of sizes: the verifier's runs are what is left
    return found


def cut_at_two(node: torch.fx.Node) -> list[Any]:
    """Return the size that a slice cuts where only one row would be too few: ``x[:2]``, ``x[-2:]``.

    A slice that needs more rows makes torch ask for them, which is found among its ranges.
    """
    source, *rest = node.args
    axis, start, end = (*rest, *(0, None, None)[len(rest) :])[:3]
    shape = source.meta["val"].shape  # type: ignore[union-attr]
    bounds = [bound for bound in (start, end) if isinstance(bound, int)]
    return [shape[axis]] if any(abs(bound) == 2 for bound in bounds) else []  # type: ignore[index]


def place_of(node: torch.fx.Node) -> Place:
    """Return where a node of a program comes from."""
    modules = list((node.meta.get("nn_module_stack") or {}).values())
    line = source_line(node.meta.get("stack_trace") or "", keep_paths=False)
    return Place(line, modules[-1][0] if modules else "")


def squeezed(node: torch.fx.Node) -> list[Any]:
    """Return the sizes that a squeeze asks about."""
    shape = node.args[0].meta["val"].shape  # type: ignore[union-attr]
    if len(node.args) == 1:
        return list(shape)
    axes = node.args[1] if isinstance(node.args[1], list | tuple) else [node.args[1]]
    return [shape[axis] for axis in axes] if shape else []  # type: ignore[index]


def take_guards(
    found: Found, program: torch.export.ExportedProgram, names: tuple[str, ...],
    guards: Iterable[Any], places: Places,
) -> Found:  # fmt: skip
    """Add the conditions that guards are; ``found`` is changed and returned.

    Raises:
        TraceError: a guard that does not hold for all sizes is nothing that sizes can say.
    """
    env = environment(program)
    for guard in guards:
        place = places.guards.get(str(guard), Place())
        if not place.own and _of_torch_alone(guard):
            continue
        texts = {str(symbol): text for symbol, text in _texts(env, found.signature, names).items()}
        if not {str(symbol) for symbol in guard.free_symbols} <= set(texts):
            continue  # of a size that depends on values
        try:
            _take_condition(found, python(guard, texts), place)
        except InputSpecError as error:
            if not _true_of_all(guard):
                raise unsayable(guard, texts, place) from error
    return found


def _true_of_all(guard: Any) -> bool:
    """Tell whether a guard holds for all sizes that are tried."""
    symbols = sorted(guard.free_symbols, key=str)
    cases = product(TRIED if len(symbols) == 1 else FEW, repeat=len(symbols))
    return all(guard.xreplace(dict(zip(symbols, map(sympy.Integer, case), strict=True))) == True  # noqa: E712
               for case in cases)  # fmt: skip


def unsayable(guard: Any, texts: Mapping[str, str], place: Place) -> TraceError:
    """Return the error for a condition that expressions of sizes cannot say."""
    words = [texts[str(symbol)] for symbol in sorted(guard.free_symbols, key=str)]
    return TraceError(
        f"the model takes another way for some sizes of {' and '.join(map(repr, words))}, and what "
        "decides is more than a comparison of integers",
        module_path=place.module or None,
        source_line=place.line or None,
        hint="Write sizes instead of these words in --input, or change the model there.",
    )


def _of_torch_alone(guard: Any) -> bool:
    """Tell whether a guard of torch's own only keeps special cases of layout and size apart."""
    return isinstance(guard, sympy.Ne | sympy.Gt | sympy.Ge | sympy.Lt | sympy.Le)


def _take_range(found: Found, word: str, bounds: Any, symbol: Any, places: Places) -> None:
    declared = found.signature.dims.get(word, DimRange())
    low, high = declared.minimum, declared.maximum
    if bounds.lower.is_Integer and int(bounds.lower) > max(SPECIAL, low):
        low, place = int(bounds.lower), places.lowest.get(symbol, Place())
        found.notes["from", word] = lowest(word, low, place)
        if not place.own:
            found.assumed[word] = place
    if bounds.upper.is_Integer and (high is None or int(bounds.upper) < high):
        high = int(bounds.upper)
        at = _at(places.highest.get(symbol, Place()))
        found.notes["to", word] = f"the model takes {word} up to {high}{at}: its range ends there"
    if (low, high) != (declared.minimum, declared.maximum):
        dims = {**found.signature.dims, word: DimRange(low, high)}
        found.signature = replace(found.signature, dims=dims)


def lowest(word: str, size: int, place: Place) -> str:
    """Return the note for a lower end that was taken over."""
    return f"the model takes {word} from {size} on{_at(place)}: its range begins there"


def _take_condition(found: Found, condition: str, place: Place) -> None:
    words = words_in(condition)
    if not words or condition in found.signature.conditions:
        return
    known = [text for text in found.signature.conditions if set(words_in(text)) <= set(words)]
    tried = TRIED if len(words) == 1 else FEW
    ranges = [
        [size for size in tried if _inside(found.signature.dims.get(word), size)] for word in words
    ]
    cases = [dict(zip(words, sizes, strict=True)) for sizes in product(*ranges[:MOST_WORDS])]
    if len(words) <= MOST_WORDS:
        cases = [case for case in cases if all(holds(text, case) for text in known)]
        true = [case for case in cases if holds(condition, case)]
        if len(true) == len(cases):
            return
        condition = _plainer(condition, words, cases, true)
    conditions = (*found.signature.conditions, condition)
    found.signature = replace(found.signature, conditions=conditions)
    found.notes["if", condition] = f"the model was traced for sizes with {condition}{_at(place)}"
    for word, text in _pinned(found.signature.conditions).items():
        _tie(found, word, text, place)


def _pinned(conditions: tuple[str, ...]) -> dict[str, str]:
    """Return a word that conditions leave one value, and the expression that it is."""
    for condition in conditions:
        match = _COMPARISON.match(condition)
        if not match:
            continue
        left, kind, right = match["left"], match["kind"], match["right"]
        other = {"<=": ">=", ">=": "<="}.get(kind, "")
        both = {f"{right} {kind} {left}", f"{left} {other} {right}"} & set(conditions)
        if kind == "==" or (other and both):
            for word, text in ((left, right), (right, left)):
                if word.isidentifier() and word not in words_in(text):
                    return {word: text}
    return {}


_COMPARISON = re.compile(r"^(?P<left>[^<>=!]+) (?P<kind>==|<=|>=) (?P<right>[^<>=!]+)$")


def _tie(found: Found, word: str, text: str, place: Place) -> None:
    """Put an expression in place of a word, and take back what was said of it."""
    signature = with_relations(found.signature, {word: text})
    kept = {name: allowed for name, allowed in signature.dims.items() if name != word}
    conditions = tuple(c for c in signature.conditions if word not in words_in(c))
    for key in [("from", word), ("to", word)]:
        found.notes.pop(key, None)
    for condition in set(found.signature.conditions) - set(conditions):
        found.notes.pop(("if", condition), None)
    found.assumed.pop(word, None)
    found.signature = replace(signature, dims=kept, conditions=conditions)
    found.notes["is", word] = tied(word, text, place)


def tied(word: str, text: str, place: Place) -> str:
    """Return the note for a size that follows from others."""
    return f"the model needs {word} to be {text}{_at(place)}: it was taken as such"


MOST_WORDS = 4
"""A condition of more words is taken as it is."""


def _inside(allowed: DimRange | None, size: int) -> bool:
    if allowed is None:
        return True
    return allowed.minimum <= size and (allowed.maximum is None or size <= allowed.maximum)


Cases = list[dict[str, int]]


def _plainer(condition: str, words: list[str], cases: Cases, true: Cases) -> str:
    """Write a condition as a multiple of one word, where it is one."""
    if not true:
        return condition
    for word, step in product(words, STEPS):
        plain = f"{word} % {step} == {true[0][word] % step}"
        if [case for case in cases if holds(plain, case)] == true:
            return plain
    return condition


def _at(place: Place) -> str:
    return f" ({place})" if str(place) else ""


def _of(size: Any, places: Places) -> Place:
    """Return where a symbol's range became one number."""
    return places.highest.get(size) or places.lowest.get(size) or Place()


_SOURCE = re.compile(r"^L\['(?P<name>\w+)'\](\[(?P<index>\d+)\])?\.size\(\)\[(?P<axis>\d+)\]$")


def _places_of(env: Any, names: tuple[str, ...]) -> dict[Any, tuple[str, int]]:
    """Return input and axis that each symbol was made for."""
    found: dict[Any, tuple[str, int]] = {}
    for symbol, sources in env.var_to_sources.items():
        for source in sources:
            name = source.name() if callable(source.name) else source.name
            if match := _SOURCE.match(name):
                index = match["index"]
                own = names[int(index)] if index and match["name"] not in names else match["name"]
                found[symbol] = (own, int(match["axis"]))
                break
    return found


def _texts(env: Any, signature: Signature, names: tuple[str, ...]) -> dict[Any, str]:
    """Return word or expression of each symbol that stands for a size of an input."""
    shapes = {spec.name: spec.shape or () for spec in signature.inputs}
    texts: dict[Any, str] = {}
    for symbol, (name, axis) in _places_of(env, names).items():
        dim: Dim = shapes.get(name, ())[axis] if axis < len(shapes.get(name, ())) else 0
        if isinstance(dim, str):
            texts[symbol] = dim
    return texts


def _original(program: torch.export.ExportedProgram, name: str, axis: int) -> Any:
    """Return the symbol that an axis of an input had before anything was known of it."""
    env = environment(program)
    names = tuple(n for n in program.graph_signature.user_inputs if isinstance(n, str))
    for symbol, place in _places_of(env, names).items() if env is not None else ():
        if place == (name, axis):
            return symbol
    return None


def python(expression: Any, texts: Mapping[str, str]) -> str:
    """Write a condition or size of sympy's with the user's words.

    Raises:
        InputSpecError: it is nothing that sizes can say.
    """
    if isinstance(expression, sympy.core.relational.Relational):
        left, right = python(expression.lhs, texts), python(expression.rhs, texts)
        return f"{left} {expression.rel_op} {right}"
    if isinstance(expression, sympy.And | sympy.Or):
        joint = " and " if isinstance(expression, sympy.And) else " or "
        return joint.join(f"({python(part, texts)})" for part in expression.args)
    if isinstance(expression, sympy.Not):
        return f"not ({python(expression.args[0], texts)})"
    for printed in (str(expression), PythonPrinter().doprint(expression).replace("math.", "")):
        try:
            size_of(printed, {str(symbol): 7 for symbol in expression.free_symbols})
        except (InputSpecError, ZeroDivisionError):
            continue
        return renamed(printed, texts)
    return str(expression)
