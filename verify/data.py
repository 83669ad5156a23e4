"""The user's own data: arrays, an ``.npz``, or a Python function that yields them case by case."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from converter.errors import UsageError, first_line
from converter.formats.user_code import attribute_of, module_of, raised, taken_apart
from converter.signature import Dim, Signature, TensorSpec
from verify.arrays import as_array, dtype_name

MOST_CASES = 64
"""A generator may go on for ever."""

Given = Mapping[str, Any] | list[Any]
"""One case: values by name, or in order."""


class OwnData:
    """What the user gave to run on.

    Args:
        values: the cases, drawn when they are needed.
        name: what they come from, for messages.
        alone: there is one case, and it needs no number.
        examples: generated inputs are tried beside it.
    """

    def __init__(
        self, values: Iterable[Given], name: str, alone: bool = False, examples: bool = False
    ) -> None:
        self.values, self.name, self.alone, self.examples = values, name, alone, examples

    def cases(
        self, names: list[str], findings: list[str]
    ) -> list[tuple[str, dict[str, np.ndarray]]]:
        """Return label and arrays of each case, at most `MOST_CASES`.

        Args:
            names: names of the model's inputs, where they are known; values that have only an
                order get them.

        Raises:
            UsageError: the user's function fails, or what it yields are no tensors.
        """
        drawn = list(itertools.islice(self._drawn(), MOST_CASES + 1))
        if len(drawn) > MOST_CASES:
            drawn = drawn[:MOST_CASES]
            findings.append(f"{self.name} yields more than {MOST_CASES} cases: the first were used")
        if not drawn:
            raise UsageError(
                f"{self.name} yields no data", hint="Yield a dict of arrays for each case."
            )
        label = "examples" if self.examples else "data"
        labels = [label] if self.alone else [f"data {index}" for index in range(len(drawn))]
        return [
            (label, arrays_of(_named(values, names)))
            for label, values in zip(labels, drawn, strict=True)
        ]

    def _drawn(self) -> Iterator[Given]:
        iterator = iter(self.values)
        while True:
            try:
                values = next(iterator)
            except StopIteration:
                return
            except UsageError:
                raise
            except Exception as error:
                raise raised(self.name, error) from error
            if isinstance(values, tuple | list):
                yield list(values)
            elif isinstance(values, Mapping):
                yield values
            elif hasattr(values, "shape"):
                yield [values]
            else:
                raise UsageError(
                    f"{self.name} yields a {type(values).__name__}, not arrays",
                    hint="Yield a dict of arrays by input name, or a tuple of them in order.",
                )


def own_data(data: Any) -> OwnData:
    """Return what ``data=`` means: a file, a function's name, a function, cases, or one case.

    Raises:
        UsageError: there is no such file or function, or it cannot be read.
    """
    if isinstance(data, str | Path):
        text = str(data)
        if ":" in text and not Path(text).exists():
            return OwnData(_called(find_function(text), text), text)
        return OwnData([from_file(Path(data))], text, alone=True)
    if callable(data) and not isinstance(data, Mapping):
        name = getattr(data, "__name__", type(data).__name__)
        return OwnData(_called(data, name), name)
    if hasattr(data, "__next__"):
        return OwnData(data, getattr(data, "__name__", "the data"))
    sequence = isinstance(data, list | tuple) and data
    if sequence and all(isinstance(item, Mapping | tuple | list) for item in data):
        return OwnData(data, "the data")
    return one_case(data)


def one_case(data: Any, examples: bool = False) -> OwnData:
    """Return arrays or tensors, by name, in order, or a single one, as one case."""
    if not isinstance(data, Mapping):
        data = list(data) if isinstance(data, list | tuple) else [data]
    name = "the examples" if examples else "the data"
    return OwnData([data], name, alone=True, examples=examples)


def _called(function: Callable[[], Any], name: str) -> Iterator[Given]:
    result = function()
    if isinstance(result, Mapping) or hasattr(result, "shape"):
        yield result
    elif isinstance(result, Iterable) and not isinstance(result, str | bytes):
        yield from result
    else:
        raise UsageError(
            f"{name} returns a {type(result).__name__}, not data",
            hint="Yield, for each case, a dict of arrays by input name or a tuple in order.",
        )


def find_function(text: str) -> Callable[[], Any]:
    """Import ``file.py:function`` or ``package.module:function``.

    Raises:
        UsageError: there is no such file, module or function, or it cannot be imported.
    """
    place, name = taken_apart(text)
    function = attribute_of(module_of(place, "the data's module"), name, place)
    if not callable(function):
        raise UsageError(
            f"{text} is a {type(function).__name__}, not a function",
            hint="It must give the cases.",
        )
    return function  # type: ignore[no-any-return]


def _named(values: Given, names: list[str]) -> Mapping[str, Any]:
    if isinstance(values, Mapping):
        return values
    if names and len(values) > len(names):
        raise UsageError(
            f"{len(values)} inputs are given, the model takes {len(names)}: {', '.join(names)}"
        )
    names = names or [f"input_{index}" for index in range(len(values))]
    return dict(zip(names, values, strict=False))


def arrays_of(values: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Return arrays or tensors as arrays.

    Raises:
        UsageError: a value is no tensor.
    """
    data = {}
    for name, value in values.items():
        try:
            data[name] = _to_numpy(value)
        except (TypeError, ValueError) as error:
            raise UsageError(
                f"the value for input {name!r} is a {type(value).__name__}, not a tensor",
                hint="Give tensors or arrays, in order or by name.",
            ) from error
    return data


def _to_numpy(value: Any) -> np.ndarray:
    if type(value).__module__.partition(".")[0] == "torch":
        from verify.runtimes.torch_tensors import to_numpy

        return to_numpy(value)
    return as_array(value)


def signature_of(cases: list[dict[str, np.ndarray]]) -> Signature:
    """Return the signature that given arrays have; an axis whose size changes is a word.

    Raises:
        UsageError: two cases have other names, dtypes or numbers of axes.
    """
    first = cases[0]
    specs = []
    for case in cases:
        if list(case) != list(first):
            raise UsageError(
                f"one case has the inputs {', '.join(first)}, another {', '.join(case)}",
                hint="Give every input in each case, in one order.",
            )
    for name, array in first.items():
        same = [case[name] for case in cases]
        kinds = {(dtype_name(item), item.ndim) for item in same}
        if len(kinds) > 1:
            raise UsageError(f"the cases give {name!r} in more than one dtype or number of axes")
        shape: list[Dim] = []
        for axis, sizes in enumerate(zip(*(item.shape for item in same), strict=True)):
            shape.append(sizes[0] if len(set(sizes)) == 1 else f"{name}_{axis}")
        specs.append(TensorSpec(name, dtype_name(array), tuple(shape)))
    return Signature(tuple(specs))


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
            f"the data file {path} cannot be read: {first_line(error, 200)}", hint=hint
        ) from error
    if not arrays:
        raise UsageError(f"the data file {path} holds no arrays", hint=hint)
    return {name: as_array(array) for name, array in arrays.items()}
