"""What an exported program says of its inputs and outputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import Any

import torch

from converter.formats.torch_words import renamed, words_of
from converter.signature import Dim, DimRange, Signature, TensorSpec


def signature_of(program: torch.export.ExportedProgram) -> Signature:
    """Return names, dtypes and shapes; dynamic dimensions are words (`words_of`)."""
    values = {node.name: node.meta.get("val") for node in program.graph.nodes}
    user_inputs = [name for name in program.graph_signature.user_inputs if isinstance(name, str)]
    inputs = tuple(_spec(name, values.get(name)) for name in user_inputs)
    user_outputs = [name for name in program.graph_signature.user_outputs if name is not None]
    outputs = tuple(
        _spec(name, values.get(node) if isinstance(node, str) else node)
        for name, node in zip(output_names(program), user_outputs, strict=True)
    )
    words = words_of((spec.name, spec.shape or ()) for spec in inputs)
    dims = {
        words[str(symbol)]: DimRange(max(1, int(bounds.lower)), _upper(bounds.upper))
        for symbol, bounds in program.range_constraints.items()
        if str(symbol) in words
    }
    return Signature(_named(inputs, words), _named(outputs, words), dims)


def _named(specs: tuple[TensorSpec, ...], words: Mapping[str, str]) -> tuple[TensorSpec, ...]:
    return tuple(
        replace(spec, shape=tuple(renamed(dim, words) for dim in spec.shape or ()))
        for spec in specs
    )


def _upper(bound: Any) -> int | None:
    return int(bound) if getattr(bound, "is_Integer", isinstance(bound, int)) else None


def _spec(name: str, value: Any) -> TensorSpec:
    if isinstance(value, torch.Tensor):
        return TensorSpec(name, dtype_name(value.dtype), tuple(map(dim_of, value.shape)))
    kinds = {bool: "bool", int: "int64", torch.SymInt: "int64", float: "float64"}
    return TensorSpec(name, kinds.get(type(value), "float64"), ())


def dtype_name(dtype: torch.dtype) -> str:
    """Return our name of an element type: ``float8_e4m3fn`` has no underscore in ONNX."""
    return str(dtype).removeprefix("torch.").replace("float8_", "float8")


def dim_of(size: Any) -> Dim:
    """Return a size, or the symbol or expression of a dynamic one."""
    if isinstance(size, int):
        return int(size)
    expression = size.node.expr
    return int(expression) if expression.is_number else str(expression)


def output_names(program: torch.export.ExportedProgram) -> list[str]:
    """Name the outputs by the source's own keys; ``output`` for a single tensor."""
    spec = program.call_spec.out_spec
    assert spec is not None
    leaves = torch.utils._pytree.tree_unflatten(list(range(spec.num_leaves)), spec)
    names = dict(leaf_names(leaves, ""))
    user_outputs = program.graph_signature.user_outputs
    return [
        names.get(index) or ("output" if spec.num_leaves == 1 else f"output_{index}")
        for index, output in enumerate(user_outputs)
        if output is not None
    ]


def leaf_names(tree: Any, prefix: str) -> Iterator[tuple[int, str]]:
    """Yield each leaf of an output structure with the path of keys to it."""
    if isinstance(tree, int):
        yield tree, prefix
    elif isinstance(tree, Mapping):
        for key, item in tree.items():
            yield from leaf_names(item, f"{prefix}_{key}" if prefix else str(key))
    elif isinstance(tree, list | tuple):
        fields = getattr(tree, "_fields", None)
        single = len(tree) == 1 and not fields
        for index, item in enumerate(tree):
            key = fields[index] if fields else "" if single else str(index)
            base = prefix or ("" if fields or single else "output")
            yield from leaf_names(item, "_".join(part for part in (base, key) if part))


def numbers_as_declared(model: torch.jit.ScriptModule, values: Sequence[Any]) -> tuple[Any, ...]:
    """Return values as a script takes them: numbers where it declares numbers."""
    kinds = {"int": int, "float": float, "bool": bool}
    schema: Any = model.forward.schema  # type: ignore[attr-defined]
    declared = [str(argument.type) for argument in schema.arguments[1:]]
    pairs = zip_longest(values, declared[: len(values)])
    return tuple(kinds[kind](value) if kind in kinds else value for value, kind in pairs)
