"""What tracing took for a constant although it is none.

A trace runs the model's Python once and keeps what it saw: a number from ``random`` or the clock, a
counter that goes up with each call, a size that was turned into a number. So the source is traced
twice, with other values and other sizes, and has run in between; what differs between the two
graphs is frozen in each of them. `torch.export` itself refuses ``if x.sum() > 0`` and a declared
dimension that the code fixes, and it puts attributes of the module back after each trace, which is
why the model has to run in between.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from converter.signature import DimRange, Signature
from converter.sizes import nearest
from verify.inputs import random_inputs

if TYPE_CHECKING:
    import onnx_ir as ir

    from converter.formats import Source

RANDOM = frozenset({
    "Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform",
    "RandomUniformLike",
})  # fmt: skip


@dataclass(frozen=True)
class Frozen:
    """One place at which two traces differ, or which draws random numbers.

    Attributes:
        node: name of the ONNX node.
        op: its operator.
        first, second: what the one trace has there and what the other; both empty where the node
            draws random numbers.
        module_path, source_line: where it comes from, ``""`` if not known.
    """

    node: str
    op: str
    first: str = ""
    second: str = ""
    module_path: str = ""
    source_line: str = ""

    def __str__(self) -> str:
        where = ", ".join(filter(None, (self.module_path, self.source_line)))
        where = f"{self.node} ({self.op}{f', {where}' if where else ''})"
        if not self.first:
            return f"{where} draws random numbers: two runs never agree"
        return f"{where} has {self.first} in one trace, {self.second} in another"


def differences(first: ir.Model, second: ir.Model) -> list[Frozen]:
    """Compare two traces of one model, from the outputs backwards, weights left out.

    Names and the order of the nodes do not count: a tracer may number them as it likes. Where the
    structure differs, what lies before that node is not put side by side.
    """
    found: list[Frozen] = []
    if len(first.graph.outputs) != len(second.graph.outputs):
        counts = [f"{len(model.graph.outputs)} outputs" for model in (first, second)]
        return [Frozen("the graph", "outputs", *counts)]
    pending: list[tuple[ir.Value | None, ir.Value | None]] = []
    pending += zip(first.graph.outputs, second.graph.outputs, strict=True)
    seen: set[tuple[int, int]] = set()
    while pending:
        one, other = pending.pop()
        if one is None or other is None or (id(one), id(other)) in seen:
            continue
        seen.add((id(one), id(other)))
        node, twin = one.producer(), other.producer()
        if node is None or twin is None:
            found += _leaves(one, other)
        elif difference := _structure(node, twin):
            found.append(difference)
        elif (id(node), id(twin)) not in seen:
            seen.add((id(node), id(twin)))
            found += _attributes(node, twin)
            found += [_frozen(node)] if node.op_type in RANDOM else []
            pending += zip(node.inputs, twin.inputs, strict=True)
            pending += _bodies(node, twin)
    return sorted(found, key=lambda item: _position(first, item))


def _position(model: ir.Model, item: Frozen) -> int:
    names = [node.name for node in model.graph.all_nodes()]
    return names.index(item.node) if item.node in names else -1


def _structure(one: ir.Node, other: ir.Node) -> Frozen | None:
    counts = [sum(v is not None for v in node.inputs) for node in (one, other)]
    if (one.domain, one.op_type) != (other.domain, other.op_type):
        return _frozen(one, f"this {one.op_type}", f"a {other.op_type}")
    if counts[0] != counts[1] or len(one.inputs) != len(other.inputs):
        return _frozen(one, f"{counts[0]} inputs", f"{counts[1]} inputs")
    return None


def _leaves(one: ir.Value, other: ir.Value) -> list[Frozen]:
    """Compare where at least one side is an input of the graph, or a constant beside its nodes."""
    if one.metadata_props.get("equiport.role") or (one.const_value is None) != (
        other.const_value is None
    ):
        same = one.producer() is None and other.producer() is None
        return [] if same else _elsewhere(one, other)
    if one.producer() is not None or other.producer() is not None:
        return _elsewhere(one, other)
    if one.const_value is None:
        return []
    pair = _told(one.const_value, other.const_value)
    return [_read_by(one, *pair)] if pair[0] != pair[1] else []


def _elsewhere(one: ir.Value, other: ir.Value) -> list[Frozen]:
    what = []
    for value in (one, other):
        node = value.producer()
        what.append(node.op_type if node is not None else "input or constant")
    return [_read_by(one, f"a {what[0]}", f"a {what[1]}")]


def _read_by(value: ir.Value, first: str, second: str) -> Frozen:
    """Name a value without a node by the node that reads it."""
    readers = [user for user, _ in value.uses()]
    told = next((r for r in readers if "equiport.source_line" in r.metadata_props), None)
    told = told or (readers[0] if readers else None)
    if told is None:
        return Frozen(value.name or "", "value", first, second)
    return _frozen(told, first, second)


def _bodies(one: ir.Node, other: ir.Node) -> Iterator[tuple[ir.Value, ir.Value]]:
    for name, attribute in one.attributes.items():
        theirs = other.attributes.get(name)
        if "GRAPH" in str(attribute.type) and theirs is not None:
            yield from zip(attribute.as_graph().outputs, theirs.as_graph().outputs, strict=False)


def _attributes(one: ir.Node, other: ir.Node) -> list[Frozen]:
    """Compare two nodes' attributes."""
    pairs = []
    for name in sorted(set(one.attributes) | set(other.attributes)):
        mine, theirs = one.attributes.get(name), other.attributes.get(name)
        kinds = {str(item.type) for item in (mine, theirs) if item is not None}
        if mine is None or theirs is None or len(kinds) > 1:
            words = [f"{name} {'unset' if item is None else 'set'}" for item in (mine, theirs)]
            pairs.append((words[0], words[1]))
        elif mine.is_ref() or "GRAPH" in str(mine.type):
            continue
        elif "TENSOR" in str(mine.type):
            pairs.append(_told(mine.value, theirs.value))
        else:
            pairs.append((f"{name}={mine.value}", f"{name}={theirs.value}"))
    return [_frozen(one, *pair) for pair in pairs if pair[0] != pair[1]]


