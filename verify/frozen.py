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
from verify.inputs import random_inputs
from verify.sizes import dynamic_names

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
    """Compare two traces of one model node by node, weights left out.

    Nodes are put side by side by name, where both traces have the same ones, else by position; then
    the first difference of structure ends it, because what follows cannot be put side by side.
    """
    found: list[Frozen] = []
    for one, other in _side_by_side(list(_nodes(first)), list(_nodes(second))):
        if (one.domain, one.op_type, len(one.inputs)) != (
            other.domain, other.op_type, len(other.inputs),
        ):  # fmt: skip
            return [*found, _frozen(one, f"this {one.op_type}", f"a {other.op_type}")]
        if one.op_type in RANDOM:
            found.append(_frozen(one))
        found.extend(_frozen(one, *pair) for pair in _pairs(one, other) if pair[0] != pair[1])
    counts = [sum(1 for _ in _nodes(model)) for model in (first, second)]
    if counts[0] != counts[1]:
        last = list(_nodes(first if counts[0] > counts[1] else second))[min(counts)]
        found.append(_frozen(last, f"{counts[0]} nodes", f"{counts[1]} nodes"))
    return found


def _side_by_side(first: list[ir.Node], second: list[ir.Node]) -> Iterator[tuple]:
    names = [node.name for node in first]
    by_name = {node.name: node for node in second}
    if len(set(names)) == len(names) and set(names) == set(by_name) and len(second) == len(first):
        yield from ((node, by_name[node.name]) for node in first)
    else:
        yield from zip(first, second, strict=False)


def _nodes(model: ir.Model) -> Iterator[ir.Node]:
    yield from model.graph.all_nodes()


def _pairs(one: ir.Node, other: ir.Node) -> Iterator[tuple[str, str]]:
    """Yield what each of two nodes has in the places that a trace may freeze."""
    for x, y in zip(one.inputs, other.inputs, strict=True):
        pair = [value.const_value if value is not None else None for value in (x, y)]
        weight = x is not None and x.metadata_props.get("equiport.role")
        if not weight and None not in pair:
            yield _told(pair[0], pair[1])
    for name in sorted(set(one.attributes) | set(other.attributes)):
        mine, theirs = one.attributes.get(name), other.attributes.get(name)
        kinds = {str(item.type) for item in (mine, theirs) if item is not None}
        if mine is None or theirs is None or len(kinds) > 1:
            yield (f"{name} {'set' if mine else 'unset'}", f"{name} {'set' if theirs else 'unset'}")
        elif mine.is_ref() or "GRAPH" in str(mine.type):
            continue
        elif "TENSOR" in str(mine.type):
            yield _told(mine.value, theirs.value)
        else:
            yield (f"{name}={mine.value}", f"{name}={theirs.value}")


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
            for index, name in enumerate(dynamic_names(signature))
        }
        made.append(random_inputs(signature, sizes, 1000 + seed))
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
