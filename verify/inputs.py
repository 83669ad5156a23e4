"""Inputs for a comparison: random ones that the model accepts."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import cycle

import numpy as np

from converter.errors import InputSpecError, UsageError
from converter.expressions import size_of, words_in
from converter.graph import orders
from converter.graph.bounds import bounds_of
from converter.signature import Signature, TensorSpec
from verify import scales
from verify.arrays import numpy_dtype
from verify.sizes import elements, sweep, without_rows

__all__ = ["Case", "bounds_of", "cases", "random_inputs", "unbounded"]

WORDS = ("", "a", "equiport", "Ünïcödé", "two words", "0", "a longer text, with a comma")
"""What random string tensors are made of."""


@dataclass(frozen=True)
class Case:
    """One run's inputs.

    Attributes:
        label: how the report calls it, e.g. ``seed 0`` or ``data``.
        sizes: size of each dynamic dimension.
        seed: of the random inputs; ``None``: the user's own data.
        data: the user's own data, by input name.
        scale: which values the random inputs take (`verify.scales`).
        optional: sides that may refuse it, ``""``, ``"a"`` or ``"ab"``; then the case is left out.
        after: the calls that come before this one (`verify.calls`).
    """

    label: str
    sizes: Mapping[str, int] = field(default_factory=dict)
    seed: int | None = None
    data: Mapping[str, np.ndarray] | None = None
    scale: str = scales.NORMAL
    optional: str = ""
    after: tuple[Case, ...] = ()

    @property
    def undeclared_empty(self) -> bool:
        """Whether it has no rows although nobody said that there may be none."""
        return "b" in self.optional and 0 in self.sizes.values()

    def inputs(self, signature: Signature) -> dict[str, np.ndarray]:
        """Return the arrays by input name."""
        if self.data is not None:
            return dict(self.data)
        return random_inputs(signature, self.sizes, self.seed or 0, self.scale)


def check_seeds(seeds: int, first: int) -> None:
    """Refuse numbers of random inputs that there cannot be.

    Raises:
        UsageError: less than one seed, or a negative one.
    """
    if seeds < 1:
        raise UsageError(f"{seeds} seeds leave nothing to compare", hint="Give at least 1.")
    if first < 0:
        raise UsageError(f"the seed {first} is negative", hint="Give 0 or more.")


def cases(
    signature: Signature, seeds: int, sizes: Mapping[str, list[int]] | None = None, first: int = 0
) -> list[Case]:
    """Return the runs: every combination of sizes and every seed, then every scale, then no rows.

    Seeds and sizes change together, so that the runs stay few. The scales take the two smallest
    combinations that have no size of 1.

    Args:
        seeds: how many random inputs, at least.
        first: the first seed; the scales take that one.

    Raises:
        UsageError: less than one seed, or a negative one.
        InputSpecError: ``sizes`` names a dimension that is not there.
    """
    check_seeds(seeds, first)
    combinations, numbers = sweep(signature, sizes), range(first, first + seeds)
    result = [
        Case(f"seed {seed}", combinations[run % len(combinations)], seed)
        for run, seed in zip(range(max(seeds, len(combinations))), cycle(numbers), strict=False)
    ]
    different = [sizes for sizes in combinations if min(sizes.values(), default=2) > 1]
    different = sorted(different or combinations, key=lambda sizes: elements(signature, sizes))
    for index, scale in enumerate(_scales(signature)):
        sizes_now = different[index % min(2, len(different))]
        result.append(Case(f"seed {first}, {scale}", sizes_now, first, scale=scale))
    if (empty := without_rows(signature, different[0], sizes or {})) is not None:
        declared = any(empty[name] == 0 for name in signature.dims if name in empty)
        result.append(Case("no rows", empty, first, optional="a" if declared else "ab"))
    return result


def _scales(signature: Signature) -> tuple[str, ...]:
    dtypes = [spec.dtype for spec in signature.inputs]
    if any("float" in dtype or dtype.startswith("complex") for dtype in dtypes):
        return scales.SCALES
    if any(dtype.lstrip("u").startswith("int") or dtype == "bool" for dtype in dtypes):
        return scales.INTEGER_SCALES
    return ()


def random_inputs(
    signature: Signature, sizes: Mapping[str, int], seed: int, scale: str = scales.NORMAL
) -> dict[str, np.ndarray]:
    """Return valid random inputs; the same arguments give the same arrays, input by input.

    Floats are normal with mean 0 and deviation 1, or what ``scale`` says (`verify.scales`), inside
    of ``spec.bounds``; integers lie within ``spec.bounds`` (0 and 1 where those are not known),
    booleans are fair coins.

    Raises:
        InputSpecError: an input's rank is not known.
    """
    return {spec.name: _random(spec, sizes, seed, scale) for spec in signature.inputs}


def _random(spec: TensorSpec, sizes: Mapping[str, int], seed: int, scale: str) -> np.ndarray:
    if spec.shape is None:
        raise InputSpecError(
            f"input {spec.name!r} has no shape",
            hint=f'Give its dimensions: --input "{spec.name}:{spec.dtype}[batch,...]".',
        )
    shape = tuple(size_of(dim, sizes) for dim in spec.shape)
    # Each input has a stream of its own, so that one more input does not change the others.
    generator = np.random.default_rng([seed, zlib.crc32(spec.name.encode())])
    if spec.dtype == "string":
        return generator.choice(np.array(WORDS, dtype=object), shape)
    if spec.dtype == "bool":
        return scales.booleans(scale, shape, generator)
    bounds = _limits(spec, sizes)
    if spec.dtype.startswith("complex"):
        parts = [scales.real(scale, shape, generator, None) for _ in range(2)]
        value = parts[0] + 1j * parts[1]
    elif "float" in spec.dtype:
        value = scales.real(scale, shape, generator, bounds)
    else:
        low, high = bounds or (0, 1)
        value = scales.integers(scale, shape, generator, (int(low), int(high)))
    return ordered(np.asarray(value), spec.order).astype(numpy_dtype(spec.dtype))


def ordered(values: np.ndarray, order: str | None) -> np.ndarray:
    """Return the elements in an order of `converter.graph.orders`, along the last axis."""
    if order is None or values.ndim == 0:
        return values
    values = np.sort(values, axis=-1)
    if order == orders.FALLING:
        return values[..., ::-1]
    if order == orders.OFFSETS:
        values[..., :1] = 0
    return values


def _limits(spec: TensorSpec, sizes: Mapping[str, int]) -> tuple[float, float] | None:
    """Return an input's bounds with the sizes of this run put in for words."""
    if spec.bounds is None:
        return None
    ends = []
    for end in spec.bounds:
        known = not isinstance(end, str) or set(words_in(end)) <= set(sizes)
        ends.append(size_of(end, sizes) if isinstance(end, str) and known else end)
    low, high = ends
    low = 0 if isinstance(low, str) else low
    return (low, low) if isinstance(high, str) or high < low else (low, high)


def unbounded(signature: Signature) -> list[str]:
    """Return the integer inputs of which nobody knows the valid values."""
    return [
        spec.name
        for spec in signature.inputs
        if spec.bounds is None and spec.dtype.lstrip("u").startswith("int")
    ]
