"""Branches and loops as Python's own: ``if``, ``for`` and ``while``."""

from __future__ import annotations

import re

import onnx_ir as ir

from converter.graph.structure.sizes import dims
from converter.graph.structure.tree import Control, Step
from converter.source import expressions
from converter.source.body import Body, NoDimension
from converter.source.carried import (
    begun,
    condition,
    loop_of,
    plain_number,
    row_shape,
    scan_of,
    slice_names,
)
from converter.source.errors import NotWritable
from converter.source.expressions import Text
from converter.source.inner import Inner, indented, rebound
from converter.source.pytorch.dtypes import word
from converter.source.view import View


def control(body: Body, step: Step) -> None:
    """Write the statements of a branch or a loop.

    Raises:
        NotWritable: an operator with bodies that has no statement here.
    """
    assert isinstance(step.what, Control)
    write = _KINDS.get(step.what.node.op_type)
    if write is None:
        raise NotWritable(f"{step.what.node.op_type} has bodies and no statement in Python")
    write(body, step.what)


def _branch(body: Body, what: Control) -> None:
    """``if condition: ... else: ...``."""
    test = condition(body, View(what.node, body), 0)
    places = [i for i, value in enumerate(what.node.outputs) if body.left.get(value)]
    names = [body.fresh(body.wish(what.node.outputs[i])) for i in places]
    for head, branch in ((f"if {test}:", "then_branch"), ("else:", "else_branch")):
        inner = Inner(body, what.bodies[branch], {})
        inner.statements()
        results = [inner.as_tensor(inner.block.outputs[i]) for i in places]
        pairs = list(zip(names, results, strict=True))
        body.lines += [head, *indented([*inner.lines, *rebound(pairs)])]
        body.taken |= inner.taken
    for i, name in zip(places, names, strict=True):
        body.bind(what.node.outputs[i], name)


def _loop(body: Body, what: Control) -> None:
    """``for i in range(n): ...`` where a count decides, else ``while going: ...``."""
    loop, view = loop_of(what), View(what.node, body)
    first = condition(body, view, 1) if loop.first is not None else Text("True")
    always = first.text == "True"
    going = body.fresh("going") if loop.condition is not None else ""
    if loop.condition is not None and not always:
        body.lines.append(f"{going} = {first}")
    names = begun(body, what.node, [(index, inner) for index, inner, _, _ in loop.carried])
    trips = _trips(body, view) if loop.trips is not None else None
    counter = body.fresh("i")
    rows = [body.fresh("rows") for _ in loop.stacked]
    inner = Inner(body, loop.block, {given: names[given] for _, given, _, _ in loop.carried})
    inner.named_dims[body.sizes.iterations[loop.iteration]] = expressions.name(counter)
    inner.statements()
    lines = [*inner.lines, *_appended(inner, rows, [row for row, _ in loop.stacked])]
    pairs = [(names[given], inner.as_tensor(result)) for _, given, result, _ in loop.carried]
    if loop.condition is not None:
        pairs.append((going, inner.as_tensor(loop.condition)))
    lines += rebound(pairs)
    body.taken |= inner.taken
    counted = any(re.search(rf"\b{counter}\b", line) for line in lines)
    before, head, tail = [f"{name} = []" for name in rows], "", []
    if loop.condition is None:
        head = f"for {counter if counted else '_'} in range({trips}):"
    elif always and trips is not None:
        head, tail = f"for {counter if counted else '_'} in range({trips}):", _unless(going)
    elif trips is None and not counted:
        head, tail = ("while True:", _unless(going)) if always else (f"while {going}:", [])
    else:
        limit = body.fresh("limit")
        before += [f"{counter} = 0"] + ([f"{limit} = {trips}"] if trips is not None else [])
        test = [] if always else [going]
        test += [f"{counter} < {limit}"] if trips is not None else []
        head = f"while {' and '.join(test) or 'True'}:"
        tail = [f"{counter} += 1", *(_unless(going) if always else [])]
    body.lines += [*before, head, *indented([*lines, *tail])]
    runs = always and trips is not None and trips.text.isdigit() and int(trips.text) > 0
    for name, (row, output) in zip(rows, loop.stacked, strict=True):
        like = next((names[given] for _, given, result, _ in loop.carried
                     if _is_alike(result, row)), None)  # fmt: skip
        _stack(body, name, row, output, never_empty=runs or (always and trips is None), like=like)
    for _, given, _, output in loop.carried:
        body.bind(output, names[given])


