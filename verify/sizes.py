"""Sizes for dynamic dimensions: every one is swept, inside the range that it declares."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator, Mapping

from converter.errors import InputSpecError
from converter.signature import Dim, DimRange, Signature

LEVELS = 4
"""Each dynamic dimension is tried at this many sizes: 1, 2, a small odd one, a larger one."""

MOST = 12
"""Most combinations of sizes, however many dynamic dimensions there are."""

MOST_ELEMENTS = 1 << 16
"""Inputs that hold more elements than this are not made just to try a larger size."""

_OPERATORS = {
    ast.Add: int.__add__,
    ast.Sub: int.__sub__,
    ast.Mult: int.__mul__,
    ast.FloorDiv: int.__floordiv__,
    ast.Mod: int.__mod__,
}


def names_in(dim: Dim) -> list[str]:
    """Return the words in a dimension; an expression such as ``2*seq + 1`` has one."""
    if isinstance(dim, int):
        return []
    return [node.id for node in ast.walk(_parsed(dim)) if isinstance(node, ast.Name)]


def size_of(dim: Dim, sizes: Mapping[str, int]) -> int:
    """Return the size of a dimension, given the sizes of the words.

    Raises:
        InputSpecError: the expression has something else than words, integers and ``+ - * // %``.
    """
    return dim if isinstance(dim, int) else _value(_parsed(dim).body, dim, sizes)


def _parsed(dim: str) -> ast.Expression:
    try:
        return ast.parse(dim.strip(), mode="eval")
    except SyntaxError as error:
        raise InputSpecError(
            f"the dimension {dim!r} is neither a word nor an expression",
            hint='Describe the input with --input, e.g. --input "x:float32[batch,3,32,32]".',
        ) from error


def _value(node: ast.expr, text: str, sizes: Mapping[str, int]) -> int:
    if isinstance(node, ast.Constant) and isinstance(node.value, int):
        return node.value
    if isinstance(node, ast.Name) and node.id in sizes:
        return sizes[node.id]
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        left, right = _value(node.left, text, sizes), _value(node.right, text, sizes)
        return _OPERATORS[type(node.op)](left, right)
    raise InputSpecError(
        f"the dimension {text!r} cannot be computed",
        hint='Describe the input with --input, e.g. --input "x:float32[batch,3,32,32]".',
    )


def dynamic_names(signature: Signature) -> tuple[str, ...]:
    """Return the words in the inputs' dimensions, in order of appearance."""
    names: dict[str, None] = {}
    for spec in signature.inputs:
        for dim in spec.shape or ():
            names.update(dict.fromkeys(names_in(dim)))
    return tuple(names)


def sweep(
    signature: Signature, chosen: Mapping[str, list[int]] | None = None
) -> list[dict[str, int]]:
    """Return the combinations of sizes to run, at most `MOST`, none twice.

    First those in which the dimensions stand at different levels, so that two of them which a
    conversion has swapped or frozen show; in these each dimension takes every one of its sizes.
    Then the corners: all at their largest, all at their smallest, one at its smallest and the
    others at their largest, and one at the largest size that was declared for it, the others at
    their smallest, where that is not too large to run.

    Args:
        chosen: sizes to use for a dimension instead of the usual ones.
    """
    names = dynamic_names(signature)
    chosen = chosen or {}
    if unknown := sorted(set(chosen) - set(names)):
        raise InputSpecError(
            f"the model has no dynamic dimension called {unknown[0]!r}",
            hint=f"It has: {', '.join(names) or 'none'}.",
        )
    candidates = {
        name: list(chosen.get(name) or _levels(signature.dims.get(name, DimRange()), index))
        for index, name in enumerate(names)
    }
    high = {name: max(sizes) for name, sizes in candidates.items()}
    if elements(signature, high) > MOST_ELEMENTS:
        for name in set(names) - set(chosen):  # large inputs: the three smaller sizes are enough
            candidates[name] = sorted(candidates[name])[: LEVELS - 1]
    count = max((len(sizes) for sizes in candidates.values()), default=1)
    result = [
        {
            name: sizes[(run + index) % len(sizes)]
            for index, (name, sizes) in enumerate(candidates.items())
        }
        for run in range(count)
    ]
    for corner in _corners(signature, candidates, chosen):
        if corner not in result and len(result) < max(MOST, count):
            result.append(corner)
    return result


def _corners(
    signature: Signature, candidates: Mapping[str, list[int]], chosen: Mapping[str, list[int]]
) -> Iterator[dict[str, int]]:
    low = {name: min(sizes) for name, sizes in candidates.items()}
    high = {name: max(sizes) for name, sizes in candidates.items()}
    yield high
    yield low
    for name in candidates:
        most = signature.dims.get(name, DimRange()).maximum
        if most is not None and name not in chosen:
            corner = {**low, name: most}
            if elements(signature, corner) <= MOST_ELEMENTS:
                yield corner
    for name in candidates:
        yield {**high, name: low[name]}


def elements(signature: Signature, sizes: Mapping[str, int]) -> int:
    """Return how many elements all inputs have together."""
    shapes = (spec.shape or () for spec in signature.inputs)
    return sum(math.prod(size_of(dim, sizes) for dim in shape) for shape in shapes)


def without_rows(
    signature: Signature, combination: Mapping[str, int], chosen: Mapping[str, list[int]]
) -> dict[str, int] | None:
    """Return a combination with nothing in the batch, ``None`` if that is not to be tried.

    The batch is the first dimension of an input. It is tried where its range begins with 0, and
    where nobody declared a range or sizes for it.
    """
    for spec in signature.inputs:
        first = spec.shape[0] if spec.shape else 0
        if not isinstance(first, str):
            continue
        if first not in combination or first in chosen:
            return None
        free = first not in signature.dims or signature.dims[first].minimum == 0
        return {**combination, first: 0} if free else None
    return None


def _levels(allowed: DimRange, index: int) -> list[int]:
    """Return sizes inside a range; dimensions get different ones where the range lets them."""
    low, high = max(1, allowed.minimum), allowed.maximum
    wanted = [low, low + 1, low + 2 + 2 * index, max(9, 2 * low) + 3 * index]
    if low % 2 == 0:
        wanted[2] += 1
    sizes = sorted({size if high is None else min(size, high) for size in wanted})
    if high is not None and len(sizes) < LEVELS:  # a narrow range
        sizes = sorted({low, low + (high > low), (low + high) // 2, max(low, high)})
    return sizes
