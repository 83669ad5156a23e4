"""Export a live module with open sizes, and take over what the model demands of them.

`torch.export` refuses a dimension that the model bounds (``t <= 512``) or ties to another one
(``past + 1``), and guards that it cannot prove. Here the module is then traced once more with every
relation allowed, and what comes out is laid over the user's declaration: with that it is exported,
and guards that are left become conditions of the signature. Nothing is widened silently: a trace
rests on its guards, and each of them is a range, a relation or a condition, unless it holds for all
sizes or only says how tensors lie in memory.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from converter.errors import EquiportError
from converter.expressions import size_of, words_in
from converter.signature import DimRange, Signature
from converter.sizes import fits, nearest
from converter.trace.pytorch import forked
from converter.trace.pytorch.causes import chain_of, words_of
from converter.trace.pytorch.examples import Example, example_sizes, from_signature
from converter.trace.pytorch.findings import (
    Found,
    conditioned,
    lowest,
    related,
    take_guards,
    take_not_one,
)
from converter.trace.pytorch.guards import Places, environment, guards_of, recorded
from converter.trace.pytorch.other_sizes import holds_at

STEPS = (1, 8, 32)
"""Open sizes in the examples: any, multiples of 8, multiples of 32, until the model takes them."""

_WANTED = re.compile(r"(?P<size>\d+) not in VR\[(?P<low>\d+), (?P<high>\d+|int_oo)\]")
"""What torch says where an example's size is not what an operator demands."""


@dataclass
class Exported:
    """An exported program and what was found out on the way.

    Attributes:
        names: the inputs, in the program's order.
        signature: the declared inputs, with what the model demands of their sizes.
        notes: what was taken over, a sentence each.
    """

    program: torch.export.ExportedProgram
    names: tuple[str, ...]
    signature: Signature
    notes: list[str] = field(default_factory=list)


def export_module(
    module: torch.nn.Module, example: Example, *, deferred: bool = False
) -> torch.export.ExportedProgram:
    """Run `torch.export` on a live module.

    Args:
        deferred: guards that cannot be proved become assertions in the program.
    """
    return torch.export.export(
        module,
        example.args,
        example.kwargs or None,
        dynamic_shapes=example.dynamic_shapes,
        strict=False,
        prefer_deferred_runtime_asserts_over_guards=deferred,
    )


def export_open(
    module: torch.nn.Module,
    signature: Signature,
    given: Mapping[str, torch.Tensor] | None = None,
) -> Exported:
    """Export a module; the dimensions that are words stay open as far as the model lets them.

    Args:
        given: example tensors by input name, instead of made ones.

    Raises:
        TraceError: the model fixes an open dimension; says where.
        Exception: whatever `torch.export` raises.
    """
    example = from_signature(module, signature, given)
    try:
        program = export_module(module, example)
        found = take_not_one(Found(signature), program, example.names)
        return Exported(program, example.names, found.signature, list(found.notes.values()))
    except EquiportError:
        raise
    except Exception as error:
        refusal = error
    if not signature.dynamic_dims():
        raise refusal
    if not _about_sizes(refusal):
        raise refusal
    for sizes in [None] if given else tried_sizes(signature):
        try:
            return _with_findings(module, signature, given, sizes)
        except EquiportError:
            raise
        except Exception as error:
            last = error
        if not _about_sizes(last):
            break
        if sizes and (better := _demanded(last, sizes)) != sizes:
            try:
                return _with_findings(module, signature, given, better)
            except EquiportError:
                raise
            except Exception as error:
                last = error
    raise last if _constrained(refusal) else refusal


def tried_sizes(signature: Signature) -> list[dict[str, int]]:
    """Return the sizes of examples that are tried, in order."""
    return [example_sizes(signature, step) for step in STEPS]


def _demanded(error: Exception, sizes: dict[str, int]) -> dict[str, int]:
    """Put the size that an operator demands in place of the one that it refused."""
    match = _WANTED.search(str(error))
    if not match:
        return sizes
    refused, wanted = int(match["size"]), int(match["low"])
    return {word: wanted if size == refused else size for word, size in sizes.items()}


_OTHER = (
    "GuardOnDataDependentSymNode", "DataDependentOutputException", "UnsupportedOperatorException",
    "DynamicOutputShapeException",
)  # fmt: skip


def _about_sizes(error: Exception) -> bool:
    """Tell whether other sizes, or relations between them, might help against an error."""
    causes = {type(link).__name__ for link in chain_of(error)}
    return not causes & set(_OTHER) and (words_of(chain_of(error)[-1]) == ("", None))


def _constrained(error: Exception) -> bool:
    return "Constraints violated" in str(error)


