"""A graph as the locator reads it: in float64, every value with a name for what it says.

A value's *number* stands for its content: constants with the same elements have the same number,
and so have the results of the same operator with the same attributes on values of the same numbers.
So two graphs are compared without running what they have in common, whatever it is called.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections import ChainMap
from collections.abc import Hashable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx_ir as ir
import torch
from onnx_ir.passes.common import InlinePass

from converter.errors import OutputError
from converter.graph.shapes import infer_shapes
from converter.rebuild.graph_values import constant_tensor, trimmed
from converter.rebuild.prepare import pin_versions, plain_domain, version_of
from converter.rebuild.pytorch.dtypes import from_numpy
from converter.temporary import TemporaryFolder
from verify.float64 import in_float64
from verify.locate.kernels import NodeFailed, read_values, run_node

MOST_BYTES = 2 << 30
"""Bytes of a graph's values that are held in memory."""

ROUNDED = {
    ir.DataType.FLOAT: torch.float32,
    ir.DataType.FLOAT16: torch.float16,
    ir.DataType.BFLOAT16: torch.bfloat16,
}


class Wide:
    """A copy of a graph in float64.

    Attributes:
        model: the copy; its nodes have the names and the order of the original's.
        dtypes: what each value's element type was, by value.
        stored: each initializer's tensor as it was, by value.
        nodes: the nodes of the main graph that compute something, in order.
    """

    def __init__(self, model: ir.Model) -> None:
        copy = model.clone()
        if copy.functions:
            for function in copy.functions.values():
                pin_versions(function, copy)
            InlinePass()(copy)
        if any(value.type is None for node in copy.graph for value in node.outputs if value.name):
            infer_shapes(copy)
        self.model = in_float64(copy)
        self.dtypes: dict[ir.Value, ir.DataType | None] = {}
        for old, new in zip(_values(copy), _values(self.model), strict=True):
            self.dtypes[new] = old.dtype if isinstance(old.type, ir.TensorType) else None
        self.stored: dict[ir.Value, ir.TensorProtocol | None] = {}
        for name, value in self.model.graph.initializers.items():
            self.dtypes[value] = copy.graph.initializers[name].dtype
            self.stored[value] = copy.graph.initializers[name].const_value
        self.nodes = [n for n in self.model.graph if constant_tensor(n.outputs[0]) is None]

    @property
    def inputs(self) -> list[ir.Value]:
        """The graph's inputs that no initializer fills."""
        graph = self.model.graph
        return [value for value in graph.inputs if value.name not in graph.initializers]

    @property
    def outputs(self) -> list[ir.Value]:
        """The graph's outputs."""
        return list(self.model.graph.outputs)

    def floats(self) -> set[ir.DataType]:
        """Return the floating-point types that the graph has anywhere."""
        return {d for d in self.dtypes.values() if d is not None and d.is_floating_point()}


def _values(model: ir.Model) -> list[ir.Value]:
    return [*model.graph.inputs, *(v for node in model.graph for v in node.outputs)]


@dataclass
class Table:
    """What is known of values by number.

    Attributes:
        values: the tensor (list of tensors, array of strings) of each number.
        results: numbers of a node's outputs, by what it computes.
        constants: number and tensor of each constant, by the identity of the stored tensor (kept,
            so that an identity is not used again).
        digests: numbers of constants and inputs, by what they hold.
        next: the next free number.
        held: bytes of values in memory; past `MOST_BYTES` they go to files that are mapped.
        folder: where those lie.
    """

    values: MutableMapping[int, Any] = field(default_factory=dict)
    results: MutableMapping[Hashable, tuple[int, ...]] = field(default_factory=dict)
    constants: MutableMapping[int, tuple[int, Any]] = field(default_factory=dict)
    digests: MutableMapping[Hashable, int] = field(default_factory=dict)
    next: int = 0
    held: int = 0
    folder: TemporaryFolder | None = None

    def child(self) -> Table:
        """Return a table that knows all of this one, and whose additions are its own."""
        return Table(
            ChainMap({}, self.values), ChainMap({}, self.results), ChainMap({}, self.constants),
            ChainMap({}, self.digests), self.next, self.held,
        )  # fmt: skip

    def add(self, value: Any) -> int:
        """Give a value a new number."""
        self.next += 1
        if isinstance(value, torch.Tensor):
            if self.held + value.nbytes > MOST_BYTES and value.numel():
                value = self._in_file(value)
            else:
                self.held += value.nbytes
        self.values[self.next - 1] = value
        return self.next - 1

    def _in_file(self, value: torch.Tensor) -> torch.Tensor:
        """Return a tensor whose elements lie in a file; the system keeps in memory what it can."""
        if self.folder is None:
            self.folder = TemporaryFolder()
        path = f"{self.folder.path}/{self.next}"
        _reserve(path, value.nbytes)
        mapped = torch.from_file(path, shared=True, size=value.numel(), dtype=value.dtype)
        return mapped.reshape(value.shape).copy_(value)

    def named(self, key: Hashable, value: Any) -> int:
        """Return the number for a key, given to ``value`` if there is none yet."""
        if key not in self.digests:
            self.digests[key] = self.add(value)
        return self.digests[key]

    def constant(self, value: ir.Value, wide: Wide) -> int | None:
        """Return the number of an initializer or a `Constant`; ``None`` if it is neither."""
        tensor = constant_tensor(value)
        if tensor is None:
            return None
        source = wide.stored.get(value, tensor)
        if id(source) not in self.constants:
            array = tensor.numpy()
            number = self.named(digest(array), from_numpy(array, int(tensor.dtype)))
            self.constants[id(source)] = (number, source)
        return self.constants[id(source)][0]


