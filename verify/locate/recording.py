"""Every value of the reference graph, in float64, on one set of inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import onnx_ir as ir
import torch

from converter.errors import UsageError
from converter.rebuild.graph_values import constant_tensor
from converter.rebuild.pytorch.dtypes import from_numpy
from verify.locate.closeness import fingerprint, flat
from verify.locate.graph import Table, Wide, compute, digest, key_of
from verify.locate.kernels import NodeFailed, read_values


@dataclass
class Recording:
    """A reference graph and all of its values.

    Attributes:
        wide: the graph in float64.
        table: its values by number.
        numbers: number of each value that could be computed.
        failed: why a node could not be run, by node.
        inputs: the arrays it ran on, by name.
    """

    wide: Wide
    table: Table
    inputs: Mapping[str, np.ndarray]
    numbers: dict[ir.Value, int] = field(default_factory=dict)
    failed: dict[ir.Node, str] = field(default_factory=dict)

    @cached_property
    def owners(self) -> dict[int, list[ir.Value]]:
        """The graph's values by number."""
        result: dict[int, list[ir.Value]] = {}
        for value, number in self.numbers.items():
            result.setdefault(number, []).append(value)
        return result

    @cached_property
    def by_operator(self) -> dict[str, list[ir.Node]]:
        """The graph's nodes by their operator."""
        result: dict[str, list[ir.Node]] = {}
        for node in self.wide.nodes:
            result.setdefault(node.op_type, []).append(node)
        return result

    @cached_property
    def fixed(self) -> set[ir.Value]:
        """The values that no input's elements change: results of constants and of shapes."""
        result: set[ir.Value] = set()
        for node in self.wide.nodes:
            read = read_values(node)
            read = read[:1] if node.op_type == "CastLike" else read
            if node.op_type in ("Shape", "Size") or all(
                value is None or value in result or constant_tensor(value) is not None
                for value in read
            ):
                result |= set(node.outputs)
        return result

    @cached_property
    def index(self) -> dict[int, list[tuple[float, float, int]]]:
        """Fingerprint and number of each value, by how many elements it has."""
        result: dict[int, list[tuple[float, float, int]]] = {}
        for number in self.owners:
            row = flat(self.table.values[number])
            if row is not None:
                result.setdefault(row.numel(), []).append((*fingerprint(row), number))
        return result


def record(model: ir.Model, inputs: Mapping[str, np.ndarray]) -> Recording:
    """Run a graph in float64 and keep every value.

    Args:
        model: left as it is.
        inputs: arrays by the names of the graph's inputs.

    Raises:
        UsageError: an input is missing.
    """
    wide = Wide(model)
    recording = Recording(wide, Table(), inputs)
    recording.numbers |= fed(wide, inputs, recording.table)
    run(recording)
    return recording


def fed(wide: Wide, inputs: Mapping[str, np.ndarray], table: Table) -> dict[ir.Value, int]:
    """Return the numbers of a graph's inputs and constants."""
    numbers = {}
    for value in wide.inputs:
        name = value.name or ""
        if name not in inputs:
            raise UsageError(f"no values are given for the graph's input {name!r}")
        tensor = from_numpy(np.asarray(inputs[name]))
        if isinstance(tensor, torch.Tensor) and tensor.is_floating_point():
            tensor = tensor.double()
            key = digest(tensor.numpy())
        else:
            key = digest(np.asarray(inputs[name]))
        numbers[value] = table.named(("input", key), tensor)
    constants = [v for v in wide.model.graph.initializers.values() if v not in numbers]
    constants += [v for node in wide.model.graph for v in node.outputs]
    for value in constants:
        number = table.constant(value, wide)
        if number is not None:
            numbers[value] = number
    return numbers


def run(recording: Recording) -> None:
    """Compute every node's results."""
    wide, table, numbers = recording.wide, recording.table, recording.numbers
    for node in wide.nodes:
        read = read_values(node)
        if any(value is not None and value not in numbers for value in read):
            recording.failed[node] = "something that it reads could not be computed"
            continue
        known = [None if value is None else numbers[value] for value in read]
        key = key_of(node, wide, known, None)
        if key not in table.results:
            values = [None if number is None else table.values[number] for number in known]
            try:
                results = compute(node, wide, values, frozenset())
            except NodeFailed as error:
                recording.failed[node] = str(error)
                continue
            table.results[key] = tuple(map(table.add, results))
        for value, number in zip(node.outputs, table.results[key], strict=False):
            if value.name:
                numbers[value] = number
