"""Inputs for a comparison: random ones that the model accepts, or the user's own."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from converter.errors import InputSpecError, UsageError
from converter.graph.bounds import bounds_of
from converter.signature import Signature, TensorSpec
from verify.arrays import as_array, dtype_name, numpy_dtype
from verify.sizes import size_of, sweep

__all__ = ["Case", "bounds_of", "cases", "from_arrays", "from_file", "random_inputs", "unbounded"]

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
    """

    label: str
    sizes: Mapping[str, int] = field(default_factory=dict)
    seed: int | None = None
    data: Mapping[str, np.ndarray] | None = None

    def inputs(self, signature: Signature) -> dict[str, np.ndarray]:
        """Return the arrays by input name."""
        if self.data is not None:
            return dict(self.data)
        return random_inputs(signature, self.sizes, self.seed or 0)


def cases(
    signature: Signature, seeds: int, sizes: Mapping[str, list[int]] | None = None
) -> list[Case]:
    """Return the runs: all combinations of sizes with the first seed, then the other seeds.

    The other seeds go around the combinations from the second one on, which has no size of 1.

    Raises:
        UsageError: less than one seed.
        InputSpecError: ``sizes`` names a dimension that is not there.
    """
    if seeds < 1:
        raise UsageError(f"{seeds} seeds leave nothing to compare", hint="Give at least 1.")
    combinations = sweep(signature, sizes)
    result = [Case("seed 0", combination, 0) for combination in combinations]
    for seed in range(1, seeds):
        combination = combinations[seed % len(combinations)]
        result.append(Case(f"seed {seed}", combination, seed))
    return result


def random_inputs(
    signature: Signature, sizes: Mapping[str, int], seed: int
) -> dict[str, np.ndarray]:
    """Return valid random inputs; the same arguments give the same arrays, input by input.

    Floats are normal with mean 0 and deviation 1, integers lie within ``spec.bounds`` (0 and 1
    where those are not known), booleans are fair coins.

    Raises:
        InputSpecError: an input's rank is not known.
    """
    return {spec.name: _random(spec, sizes, seed) for spec in signature.inputs}


def _random(spec: TensorSpec, sizes: Mapping[str, int], seed: int) -> np.ndarray:
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
        return generator.random(shape) < 0.5
    if spec.dtype.startswith("complex"):
        value = generator.standard_normal(shape) + 1j * generator.standard_normal(shape)
    elif "float" in spec.dtype:
        value = generator.standard_normal(shape)
    else:
        low, high = spec.bounds or (0, 1)
        value = generator.integers(low, high, shape, dtype=np.int64, endpoint=True)
    return np.asarray(value).astype(numpy_dtype(spec.dtype))


def unbounded(signature: Signature) -> list[str]:
    """Return the integer inputs of which nobody knows the valid values."""
    return [
        spec.name
        for spec in signature.inputs
        if spec.bounds is None and spec.dtype.lstrip("u").startswith("int")
    ]


def from_arrays(arrays: Mapping[str, Any]) -> tuple[Signature, dict[str, np.ndarray]]:
    """Return the signature that given arrays or tensors have, and the arrays.

    Raises:
        UsageError: a value is no tensor.
    """
    data = {}
    for name, value in arrays.items():
        try:
            data[name] = _to_numpy(value)
        except (TypeError, ValueError) as error:
            raise UsageError(
                f"the value for input {name!r} is a {type(value).__name__}, not a tensor",
                hint="Give tensors or arrays, in order or by name.",
            ) from error
    specs = (TensorSpec(name, dtype_name(array), array.shape) for name, array in data.items())
    return Signature(tuple(specs)), data


def _to_numpy(value: Any) -> np.ndarray:
    if type(value).__module__.partition(".")[0] == "torch":
        from verify.runtimes.torch_tensors import to_numpy

        return to_numpy(value)
    return as_array(value)


def from_file(path: Path) -> dict[str, np.ndarray]:
    """Read the user's data: an ``.npz`` with one array per input.

    Raises:
        UsageError: there is no such file, or it is no ``.npz`` of plain arrays.
    """
    if not path.is_file():
        raise UsageError(f"the data file {path} does not exist")
    hint = "Write it with numpy.savez(path, **inputs), one array per input."
    try:
        with np.load(path, allow_pickle=False) as archive:
            if not hasattr(archive, "files"):
                raise UsageError(f"{path} holds one array without a name", hint=hint)
            arrays = {name: archive[name] for name in archive.files}
    except UsageError:
        raise
    except Exception as error:  # whatever zipfile, zlib and NumPy raise on a damaged file
        raise UsageError(
            f"the data file {path} cannot be read: {str(error).splitlines()[0][:200]}", hint=hint
        ) from error
    if not arrays:
        raise UsageError(f"the data file {path} holds no arrays", hint=hint)
    return {name: as_array(array) for name, array in arrays.items()}
