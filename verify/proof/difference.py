"""What is wrong with a weight of which the right values are known, in one line."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from verify.arrays import numpy_dtype
from verify.proof.held import Weight
from verify.proof.placement import Fingerprint, as_integers, equal, fingerprint, place


def difference(
    source: Weight, target: Weight, others: Mapping[Fingerprint, list[Weight]] | None = None
) -> str:
    """Say how a target's weight differs from the source's, in the source's layout.

    Args:
        others: the source's weights by fingerprint, to tell when it is another one's values.
    """
    if source.shape != target.shape:
        return f"shape {_text(target.shape)} instead of {_text(source.shape)}"
    if source.dtype != target.dtype:
        return f"dtype {target.dtype} instead of {source.dtype}"
    parts = [_elements(source, target)]
    if cause := _cause(source, target, others or {}):
        parts.append(cause)
    return "; ".join(parts)


def _elements(source: Weight, target: Weight) -> str:
    different = as_integers(source.bits) != as_integers(target.bits)
    if source.bits.dtype.kind == "c":
        different = different.reshape(*source.shape, 2).any(-1)
    count = int(np.count_nonzero(different))
    first = np.unravel_index(int(np.argmax(different)), different.shape)
    x, y = source.values()[first], target.values()[first]
    where = list(map(int, first))
    return f"{count} of {different.size} elements differ; first at {where}: {y!s} instead of {x!s}"


def _cause(source: Weight, target: Weight, others: Mapping[Fingerprint, list[Weight]]) -> str:
    found = place(source.bits, target.bits, "")
    if found is not None and found.permutation is not None:
        return f"it matches if transposed {_text(found.permutation, '()')}"
    for other in others.get(fingerprint(target.bits), []):
        if other.name != source.name and equal(other.bits, target.bits):
            return f"these are the values of {other.name}"
    for narrow in ("float16", "bfloat16"):
        if source.dtype in ("float32", "float64"):
            with np.errstate(over="ignore", invalid="ignore"):
                wide = source.values().astype(numpy_dtype(narrow)).astype(source.values().dtype)
            if equal(np.asarray(wide), np.asarray(target.values())):
                return f"the source's values rounded to {narrow}"
    return "" if np.any(target.bits) or not target.bits.size else "all of it is zero"


def _text(numbers: tuple[int, ...], brackets: str = "[]") -> str:
    return brackets[0] + ",".join(map(str, numbers)) + brackets[1]