def _with_findings(
    module: torch.nn.Module, signature: Signature, given: Any, sizes: dict[str, int] | None
) -> Exported:
    example = from_signature(module, signature, given, sizes=sizes)
    program, places = _traced(module, replace(example, dynamic_shapes=any_size(example)))
    found = related(program, example.names, signature, places)
    found = _joined(found, conditioned(program, example.names, found.signature, places))
    if sizes is not None and (tied := _tied_instead(found, sizes)):
        retried = _with_findings(module, signature, given, tied)
        if set(retried.signature.dynamic_dims()) < set(signature.dynamic_dims()):
            return retried
    if sizes is not None:
        sizes = nearest(found.signature, sizes) or sizes
        found = _as_low_as_it_goes(module, program, found, signature, sizes)
    named = from_signature(module, found.signature, given, sizes=sizes)
    try:
        program, places = _traced(module, named)
    except EquiportError:
        raise
    except Exception:
        # Relations that `torch.export` has no words for: the program with free relations is as
        # true, its symbols are named by their places.
        return Exported(program, example.names, found.signature, list(found.notes.values()))
    found = _joined(found, conditioned(program, named.names, found.signature, places))
    return Exported(program, named.names, found.signature, list(found.notes.values()))


def guards_before(exported: Exported) -> frozenset[str]:
    """Return what a program rests on before its operators are decomposed."""
    env = environment(exported.program)
    return frozenset(map(str, guards_of(env))) if env is not None else frozenset()


def found_while_translated(exported: Exported, before: frozenset[str]) -> Exported:
    """Take over what operators' decompositions asked of sizes: their guards come after the export.

    Without this a decomposition that looks at a size keeps what it found for the example.
    """
    env = environment(exported.program)
    if env is None or not exported.names:
        return exported
    new = [guard for guard in guards_of(env) if str(guard) not in before]
    found = Found(exported.signature)
    found = take_guards(found, exported.program, exported.names, new, Places())
    notes = [*exported.notes, *found.notes.values()]
    return replace(exported, signature=found.signature, notes=notes)


_APART = re.compile(r"^(?P<left>[^<>=!]+) (?P<kind><|>) (?P<right>[^<>=!]+)$")


def _tied_instead(found: Found, sizes: dict[str, int]) -> dict[str, int] | None:
    """Return sizes with which two that the model compares are equal, where they were not.

    A model that fills a mask up to the length of its cache is mostly called with a mask of that
    length: if it then needs both to be equal, that is what it is for.
    """
    for condition in found.signature.conditions:
        match = _APART.match(condition)
        for word, text in (
            (match.group("left", "right"), match.group("right", "left")) if match else ()
        ):
            if word.isidentifier() and word not in words_in(text):
                equal = {**sizes, word: size_of(text, sizes)}
                if equal != sizes and fits(replace(found.signature, conditions=()), equal):
                    return equal
    return None


def _as_low_as_it_goes(
    module: torch.nn.Module,
    program: torch.export.ExportedProgram,
    found: Found,
    declared: Signature,
    sizes: dict[str, int],
) -> Found:
    """Take lower ends back that only stand for torch's own dislike of 0 and 1.

    ``x[:, 1:]`` makes torch ask for 3, because it wants what is left to be 2. A smaller size is
    allowed where the program does with it what the module does: ``x[:3]`` does not.
    """
    dims = dict(found.signature.dims)
    notes = dict(found.notes)
    for word, place in found.assumed.items():
        low, lowest_wish = dims[word].minimum, declared.dims.get(word, DimRange()).minimum
        notes.pop(("from", word), None)
        least = low
        while least > max(lowest_wish, low - LOWER) and _runs(
            module, program, found.signature, {**sizes, word: least - 1}
        ):
            least -= 1
        dims[word] = DimRange(least, dims[word].maximum)
        if least > max(1, declared.dims.get(word, DimRange()).minimum):
            notes["from", word] = lowest(word, least, place)
    return replace(found, signature=replace(found.signature, dims=dims), notes=notes)


LOWER = 4
"""How far below what torch asks for smaller sizes are tried."""


def _runs(
    module: torch.nn.Module,
    program: torch.export.ExportedProgram,
    signature: Signature,
    sizes: dict[str, int],
) -> bool:
    """Tell whether the model can be exported with fixed sizes, and does then what it did before."""
    example = from_signature(module, signature, sizes=sizes)
    try:
        fixed = export_module(module, replace(example, dynamic_shapes=None))
    except Exception:
        return False
    return forked.holds(lambda: holds_at(program, fixed, example))


def _traced(
    module: torch.nn.Module, example: Example
) -> tuple[torch.export.ExportedProgram, Places]:
    with recorded(module) as places:
        return export_module(module, example, deferred=True), places


def _joined(before: Found, after: Found) -> Found:
    return replace(after, notes={**before.notes, **after.notes})


def any_size(example: Example) -> Any:
    """Return dynamic shapes in which every open size may relate to every other one."""
    return _mapped(
        example.dynamic_shapes, lambda dim: dim if isinstance(dim, int) else torch.export.Dim.AUTO
    )


def _mapped(shapes: Any, change: Callable[[Any], Any]) -> Any:
    if shapes is None:
        return None
    if isinstance(shapes, dict):
        return {key: _mapped(item, change) for key, item in shapes.items()}
    if isinstance(shapes, tuple | list):
        return tuple(_mapped(item, change) for item in shapes)
    return change(shapes)