def _told(one: Any, other: Any) -> tuple[str, str]:
    """Return two tensors in words, equal words if they are equal."""
    if one is other:
        return "", ""
    x, y = np.asarray(one.numpy()), np.asarray(other.numpy())
    if x.shape != y.shape or x.dtype != y.dtype:
        return f"{x.dtype}{list(x.shape)}", f"{y.dtype}{list(y.shape)}"
    if x.tobytes() == y.tobytes():
        return "", ""
    bits = f"u{x.dtype.itemsize}" if x.dtype.kind not in "OSU" and x.dtype.itemsize <= 8 else None
    different = (x.view(bits) != y.view(bits)) if bits and x.ndim else x != y
    index = int(np.argmax(np.atleast_1d(different).reshape(-1)))
    values = [_number(item.reshape(-1)[index]) for item in (x, y)]
    return values[0], values[1] if values[0] != values[1] else f"{values[1]} (other bits)"


def _number(value: Any) -> str:
    return f"{value:.7g}" if isinstance(value, np.floating) else str(value)


def _frozen(node: ir.Node, first: str = "", second: str = "") -> Frozen:
    """Name the node; a constant has no place of its own but that of its first reader."""
    told = node
    if node.op_type == "Constant" and "equiport.source_line" not in node.metadata_props:
        readers = [user for user, _ in node.outputs[0].uses()]
        told = next((r for r in readers if "equiport.source_line" in r.metadata_props), node)
    properties = told.metadata_props
    return Frozen(
        told.name or "", told.op_type, first, second,
        properties.get("equiport.module_path", ""), properties.get("equiport.source_line", ""),
    )  # fmt: skip


def examples(signature: Signature) -> list[dict[str, np.ndarray]]:
    """Return two sets of valid inputs, of other values and, where they are dynamic, other sizes."""
    made = []
    for seed in (0, 1):
        sizes = {
            name: _size(signature.dims.get(name, DimRange()), 3 + 2 * index + 3 * seed, seed)
            for index, name in enumerate(signature.dynamic_dims())
        }
        made.append(random_inputs(signature, nearest(signature, sizes) or sizes, 1000 + seed))
    return made


def _size(allowed: DimRange, wish: int, seed: int) -> int:
    low, high = max(1, allowed.minimum), allowed.maximum
    size = wish if low == 1 else low * (1 + seed)  # a large minimum may be the step as well
    return size if high is None else min(size, high)


def of_source(
    source: Source, runner: Any, trace: Callable[[dict[str, Any]], ir.Model], signature: Signature
) -> list[Frozen]:
    """Trace a loaded model with each of two inputs, run it in between, return the differences.

    Args:
        source: the loaded model.
        runner: its runtime, `verify.runtimes`.
        trace: takes example tensors by input name and gives the graph.
        signature: the inputs.

    Raises:
        EquiportError: the model cannot be traced.
    """
    graphs = []
    made = examples(signature)
    for arrays in made:
        graphs.append(trace(_tensors(source.framework, arrays)))
        runner.call(runner.prepare(arrays))
    return differences(*graphs)


def _tensors(framework: str, arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
    if framework != "torch":
        return {}
    from verify.runtimes.torch_tensors import from_numpy

    return {name: from_numpy(array) for name, array in arrays.items()}
