"""What a loop carries from one iteration to the next, and what it stacks: as variables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import onnx_ir as ir

from converter.graph.structure.sizes import dims
from converter.graph.structure.tree import Block, Control
from converter.source.body import Body
from converter.source.errors import NotWritable
from converter.source.expressions import Text
from converter.source.view import View


@dataclass
class Loop:
    """A loop in the terms of its body.

    Attributes:
        block: the body.
        trips: the node's input that says how often it runs at most, ``None``: as often as the
            condition says.
        first: the node's input that lets the first iteration in, ``None``: it always runs.
        iteration: the body's input that counts.
        condition: the body's output that lets the next iteration in.
        carried: initial value, the body's input, the body's output, the node's output.
        stacked: the body's output, the node's output.
    """

    block: Block
    trips: int | None
    first: int | None
    iteration: ir.Value
    condition: ir.Value | None
    carried: list[tuple[int, ir.Value, ir.Value, ir.Value]]
    stacked: list[tuple[ir.Value, ir.Value]]


def loop_of(what: Control) -> Loop:
    """Return a `Loop` or `equiport.Repeat`; what comes out as it went in is not carried."""
    node, block = what.node, what.bodies["body"]
    ends = node.op_type == "Loop"
    begin = 2 if ends else 1
    """Where what is carried begins in the node's and the body's inputs; outputs have no counter."""
    count = len(node.inputs) - begin
    carried = [
        (begin + i, block.inputs[begin + i], block.outputs[begin - 1 + i], node.outputs[i])
        for i in range(count)
        if block.outputs[begin - 1 + i] is not block.inputs[begin + i]
    ]
    rows = block.outputs[begin - 1 + count :]
    stacked = [
        pair for pair in zip(rows, node.outputs[count:], strict=False) if wanted(pair[1])
    ]  # fmt: skip
    given = [
        index if index < begin and node.inputs[index] is not None else None for index in (0, 1)
    ]
    return Loop(
        block, given[0], given[1] if ends else None, block.inputs[0],
        block.outputs[0] if ends else None, carried, stacked,
    )  # fmt: skip


@dataclass
class Scan:
    """A loop over the slices of tensors, in the terms of its body.

    Attributes:
        block: the body.
        states: initial value, the body's input, the body's output, the node's output.
        scanned: the node's input, the body's input, the axis, whether it goes backwards.
        stacked: the body's output, the node's output, the axis, whether it goes backwards.
    """

    block: Block
    states: list[tuple[int, ir.Value, ir.Value, ir.Value]]
    scanned: list[tuple[int, ir.Value, int, bool]]
    stacked: list[tuple[ir.Value, ir.Value, int, bool]]


def scan_of(what: Control, view: View) -> Scan:
    """Return a `Scan`; what nobody reads is not stacked."""
    node, block = what.node, what.bodies["body"]
    inputs = view.attribute("num_scan_inputs", 0)
    count = len(node.inputs) - inputs
    results, outputs = block.outputs[count:], node.outputs[count:]

    def given(name: str, number: int) -> list[int]:
        return list(view.attribute(name, (0,) * number))

    states = list(
        zip(range(count), block.inputs[:count], block.outputs, node.outputs, strict=False)
    )
    scanned = zip(
        range(count, count + inputs), block.inputs[count:], given("scan_input_axes", inputs),
        map(bool, given("scan_input_directions", inputs)), strict=True,
    )  # fmt: skip
    stacked = zip(
        results, outputs, given("scan_output_axes", len(results)),
        map(bool, given("scan_output_directions", len(results))), strict=True,
    )  # fmt: skip
    return Scan(block, states, list(scanned), [row for row in stacked if wanted(row[1])])


def slice_names(body: Body, scan: Scan) -> list[str]:
    """Return variables for the slices of one iteration."""
    one = len(scan.scanned) == 1
    return [body.fresh("row" if one else f"row_{i + 1}") for i in range(len(scan.scanned))]


def wanted(value: ir.Value) -> bool:
    """Tell whether anybody reads a value."""
    return bool(value.uses()) or value.is_graph_output()


def plain_number(view: View, index: int) -> Any:
    """Return an input of one element as a number or an expression, ``None`` if it is a tensor."""
    known = view.number(index)
    while isinstance(known, tuple):
        (known,) = known
    return known


def condition(body: Body, view: View, index: int) -> Text:
    """Return an input of one truth value as an expression."""
    known = plain_number(view, index)
    return view.tensor(index) if known is None else body.size(known)


def begun(body: Body, node: ir.Node, carried: list[tuple[int, ir.Value]]) -> dict[ir.Value, str]:
    """Give each carried value a variable that holds what it is at first.

    Returns:
        The variable by the body's input. It may have been there before the loop; the loop
        overwrites it.
    """
    names: dict[ir.Value, str] = {}
    for index, inner in carried:
        outer = node.inputs[index]
        assert outer is not None
        text = body.as_tensor(outer)
        if not (text.text in body.live and body.is_free(text.text)):
            name = text.stem if text.stem and body.is_free(text.stem) else None
            name = name or body.fresh(_wish(body, outer))
            body.flush(name)
            body.lines.append(f"{name} = {text}")
            text = Text(name)
        body.flush(text.text)
        names[inner] = text.text
        # Until the loop is written nothing else may take the variable.
        body.live[text.text], body.left[inner] = inner, 1
    return names


def _wish(body: Body, value: ir.Value) -> str:
    if body.sizes.of(value) is None:
        return body.wish(value)
    dtype = body.sizes.dtypes[value]
    return "value" if dtype.is_floating_point() else "count"


def row_shape(body: Body, row: ir.Value, stacked: ir.Value, axis: int = 0) -> list[Text]:
    """Return the sizes of one thing that a loop stacks, from the whole or from the part.

    Raises:
        NotWritable: they are not known.
    """
    whole = dims(stacked)
    if whole is not None:
        axis %= len(whole)
        whole = (*whole[:axis], *whole[axis + 1 :])
    part = dims(row)
    count = len(whole if whole is not None else part or ())
    if whole is None and part is None:
        raise NotWritable(f"the rank of {stacked.name}, which a loop stacks, is not known")
    sizes = []
    for i in range(count):
        found = [sides[i] for sides in (part, whole) if sides is not None and sides[i] is not None]
        found.sort(key=lambda size: not isinstance(size, int))
        if not found:
            raise NotWritable(f"a size of {stacked.name}, which a loop stacks, is not known")
        sizes.append(body.size(found[0]))
    return sizes
