"""The verdict on one output against the exact result, by the noise that is legitimate there.

With e the error of b and s the standard deviation of the noise (`verify.noise`), by element, b
passes if

- no element is off by more than ``MAX * s``,
- the root mean square of e is at most ``RMS`` times that of s, over all elements and
- at most ``SLICE`` times, over those that share a place on the channel or on the last axis,

and none of these limits is above the ceiling of the dtype. The constants are what right targets
need, with room: PyTorch's rebuild, ONNX Runtime and TensorFlow's rebuild of the zoo's models
against PyTorch's and Keras's own results. Planted faults start at seven times the noise.

A verdict is sought with few draws first, and then half of each limit counts, so that luck with few
draws can fail nothing and pass little; whoever fails is judged again with more draws.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from verify.decisions import MOST, REACH, open_ended
from verify.noise import OutputNoise
from verify.tolerance import CEILING

MAX = 10.0
"""Right targets were up to 10.7 off with two draws, 5.2 with all."""

RMS = 2.5
"""Of outputs with many elements; right targets were up to 1.4 with two draws, 1.2 with all. For
``n`` of them the limit is ``RMS + (MAX - RMS) / n``: one element alone may be as far off as any."""

SLICE = 3.0
"""Of slices with many elements; right targets were up to 1.6. For ``n`` of them the limit is
``SLICE + (MAX - SLICE) / sqrt(n)``: a slice may be one element."""

NEAR = 0.05
"""How near to what came out, in parts of a jump, a result is the same outcome."""

HOPELESS = 10.0
"""So many times past the limits, a quarter of the elements is not brought back by more draws."""

FEW = 0.5
"""Part of the limits that counts while more draws can be made."""


@dataclass(frozen=True)
class Judgement:
    """What was found.

    Attributes:
        passed: the verdict.
        error: error of the element that comes closest to its limit, in units of the output.
        limit: its limit.
        worst: its place in the flattened output.
        beyond: how many elements are past their limits.
        rms, rms_limit: root mean square of all errors, and what it may be.
        reason: what is wrong, in words; ``""`` where nothing is.
        ceiling: the limit is the ceiling, the noise alone would allow more.
        ties: elements that hang on a decision which noise can turn, and are off for that reason.
    """

    passed: bool
    error: float
    limit: float
    worst: int
    beyond: int
    rms: float
    rms_limit: float
    reason: str = ""
    ceiling: bool = False
    ties: int = 0


def trusted(noise: OutputNoise) -> bool:
    """Tell whether the graph says what the source says, with as many draws as that needs."""
    while not noise.credible:
        if not noise.more():
            return False
    return True


def judge(b: np.ndarray, noise: OutputNoise, usable: np.ndarray | None = None) -> Judgement:
    """Judge an output of b, with as many draws as the verdict needs.

    Args:
        b: the output, any float dtype, of the exact result's shape.
        noise: noise of this output; more draws are made where they are needed.
        usable: elements to judge, a boolean array; ``None``: all. The others are finite nowhere.
    """
    found = _judge(b, noise, usable, FEW)
    while not found.passed:
        if _hopeless(b, noise, usable):
            return _judge(b, noise, usable, 1.0)
        if not noise.more():
            break
        found = _judge(b, noise, usable, FEW)
    if not found.passed:
        found = _judge(b, noise, usable, 1.0)
    return found if found.passed else _without_jumps(found, b, noise, usable)


def _hopeless(b: np.ndarray, noise: OutputNoise, usable: np.ndarray | None) -> bool:
    """Tell whether so much is so far off that no more draws can help."""
    if not noise.case.stage:  # what is exact by luck looks as if it could not be otherwise
        return False
    far = _judge(b, noise, usable, HOPELESS)
    return far.beyond * 4 > b.size and b.size >= 8


def _without_jumps(
    found: Judgement, b: np.ndarray, noise: OutputNoise, usable: np.ndarray | None
) -> Judgement:
    """Judge what does not hang on a decision that noise can turn; the rest are ties.

    Such an element changes out of proportion where results move farther. It must be what it was in
    one of those runs, or in the source.
    """
    noise.case.far()
    jumps = noise.farthest > np.minimum(REACH * MAX * noise.deviation, _ceiling(noise))
    if not jumps.any():
        return found
    with np.errstate(invalid="ignore"):
        value = b.astype(np.float64)
        seen = np.zeros(b.shape, bool)
        for outcome in (noise.source, *noise.far_results):
            seen |= np.abs(value - outcome.astype(np.float64)) <= NEAR * noise.farthest
        draws = np.stack([noise.source, *noise.far_results]).astype(np.float64)
        if not seen[jumps].all() and draws.size <= MOST:
            unknown = open_ended(draws, NEAR * noise.farthest)
            seen |= unknown & (value >= draws.min()) & (value <= draws.max())
        past = np.abs(value - noise.exact) > MAX * noise.deviation
    # Noise past the ceiling that grows in proportion is no decision: it has its own limit.
    jumps &= seen & ((noise.farthest > REACH * MAX * noise.deviation) | ~past)
    rest = _judge(b, noise, ~jumps if usable is None else usable & ~jumps, 1.0)
    return replace(rest, ties=int(np.count_nonzero(jumps & past)))


def _judge(b: np.ndarray, noise: OutputNoise, usable: np.ndarray | None, part: float) -> Judgement:
    exact = noise.exact
    usable = np.isfinite(exact) if usable is None else usable & np.isfinite(exact)
    if not usable.any():
        return Judgement(True, 0.0, 0.0, 0, 0, 0.0, 0.0)
    error = np.abs(np.where(usable, b.astype(np.float64), 0.0) - np.where(usable, exact, 0.0))
    deviation, ceiling = noise.deviation, _ceiling(noise)
    error = _or_as_the_source(error, b, noise, ceiling)
    limit = np.minimum(part * MAX * deviation, ceiling)
    beyond = (error > limit) & usable
    with np.errstate(divide="ignore", invalid="ignore"):
        closeness = np.where(error > 0, error / limit, 0.0)
    worst = int(np.argmax(closeness))
    count = int(np.count_nonzero(usable))
    unit = noise.unit
    with np.errstate(over="ignore"):
        squares = np.square(error / unit)
        variances = np.where(usable, np.square(deviation / unit), 0.0)
        rms = unit * float(np.sqrt(squares.sum() / count))
    most = part * (RMS + (MAX - RMS) / count)
    rms_limit = min(most * unit * float(np.sqrt(variances.sum() / count)), ceiling)
    place = _worst_slice(squares, variances, part, unit)
    at = float(error.reshape(-1)[worst]), float(limit.reshape(-1)[worst])
    reason = ""
    if beyond.any():
        reason = _elements(b, noise, worst, int(np.count_nonzero(beyond)), *at)
    elif rms > rms_limit:
        reason = (
            f"the differences from the exact result are {rms:.2g} in root mean square, "
            f"{rms_limit:.2g} is allowed"
        )
    elif place:
        reason = place
    ceiling_binds = at[1] == ceiling
    return Judgement(
        not reason, *at, worst, int(np.count_nonzero(beyond)), rms, rms_limit, reason, ceiling_binds
    )


def _or_as_the_source(
    error: np.ndarray, b: np.ndarray, noise: OutputNoise, ceiling: float
) -> np.ndarray:
    """Take b's distance from the source where the source itself is past the ceiling."""
    past = noise.unit * np.sqrt(noise.source_square) > ceiling
    if not past.any() or not noise.credible:
        return error
    with np.errstate(invalid="ignore"):
        apart = np.abs(b.astype(np.float64) - noise.source.astype(np.float64))
    return np.where(past & (apart < error), apart, error)


