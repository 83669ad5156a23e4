"""The handler table: which function rebuilds which ONNX operator, from which version on."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from types import FunctionType
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])

BOUND_BY_THE_INTERPRETER = frozenset({"n_outputs", "device", "training", "output_type"})
"""Keywords of a handler that are not attributes: the interpreter fills them in.

``output_type`` is the ONNX element type of the first output, ``None`` if inference does not know
it: what a handler cannot see on a tensor whose type is carried in a wider one.
"""

OWN_DOMAIN = "equiport"
"""Operators that Equiport's own rewrites introduce; they have no ONNX schema."""


@dataclass(frozen=True)
class Handler:
    """One function for one operator from one version on.

    Attributes:
        function: the handler itself.
        since: the ONNX since-version it was registered for.
        inputs: names of its positional inputs, in schema order.
        variadic: whether the last of them takes all remaining inputs.
        attributes: names of its attributes, by the schema's spelling.
        defaults: the attributes with a default, and it.
        bound: which of `BOUND_BY_THE_INTERPRETER` it declares.
        host: inputs that must arrive on the host.
        either: inputs that arrive as they are, on the host or as a tensor.
        multiple: whether it returns a tuple (its schema can have several outputs).
    """

    function: FunctionType
    domain: str
    name: str
    since: int
    inputs: tuple[str, ...]
    variadic: bool
    attributes: frozenset[str]
    defaults: Mapping[str, Any]
    bound: frozenset[str]
    host: frozenset[str]
    either: frozenset[str]
    multiple: bool

    def input_name(self, index: int) -> str:
        """Return the name of the positional input at ``index``."""
        if index < len(self.inputs):
            return self.inputs[index]
        if self.variadic:
            return self.inputs[-1]
        raise IndexError(f"{self.name} takes {len(self.inputs)} inputs, not {index + 1}")


@cache
def schema_versions(domain: str, name: str) -> frozenset[int]:
    """Return every since-version that ONNX has for an operator."""
    return frozenset(_history().get((domain, name), ()))


@cache
def _history() -> dict[tuple[str, str], list[int]]:
    import onnx.defs

    history: dict[tuple[str, str], list[int]] = {}
    for schema in onnx.defs.get_all_schemas_with_history():
        history.setdefault((schema.domain, schema.name), []).append(schema.since_version)
    return history


def newest_schema(domain: str, name: str) -> Any:
    """Return the newest `onnx.defs.OpSchema` of an operator."""
    import onnx.defs

    return onnx.defs.get_schema(name, max(schema_versions(domain, name)), domain)


class Registry:
    """All handlers of one framework, keyed by ONNX's real since-versions."""

    def __init__(self, framework: str) -> None:
        self.framework = framework
        self._handlers: dict[tuple[str, str], dict[int, Handler]] = {}

    def op(
        self,
        name: str,
        *,
        since: int,
        domain: str = "",
        host: tuple[str, ...] = (),
        either: tuple[str, ...] = (),
        multiple: bool | None = None,
    ) -> Callable[[Function], Function]:
        """Register the decorated function for operator ``name`` from version ``since`` on.

        Args:
            host: inputs that must arrive on the host, as nested tuples of scalars.
            either: inputs that arrive on the host when they are known there, else as tensors.
            multiple: whether it returns a tuple; by default what the schema says.

        Raises:
            ValueError: the version is not one of ONNX's, the operator is registered twice for
                it, or ``host`` and ``either`` name something that is not an input.
        """

        def register(function: Function) -> Function:
            self._add(domain, name, since, function, host, either, multiple)
            return function

        return register

    def _add(
        self,
        domain: str,
        name: str,
        since: int,
        function: Any,
        host: tuple[str, ...],
        either: tuple[str, ...],
        multiple: bool | None,
    ) -> None:
        if domain != OWN_DOMAIN and since not in schema_versions(domain, name):
            known = sorted(schema_versions(domain, name))
            raise ValueError(f"ONNX has no version {since} of {domain}::{name}; it has {known}")
        versions = self._handlers.setdefault((domain, name), {})
        if since in versions:
            raise ValueError(f"{domain}::{name} is registered twice for version {since}")
        if multiple is None:
            multiple = domain != OWN_DOMAIN and newest_schema(domain, name).max_output > 1
        handler = describe(function, domain, name, since, host, either, multiple)
        for unknown in (handler.host | handler.either) - set(handler.inputs):
            raise ValueError(f"{domain}::{name} has no input called {unknown}")
        versions[since] = handler

    def find(self, domain: str, name: str, opset: int) -> Handler | None:
        """Return the newest handler not above ``opset``, or ``None``."""
        versions = self._handlers.get((domain, name), {})
        fitting = [since for since in versions if since <= opset]
        return versions[max(fitting)] if fitting else None

    def __iter__(self) -> Iterator[Handler]:
        for versions in self._handlers.values():
            yield from versions.values()


def describe(
    function: FunctionType,
    domain: str,
    name: str,
    since: int,
    host: tuple[str, ...] = (),
    either: tuple[str, ...] = (),
    multiple: bool = False,
) -> Handler:
    """Read a handler's inputs and attributes off its Python signature."""
    kinds = inspect.Parameter
    inputs: list[str] = []
    attributes: set[str] = set()
    defaults: dict[str, Any] = {}
    bound: set[str] = set()
    variadic = False
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is kinds.VAR_POSITIONAL:
            inputs.append(parameter.name)
            variadic = True
        elif parameter.kind is not kinds.KEYWORD_ONLY:
            inputs.append(parameter.name)
        elif parameter.name in BOUND_BY_THE_INTERPRETER:
            bound.add(parameter.name)
        else:
            attributes.add(parameter.name)
            if parameter.default is not kinds.empty:
                defaults[parameter.name] = parameter.default
    return Handler(
        function=function,
        domain=domain,
        name=name,
        since=since,
        inputs=tuple(inputs),
        variadic=variadic,
        attributes=frozenset(attributes),
        defaults=defaults,
        bound=frozenset(bound),
        host=frozenset(host),
        either=frozenset(either),
        multiple=multiple,
    )