def _trips(body: Body, view: View) -> Text:
    """Return how often a loop runs, as an integer."""
    known = plain_number(view, 0)
    return expressions.call("int", view.tensor(0)) if known is None else body.size(known)


def _unless(going: str) -> list[str]:
    return [f"if not {going}:", "    break"]


def _appended(inner: Inner, names: list[str], rows: list[ir.Value]) -> list[str]:
    return [f"{name}.append({inner.as_tensor(row)})" for name, row in zip(names, rows, strict=True)]


def _is_alike(one: ir.Value, other: ir.Value) -> bool:
    """Tell whether two values of a body have one type and shape, whatever its sizes are."""
    one, other = _original(one), _original(other)
    sizes = dims(one)
    return one is other or (sizes is not None and (sizes, one.dtype) == (dims(other), other.dtype))


def _original(value: ir.Value) -> ir.Value:
    node = value.producer()
    if node is None or node.op_type != "Identity" or node.inputs[0] is None:
        return value
    return _original(node.inputs[0])


def _stack(
    body: Body, rows: str, row: ir.Value, output: ir.Value,
    *, never_empty: bool, axis: int = 0, backwards: bool = False, like: str | None = None,
) -> None:  # fmt: skip
    """Make one tensor of a list, which a loop of no iterations leaves empty.

    Args:
        like: a variable with the shape of one row, for sizes that nothing else tells.
    """
    listed = Text(f"{rows}[::-1]" if backwards else rows)
    text = expressions.call("torch.stack", listed, *([Text(str(axis))] if axis else []))
    if not never_empty:
        try:
            empty = _empty(body, row, output, axis)
        except NoDimension:
            if like is None or axis:
                raise
            empty = Text(f"{like}.new_empty((0, *{like}.shape))", names=frozenset({like}))
        text = Text(f"{text} if {rows} else {empty}")
    body.lines.append(f"{rows} = {text}")
    body.bind(output, rows)


def _empty(body: Body, row: ir.Value, output: ir.Value, axis: int) -> Text:
    """Return a tensor of no rows.

    Raises:
        NoDimension: no tensor at hand has a size of a row.
    """
    sizes = row_shape(body, row, output, axis)
    sizes.insert(axis % (len(sizes) + 1), Text("0"))
    shape = ", ".join(size.text for size in sizes)
    dtype = word(output.dtype or row.dtype)
    return expressions.call(
        "torch.empty", Text(f"({shape}{',' if len(sizes) == 1 else ''})"),
        dtype=None if dtype == "torch.float32" else dtype, device=View(None, body).device(),
    )  # fmt: skip


def _scan(body: Body, what: Control) -> None:
    """``for row in x: ...``."""
    view = View(what.node, body)
    scan = scan_of(what, view)
    names = begun(body, what.node, [(index, item) for index, item, _, _ in scan.states])
    columns = [
        _slices(view.tensor(index), axis, view.rank(index), backwards)
        for index, _, axis, backwards in scan.scanned
    ]
    slices = slice_names(body, scan)
    rows = [body.fresh("rows") for _ in scan.stacked]
    given = {item: name for (_, item, _, _), name in zip(scan.scanned, slices, strict=True)}
    inner = Inner(body, scan.block, {**names, **given})
    inner.statements()
    lines = [*inner.lines, *_appended(inner, rows, [row for row, _, _, _ in scan.stacked])]
    pairs = [(names[item], inner.as_tensor(result)) for _, item, result, _ in scan.states]
    body.taken |= inner.taken
    through = columns[0] if len(columns) == 1 else f"zip({', '.join(columns)}, strict=True)"
    body.lines += [f"{name} = []" for name in rows]
    body.lines += [f"for {', '.join(slices)} in {through}:", *indented([*lines, *rebound(pairs)])]
    for name, (row, output, axis, backwards) in zip(rows, scan.stacked, strict=True):
        _stack(body, name, row, output, never_empty=False, axis=axis, backwards=backwards)
    for _, item, _, output in scan.states:
        body.bind(output, names[item])


def _slices(value: Text, axis: int, rank: int | None, backwards: bool) -> str:
    if backwards:
        value = expressions.method(value, "flip", Text(str(axis)))
    first = axis == 0 or (rank is not None and axis % rank == 0)
    return value.text if first else expressions.method(value, "unbind", Text(str(axis))).text


_KINDS = {"If": _branch, "Loop": _loop, "Repeat": _loop, "Scan": _scan}