def _ceiling(noise: OutputNoise) -> float:
    """Return the most that an element may be off, whatever the noise.

    It is relative to the largest value, or to 1: noise that is large for an output far below 1
    comes from numbers of ordinary size that cancel; to `NOISE_ALONE` where the output is nothing
    but noise, as a constant after its mean is taken off.
    """
    size = max(noise.peak, 1.0)
    if noise.peak <= float(noise.deviation.max(initial=0.0)):
        size = max(size, NOISE_ALONE)
    return CEILING[noise.dtype] * size


NOISE_ALONE = 10.0
"""Size of the numbers that an output of nothing but noise is taken to come from."""


def _worst_slice(squares: np.ndarray, variances: np.ndarray, part: float, unit: float) -> str:
    """Say which slice of the channel or of the last axis is too far off; nothing if none is."""
    for axis in sorted({1, squares.ndim - 1}) if squares.ndim > 1 else ():
        others = tuple(other for other in range(squares.ndim) if other != axis)
        among = squares.size / squares.shape[axis]
        most = part * (SLICE + (MAX - SLICE) / among**0.5)
        wrong, allowed = squares.mean(axis=others), variances.mean(axis=others) * most**2
        if (wrong > allowed).any():
            index = int(np.argmax(wrong - allowed))
            return (
                f"at {index} of axis {axis} the differences from the exact result are "
                f"{unit * wrong[index] ** 0.5:.2g} in root mean square, "
                f"{unit * allowed[index] ** 0.5:.2g} is allowed"
            )
    return ""


def _elements(
    b: np.ndarray, noise: OutputNoise, worst: int, beyond: int, error: float, limit: float
) -> str:
    index = [int(place) for place in np.unravel_index(worst, b.shape)]
    got, exact = float(b.reshape(-1)[worst]), float(noise.exact.reshape(-1)[worst])
    return (
        f"{beyond} of {b.size} elements differ by more than the noise allows; most at {index}: "
        f"{got:.6g} instead of {exact:.6g}, off by {error:.2g} where {limit:.2g} is allowed"
    )
