"""Whether two results are the same but for rounding. A judgement of its own, not the verifier's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

RELATIVE = {"float64": 1e-9, "float32": 2e-5, "float16": 1e-2, "bfloat16": 6e-2}
"""Share of the largest magnitude of an output that rounding may cost without a second look."""

REACH = 12
"""How far beyond the spread of the noisy runs a right result may lie."""


@dataclass(frozen=True)
class Difference:
    """Attributes:
    kind: ``"numbers"`` or ``"not finite"``.
    text: how many elements, and the worst of them.
    """

    kind: str
    text: str


def difference(
    mine: np.ndarray, yours: np.ndarray, dtype: str, draws: list[np.ndarray]
) -> Difference | None:
    """Return how two arrays of one shape differ, or ``None``.

    Args:
        mine, yours: what came out, and what the source gives.
        dtype: the source's element type.
        draws: results of the source with noise. Where they differ from ``yours`` by much, so may
            ``mine``; where they take the other side of a decision, so may it.
    """
    draws = [draw for draw in draws if draw.shape == yours.shape]
    exact = dtype not in RELATIVE
    a, b = (x.astype(np.float64) if x.dtype != bool else x.astype(float) for x in (mine, yours))
    if exact and "int" in dtype:
        a, b = mine.astype(object), yours.astype(object)
        wrong = np.array(a != b, dtype=bool)
        for draw in draws:
            wrong &= np.array(draw == yours, dtype=bool) & np.array(draw != mine, dtype=bool)
        return described(mine, yours, wrong, "numbers")
    if exact:
        wrong = a != b
        for draw in draws:
            wrong &= draw.astype(float) == b
        return described(mine, yours, wrong, "numbers")
    finite = np.isfinite(b)
    same = np.isfinite(a) & finite | (np.isnan(a) & np.isnan(b)) | (a == b)
    wrong = ~same
    moved = [draw.astype(np.float64) for draw in draws]
    for draw in moved:
        with np.errstate(invalid="ignore"):
            wrong &= (draw == b) | (np.isnan(draw) & np.isnan(b)) | (np.isfinite(draw) & finite)
    if wrong.any():
        # Near its end a type overflows in one order of operations and not in another.
        limit = {"float16": 3e4, "float32": 1e37, "bfloat16": 1e37, "float64": 1e300}[dtype]
        near = np.isfinite(a) & (np.abs(a) > limit) | finite & (np.abs(b) > limit)
        wrong &= ~near
        if wrong.any():
            return described(mine, yours, wrong, "not finite")
    both = np.isfinite(a) & finite
    scale = np.abs(b[both]).max() if both.any() else 0.0
    allowed = RELATIVE[dtype] * np.maximum(np.abs(np.where(both, b, 0)), min(scale, 1e3))
    with np.errstate(invalid="ignore", over="ignore"):
        for draw in moved:
            spread = np.abs(draw - b)
            allowed = np.maximum(allowed, np.where(np.isfinite(spread), REACH * spread, np.inf))
        wrong = both & (np.abs(a - b) > allowed)
    return described(mine, yours, wrong, "numbers")


def described(
    mine: np.ndarray, yours: np.ndarray, wrong: np.ndarray, kind: str
) -> Difference | None:
    if not wrong.any():
        return None
    place = tuple(int(i) for i in np.argwhere(wrong)[0]) if wrong.ndim else ()
    text = (
        f"{int(wrong.sum())} of {wrong.size} elements; at {place}: {mine[place]} for {yours[place]}"
    )
    return Difference(kind, text)
