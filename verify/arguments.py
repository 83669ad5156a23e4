"""What the arguments of `verify` mean."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from converter.errors import UsageError
from converter.signature import Signature, parse_inputs
from verify import inputs as making
from verify import runtimes
from verify.tolerance import Tolerance

Progress = Callable[[str], None]


@dataclass
class Options:
    """How to compare; see `verify`."""

    tolerance: Tolerance
    seeds: int
    rename: dict[str, str]
    ignore: tuple[str, ...]
    sizes: dict[str, list[int]]
    latency: bool
    max_slowdown: float | None
    noise: dict[str, float]
    graph: Any
    progress: Progress


OwnData = Callable[[list[str]], Mapping[str, Any]]
"""Gives the user's arrays by name, once the names of the inputs are known."""


def given_inputs(inputs: Any, data: Any) -> tuple[Signature | None, OwnData | None]:
    """Tell apart what ``inputs`` and ``data`` may be: a description, or the values themselves."""
    if inputs is not None and data is not None and not _is_description(inputs):
        raise UsageError("both inputs and data are given", hint="Give one of them.")
    declared = None
    if isinstance(inputs, Signature):
        declared = inputs
    elif inputs is not None and _is_description(inputs):
        declared = parse_inputs([inputs] if isinstance(inputs, str) else list(inputs))
    elif inputs is not None:
        data = inputs
    if data is None:
        return declared, None
    if isinstance(data, str | Path):
        arrays = making.from_file(Path(data))
        return declared, lambda names: arrays
    if isinstance(data, Mapping):
        return declared, lambda names: data
    values = list(data) if isinstance(data, list | tuple) else [data]
    return declared, lambda names: _in_order(values, names)


def _is_description(inputs: Any) -> bool:
    if isinstance(inputs, Signature | str):
        return True
    texts = isinstance(inputs, list | tuple) and len(inputs) > 0
    return texts and all(isinstance(item, str) for item in inputs)


def _in_order(values: list[Any], names: list[str]) -> dict[str, Any]:
    if names and len(values) > len(names):
        raise UsageError(
            f"{len(values)} inputs are given, the model takes {len(names)}: {', '.join(names)}"
        )
    names = names or [f"input_{index}" for index in range(len(values))]
    return dict(zip(names, values, strict=False))


def merged(signature: Signature | None, given: Signature | None) -> Signature | None:
    """Lay what the user declares over the signature that the caller has."""
    if signature is None or given is None:
        return signature or given
    by_name = {spec.name: spec for spec in given.inputs}
    inputs = tuple(by_name.pop(spec.name, spec) for spec in signature.inputs)
    return Signature(
        (*inputs, *by_name.values()), signature.outputs, {**signature.dims, **given.dims}
    )


def check_device(device: str) -> None:
    """Refuse a device of a name that no runtime knows.

    Raises:
        UsageError: it is neither ``cpu`` nor ``cuda`` nor ``cuda:1``.
    """
    if not re.fullmatch(r"cpu|cuda(:\d+)?", device):
        raise UsageError(f"unknown device {device!r}", hint="Use cpu, cuda or cuda:1.")


def wanted_runtimes(runtime: str | Sequence[str] | None) -> dict[str, list[str]]:
    """Read ``runtime=``: which runtimes each side prefers."""
    texts = [runtime] if isinstance(runtime, str) else list(runtime or ())
    wanted: dict[str, list[str]] = {"a": [], "b": []}
    for text in texts:
        side, separator, name = text.partition("=")
        if not separator:
            side, name = "ab", text
        runtimes.check_names([name])
        if set(side) - set("ab"):
            raise UsageError(f"there is no side {side!r}", hint=f"Write a={name} or b={name}.")
        for label in side:
            wanted[label].append(name)
    return wanted
