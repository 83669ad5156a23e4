"""Branches and loops as Keras has them: ``ops.cond``, ``ops.fori_loop`` and ``ops.while_loop``.

Each body is a local function. Keras has no list that grows in a loop: what a loop stacks is a
tensor with a place for each iteration, which is filled.
"""

from __future__ import annotations

import re

import onnx_ir as ir

from converter.graph.structure.tree import Control, Step
from converter.source import expressions
from converter.source.body import Body
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
from converter.source.expressions import Text, call
from converter.source.inner import Inner, indented
from converter.source.keras.dtypes import word
from converter.source.view import View


def control(body: Body, step: Step) -> None:
    """Write the statements of a branch or a loop.

    Raises:
        NotWritable: Keras has no function for it.
    """
    assert isinstance(step.what, Control)
    write = _KINDS.get(step.what.node.op_type)
    if write is None:
        raise NotWritable(f"{step.what.node.op_type} has bodies and no function in Keras")
    write(body, step.what)


def _function(
    body: Body,
    name: str,
    arguments: list[str],
    before: list[str],
    inner: Inner,
    results: list[Text],
) -> None:
    """Write a local function; several results are a tuple."""
    body.lines.append(f"def {name}({', '.join(arguments)}):")
    given = ", ".join(result.text for result in results)
    body.lines += indented([*before, *inner.lines, f"return {given}"])
    body.lines.append("")
    body.taken |= inner.taken


def _scalar(body: Body, view: View, index: int) -> Text:
    """Return a truth value without axes."""
    test = condition(body, view, index)
    if plain_number(view, index) is None and view.dims(index) != ():
        test = call("ops.reshape", test, Text("()"))
    return test


def _branch(body: Body, what: Control) -> None:
    """``ops.cond(condition, when_true, when_false)``."""
    test = _scalar(body, View(what.node, body), 0)
    places = [i for i, value in enumerate(what.node.outputs) if body.left.get(value)]
    functions = []
    for wish, branch in (("when_true", "then_branch"), ("when_false", "else_branch")):
        functions.append(body.fresh(wish))
        inner = Inner(body, what.bodies[branch], {})
        inner.statements()
        inner.shorten(inner.block.outputs)
        results = [inner.as_tensor(inner.block.outputs[i]) for i in places]
        _function(body, functions[-1], [], [], inner, results)
    names = [body.fresh(body.wish(what.node.outputs[i])) for i in places]
    body.lines.append(f"{', '.join(names)} = ops.cond({test}, {', '.join(functions)})")
    for i, name in zip(places, names, strict=True):
        body.bind(what.node.outputs[i], name)


def _loop(body: Body, what: Control) -> None:
    """``ops.fori_loop`` where a count decides, else ``ops.while_loop``."""
    loop, view = loop_of(what), View(what.node, body)
    first = _scalar(body, view, 1) if loop.first is not None else Text("True")
    if loop.condition is not None and loop.first is not None:
        first = Text(body.kept(first, "going"))
    names = begun(body, what.node, [(index, inner) for index, inner, _, _ in loop.carried])
    counter = body.fresh("i")
    inner = Inner(body, loop.block, {given: names[given] for _, given, _, _ in loop.carried})
    inner.named_dims[body.sizes.iterations[loop.iteration]] = expressions.name(counter)
    trips = _trips(body, view) if loop.trips is not None else None
    if loop.condition is None:
        assert trips is not None
        rows = _places(body, trips, loop.stacked)
        inner.statements()
        inner.shorten(inner.block.outputs)
        results = [inner.as_tensor(result) for _, _, result, _ in loop.carried]
        filled = [
            _filled(name, counter, inner.as_tensor(row))
            for name, (row, _) in zip(rows, loop.stacked, strict=True)
        ]
        _counted(body, inner, counter, trips, [*names.values(), *rows], [*results, *filled])
    else:
        rows = []
        if loop.stacked:
            raise NotWritable(
                f"a loop that a condition ends stacks {loop.stacked[0][1].name}: Keras has no "
                "tensor that grows"
            )
        inner.statements()
        inner.shorten(inner.block.outputs)
        results = [inner.as_tensor(result) for _, _, result, _ in loop.carried]
        _conditional(
            body, inner, counter, trips, first, list(names.values()), results,
            _next(inner, loop.condition),
        )  # fmt: skip
    for _, given, _, output in loop.carried:
        body.bind(output, names[given])
    for name, (_, output) in zip(rows, loop.stacked, strict=True):
        body.bind(output, name)


def _next(inner: Inner, going: ir.Value) -> Text:
    """Return whether a loop goes on, without axes."""
    text = inner.as_tensor(going)
    if going.shape is not None and len(going.shape):
        text = call("ops.reshape", text, Text("()"))
    return text


