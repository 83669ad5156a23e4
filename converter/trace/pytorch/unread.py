"""Find arguments of a call that its translation does not read: they would be dropped silently.

What a translation reads is told by its own source text. It does not read an argument that it has no
parameter for, one whose parameter it never names, and one that it only hands on to a function that
does not read it either.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch

HARMLESS = {
    "device": "a graph runs on one device; the runtime chooses it",
    "layout": "only strided tensors reach a graph; a sparse one is refused below",
    "memory_format": "strides are no values",
    "pin_memory": "where memory lies is no value",
    "non_blocking": "when a copy is made is no value",
    "requires_grad": "gradients are asked for when a model trains, not in its graph",
    "generator": "a graph has no generator: its draws are fresh at each call",
    "implicit": "used inside of PyTorch only",
    "cudnn_enabled": "which kernel computes is no value",
    "cudnn_enable": "which kernel computes is no value",
    "path": "the order of an einsum's contractions is no value",
    "scale_grad_by_freq": "changes gradients, no values",
    "sparse": "how a gradient is stored is no value",
    "sparse_grad": "how a gradient is stored is no value",
    "return_debug_mask": "the mask is for debugging; using it is refused",
    "output_size": "PyTorch's hint that saves it a synchronisation",
    "sorted": "torch.unique may sort although it need not",
}
"""Arguments of any operator that change no value, and why."""

HARMLESS_FOR = {
    ("aten::empty_strided", "stride"): "strides are no values",
    ("aten::new_empty_strided", "stride"): "strides are no values",
    ("aten::multinomial", "replacement"): "decomposed unless it is with replacement",
    ("aten::embedding", "padding_idx"): "changes gradients, no values",
    ("aten::native_group_norm", "N"): "the input's own number of rows",
    ("aten::native_group_norm", "C"): "the input's own number of channels",
    ("aten::native_group_norm", "HxW"): "the input's own size",
    ("aten::sym_storage_offset", "self"): "the offset of a fresh tensor is 0",
    ("onnx_symbolic::_symbolic", "shape"): "the shape that its author declares",
    ("onnx_symbolic::_symbolic_multi_out", "shapes"): "the shapes that its author declares",
}
"""The same for arguments of one operator."""

IMPLIED = {("aten::stft", "return_complex"): True}
"""Values that a translation stands for though they are no defaults."""


@dataclass(frozen=True)
class Unread:
    """An argument that a translation does not read.

    Attributes:
        operator: e.g. ``aten::avg_pool2d``.
        argument: its name in the operator's schema.
        why_harmless: why it need not be read, or ``""``.
    """

    operator: str
    argument: str
    why_harmless: str


def table(registry: Any) -> Iterator[Unread]:
    """Yield what is not read, over all operators that the registry has."""
    for operator, translation in chosen(registry):
        for name in unread_arguments(operator, translation):
            yield Unread(operator.name(), name, why_harmless(operator.name(), name))


def chosen(registry: Any) -> Iterator[tuple[torch._ops.OpOverload, Callable[..., Any]]]:
    """Yield the translation of each operator for real and for complex tensors.

    Where there are several, ours comes first and is the one that is used.
    """
    for operator in {metas[0].fx_target for metas in registry.functions.values()}:
        if isinstance(operator, torch._ops.OpOverload):
            for complex_numbers in (False, True):
                metas = registry.get_decomps(operator)
                found = [m.onnx_function for m in metas if m.is_complex == complex_numbers]
                if found:
                    yield operator, found[0]


def why_harmless(operator: str, argument: str) -> str:
    """Return the reason for which an argument need not be read, or ``""``."""
    return HARMLESS_FOR.get((operator, argument)) or HARMLESS.get(argument, "")


def dropped(node: torch.fx.Node, translation: Callable[..., Any]) -> list[str]:
    """Return ``name=value`` of each argument of a call that counts and is not read.

    An argument that has its default is none: a translation stands for the operator's defaults.
    """
    operator = node.target
    assert isinstance(operator, torch._ops.OpOverload)
    given = arguments_of(node)
    schema = {argument.name: argument for argument in operator._schema.arguments}
    found = []
    for name in unread_arguments(operator, translation):
        if name not in given:
            continue
        argument, value = schema[name], given[name]
        implied = IMPLIED.get((operator.name(), name), argument.default_value)
        if argument.has_default_value() and (
            same(value, argument.default_value) or same(value, implied)
        ):
            continue
        sparse = name == "layout" and value not in (None, torch.strided)
        if sparse or not why_harmless(operator.name(), name):
            found.append(f"{name}={value}")
    return found


def same(value: Any, default: Any) -> bool:
    """Whether an argument is its default; a tensor or a size of the graph never is."""
    if isinstance(value, torch.fx.Node):
        return False
    if isinstance(value, list | tuple) and isinstance(default, list | tuple):
        return list(value) == list(default)
    return bool(value == default)


def arguments_of(node: torch.fx.Node) -> dict[str, Any]:
    """Return the arguments of a call by their names in the operator's schema."""
    arguments = node.target._schema.arguments  # type: ignore[union-attr]
    return {
        argument.name: value for argument, value in zip(arguments, node.args, strict=False)
    } | dict(node.kwargs)


