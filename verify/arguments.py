"""What the arguments of `verify` mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from converter.devices import check_name
from converter.errors import UsageError
from converter.signature import Signature, parse_inputs
from verify import runtimes
from verify.data import OwnData, one_case, own_data
from verify.tolerance import Tolerance
from verify.unordered import Group

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
    weights: bool = True
    grad: bool = False
    steps: int = 5
    loss: str = "mse"
    frozen: bool | None = None
    unordered: tuple[Group, ...] = ()
    graphs: bool = False
    locate: bool = True
    deep: bool = False
    repro: str | Path | None = None
    threads: int | None = None
    batch_sweep: bool = False
    seed: int = 0


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
        return None, one_case(inputs, examples=True)
    return declared, None if data is None else own_data(data)


def _is_description(inputs: Any) -> bool:
    if isinstance(inputs, Signature | str):
        return True
    texts = isinstance(inputs, list | tuple) and len(inputs) > 0
    return texts and all(isinstance(item, str) for item in inputs)


def merged(signature: Signature | None, given: Signature | None) -> Signature | None:
    """Lay what the user declares over the signature that the caller has."""
    if signature is None or given is None:
        return signature or given
    by_name = {spec.name: spec for spec in given.inputs}
    inputs = tuple(by_name.pop(spec.name, spec) for spec in signature.inputs)
    return replace(
        signature,
        inputs=(*inputs, *by_name.values()),
        dims={**signature.dims, **given.dims},
        conditions=given.conditions or signature.conditions,
    )


def wanted_devices(device: str | Sequence[str]) -> dict[str, str]:
    """Read ``device=``: which device each side runs on.

    Raises:
        UsageError: a text names no device, or no side.
    """
    wanted = {"a": "cpu", "b": "cpu"}
    for text in [device] if isinstance(device, str) else device:
        side, separator, name = text.partition("=")
        if not separator:
            side, name = "ab", text
        check_name(name)
        if set(side) - set("ab"):
            raise UsageError(f"there is no side {side!r}", hint=f"Write a={name} or b={name}.")
        wanted |= dict.fromkeys(side, name)
    return wanted


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