def _counted(
    body: Body, inner: Inner, counter: str, trips: Text, names: list[str], results: list[Text]
) -> None:
    """Write ``ops.fori_loop``, which carries one thing: a tuple where there are several."""
    body.taken |= inner.taken
    step = body.fresh("step")
    if len(names) == 1:
        _function(body, step, [counter, names[0]], [], inner, results)
        carried = names[0]
    else:
        state = body.fresh("state")
        _function(body, step, [counter, state], [f"{', '.join(names)} = {state}"], inner, results)
        carried = f"({', '.join(names)})"
    body.lines.append(f"{', '.join(names)} = ops.fori_loop(0, {trips}, {step}, {carried})")


def _conditional(
    body: Body, inner: Inner, counter: str, trips: Text | None, first: Text,
    names: list[str], results: list[Text], going: Text,
) -> None:  # fmt: skip
    """Write ``ops.while_loop``; the first thing that it carries says whether it goes on."""
    body.taken |= inner.taken
    step = body.fresh("step")
    goes = first.text if first.text.isidentifier() and first.text != "True" else body.fresh("going")
    texts = [*inner.lines, *map(str, results), str(going)]
    counted = any(re.search(rf"\b{counter}\b", text) for text in texts)
    before = [goes, counter] if counted else [goes]
    begin = [str(first), "0"] if counted else [str(first)]
    after = [going, Text(f"{counter} + 1")] if counted else [going]
    # A loop of one thing would not be given a tuple back.
    _function(body, step, [*before, *names], [], inner, [*after, *results])
    most = f", maximum_iterations={trips}" if trips is not None else ""
    left = ", ".join(["_"] * len(before) + names)
    body.lines.append(
        f"{left} = ops.while_loop(lambda {goes}, *_: {goes}, {step}, "
        f"({', '.join([*begin, *names])}){most})"
    )


def _trips(body: Body, view: View) -> Text:
    """Return how often a loop runs, as TensorFlow counts: in 32 bits."""
    known = plain_number(view, 0)
    if known is not None:
        return body.size(known)
    value = view.tensor(0)
    if view.dims(0) != ():
        value = call("ops.reshape", value, Text("()"))
    return call("ops.cast", value, Text('"int32"'))


def _places(body: Body, trips: Text, stacked: list[tuple[ir.Value, ir.Value]]) -> list[str]:
    """Make room for what a loop stacks."""
    names = []
    for row, output in stacked:
        sizes = ", ".join([str(trips), *map(str, row_shape(body, row, output))])
        name = body.fresh("rows")
        dtype = word(output.dtype or row.dtype)
        keyword = "" if dtype == '"float32"' else f", dtype={dtype}"
        comma = "," if ", " not in sizes else ""
        body.lines.append(f"{name} = ops.zeros(({sizes}{comma}){keyword})")
        names.append(name)
    return names


def _filled(name: str, counter: str, row: Text) -> Text:
    """Return the stacked tensor with one more row in its place."""
    index = Text(f"[[{counter}]]", names=frozenset({counter}))
    return call(
        "ops.scatter_update", expressions.name(name), index, call("ops.expand_dims", row, Text("0"))
    )


def _scan(body: Body, what: Control) -> None:
    """``ops.fori_loop`` over the places of what is scanned."""
    view = View(what.node, body)
    scan = scan_of(what, view)
    if any(axis for _, _, axis, _ in scan.stacked):
        raise NotWritable(f"{what.node.op_type} stacks along an axis that is not the first")
    names = begun(body, what.node, [(index, item) for index, item, _, _ in scan.states])
    columns = [body.kept(view.tensor(index), "x") for index, _, _, _ in scan.scanned]
    trips = Text(f"ops.shape({columns[0]})[{scan.scanned[0][2]}]")
    counter = body.fresh("i")
    slices = slice_names(body, scan)
    taken = []
    for name, column, (_, _, axis, backwards) in zip(slices, columns, scan.scanned, strict=True):
        place = f"ops.shape({column})[{axis}] - 1 - {counter}" if backwards else counter
        taken.append(f"{name} = ops.take({column}, {place}, axis={axis})")
    rows = _places(body, trips, [(row, output) for row, output, _, _ in scan.stacked])
    given = {item: name for (_, item, _, _), name in zip(scan.scanned, slices, strict=True)}
    inner = Inner(body, scan.block, {**names, **given})
    inner.lines += taken
    inner.statements()
    inner.shorten(inner.block.outputs)
    after = [inner.as_tensor(result) for _, _, result, _ in scan.states]
    filled = []
    for name, (row, _, _, backwards) in zip(rows, scan.stacked, strict=True):
        place = f"{trips} - 1 - {counter}" if backwards else counter
        filled.append(_filled(name, place, inner.as_tensor(row)))
    _counted(body, inner, counter, trips, [*names.values(), *rows], [*after, *filled])
    for _, item, _, output in scan.states:
        body.bind(output, names[item])
    for name, (_, output, _, _) in zip(rows, scan.stacked, strict=True):
        body.bind(output, name)


_KINDS = {"If": _branch, "Loop": _loop, "Repeat": _loop, "Scan": _scan}