@cache
def unread_arguments(
    operator: torch._ops.OpOverload, translation: Callable[..., Any]
) -> tuple[str, ...]:
    """Return the names of the arguments that ``translation`` does not read, in schema order.

    A call gives the first arguments by position, those behind the star by name.
    """
    function = plain(translation)
    parameters = Parameters.of(function)
    names = []
    for index, argument in enumerate(operator._schema.arguments):
        parameter = parameters.of_argument(argument.name, None if argument.kwarg_only else index)
        if parameter is None or not reads(function, parameter):
            names.append(argument.name)
    return tuple(names)


def plain(translation: Any) -> Callable[..., Any]:
    """Return the Python function under onnxscript's wrappers."""
    for attribute in ("func", "function"):
        translation = getattr(translation, attribute, translation)
    return translation


@dataclass(frozen=True)
class Parameters:
    """Names of a function's parameters."""

    positional: tuple[str, ...]
    by_name: tuple[str, ...]
    rest: str | None
    rest_by_name: str | None

    @classmethod
    def of(cls, function: Callable[..., Any]) -> Parameters:
        arguments = syntax(function).args
        positional = tuple(a.arg for a in (*arguments.posonlyargs, *arguments.args))
        by_name = tuple(a.arg for a in arguments.kwonlyargs)
        rest = arguments.vararg.arg if arguments.vararg else None
        return cls(positional, by_name, rest, arguments.kwarg.arg if arguments.kwarg else None)

    def of_argument(self, name: str, index: int | None) -> str | None:
        """Return the parameter that takes an argument, given by position or by name."""
        if index is not None:
            return self.positional[index] if index < len(self.positional) else self.rest
        return name if name in (*self.positional, *self.by_name) else self.rest_by_name


@cache
def syntax(function: Callable[..., Any]) -> ast.FunctionDef:
    """Return a function's definition as a syntax tree."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    return next(node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


@cache
def reads(function: Callable[..., Any], parameter: str) -> bool:
    """Whether a function uses a parameter, itself or in a function that it hands it to.

    A parameter that is overwritten first is not read.
    """
    definition = syntax(function)
    named: set[int] = set()
    for statement in definition.body:
        names = [
            node
            for node in ast.walk(statement)
            if isinstance(node, ast.Name) and node.id == parameter
        ]
        named |= {id(node) for node in names if isinstance(node.ctx, ast.Load)}
        if isinstance(statement, ast.Assign) and any(
            isinstance(node.ctx, ast.Store) for node in names
        ):
            break
    return bool(named - handed_on_in_vain(function, definition))


def handed_on_in_vain(function: Callable[..., Any], definition: ast.FunctionDef) -> set[int]:
    """Return the names in a body that are arguments of functions that do not read them."""
    vain = set()
    for call in ast.walk(definition):
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name)):
            continue
        called = plain(function.__globals__.get(call.func.id))
        if not inspect.isfunction(called) or called is function:
            continue
        parameters = Parameters.of(called)
        given: list[tuple[ast.expr, str | None]] = [
            (value, parameters.of_argument("", index)) for index, value in enumerate(call.args)
        ]
        given += [
            (keyword.value, parameters.of_argument(keyword.arg, None))
            for keyword in call.keywords
            if keyword.arg
        ]
        for value, parameter in given:
            if isinstance(value, ast.Name) and parameter and not reads(called, parameter):
                vain.add(id(value))
    return vain