def _reserve(path: str, size: int) -> None:
    """Make a file of ``size`` bytes that are there: writing to a map of a full disk kills.

    Raises:
        OutputError: the disk has no room.
    """
    folder = os.path.dirname(path)
    try:
        if shutil.disk_usage(folder).free < size:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        with open(path, "wb") as file:
            file.truncate(size)
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, size)
    except OSError as error:
        raise OutputError(
            f"the values of the graph do not fit in memory nor in {folder}: {error.strerror}",
            hint="Set TMPDIR to a folder with more room, or give smaller inputs with --data.",
        ) from error


def digest(array: np.ndarray) -> Hashable:
    """Return a key that stands for an array's elements, shape and type."""
    if array.dtype == object:
        return ("text", array.shape, tuple(array.ravel().tolist()))
    data = np.ascontiguousarray(array)
    return (str(array.dtype), array.shape, hashlib.blake2b(data.view(np.uint8).data).digest())


def key_of(node: ir.Node, wide: Wide, numbers: list[int | None], rounded: Any) -> Hashable:
    """Return what a node computes, apart from all names."""
    known = {v: n for v, n in zip(read_values(node), numbers, strict=True) if v is not None}
    names = tuple(bool(value.name) for value in node.outputs)
    return (_operator(node, wide), tuple(numbers[: len(trimmed(node.inputs))]), names,
            _attributes(node, wide, known), rounded)  # fmt: skip


def _operator(node: ir.Node, wide: Wide) -> Hashable:
    return plain_domain(node.domain), node.op_type, version_of(node, wide.model)


def _attributes(node: ir.Node, wide: Wide, known: dict[ir.Value, Any]) -> Hashable:
    result = []
    for name, attribute in sorted(node.attributes.items()):
        if attribute.type == ir.AttributeType.GRAPH:
            value: Any = _body(attribute.as_graph(), wide, known)
        elif attribute.type == ir.AttributeType.TENSOR:
            value = digest(attribute.as_tensor().numpy())
        else:
            value = attribute.value
            value = tuple(value) if isinstance(value, list | tuple) else value
        result.append((name, attribute.type.name, value))
    return tuple(result)


def _body(graph: ir.Graph, wide: Wide, known: dict[ir.Value, Any]) -> Hashable:
    """Return what a body computes, its values called by where they come from."""
    inner = {**known, **{value: ("in", i) for i, value in enumerate(graph.inputs)}}
    for value in graph.initializers.values():
        assert value.const_value is not None
        inner[value] = digest(value.const_value.numpy())
    steps = []
    for index, node in enumerate(graph):
        read = tuple(None if v is None else inner.get(v) for v in node.inputs)
        steps.append((_operator(node, wide), read, _attributes(node, wide, inner)))
        inner |= {value: ("node", index, place) for place, value in enumerate(node.outputs)}
    return tuple(steps), tuple(inner.get(value) for value in graph.outputs)


def compute(
    node: ir.Node, wide: Wide, values: list[Any], rounded: frozenset[ir.DataType]
) -> tuple[Any, ...]:
    """Run a node; results of a type in ``rounded`` are rounded to it, though held in float64.

    Raises:
        NodeFailed: it cannot be run on these values.
    """
    results = run_node(node, wide.model, values)
    if len(results) < len(trimmed([v if v.name else None for v in node.outputs])):
        raise NodeFailed("it has fewer results than the graph names")
    return tuple(
        _rounded(result, wide.dtypes.get(output) if rounded else None, rounded)
        for result, output in zip(results, node.outputs, strict=False)
    )


def _rounded(value: Any, dtype: ir.DataType | None, rounded: frozenset[ir.DataType]) -> Any:
    if dtype is None or dtype not in rounded or not isinstance(value, torch.Tensor):
        return value
    return value.to(ROUNDED[dtype]).to(value.dtype)
