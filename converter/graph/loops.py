"""Loops that count: what TensorFlow writes as ``while i < n`` is ``for i in range(n)``.

A `Loop` whose condition says no more than its trip count does becomes `equiport.Repeat`, which has
no condition. Values that it carries around unchanged become captured ones, counters become the
iteration's number. All of it keeps the meaning; a framework can then run the loop over a length
that is not known before.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
from onnx_ir.passes.common import RemoveUnusedNodesPass

from converter.graph.clean import keeping_weights
from converter.graph.layout.permutation import constant

DOMAIN = "equiport"


def count_loops(model: ir.Model) -> ir.Model:
    """Rewrite every counting `Loop` of the main graph; in place."""
    loops = [node for node in list(model.graph) if node.op_type == "Loop"]
    for node in loops:
        give_trip_count(node)
    found = [node for node in loops if is_counting(node)]
    for node in found:
        rewrite(node)
    if found:
        model.graph.opset_imports[DOMAIN] = 1
        with keeping_weights(model):
            RemoveUnusedNodesPass()(model)
    return model


def capture_invariants(model: ir.Model) -> ir.Model:
    """Let the bodies of all loops read from outside what they only pass on; in place.

    What is carried stays: its input of the body is its output, and nothing reads it.
    """
    for node in list(model.graph.all_nodes()):
        if node.op_type != "Loop" or node.domain not in ("", "ai.onnx"):
            continue
        body = body_of(node)
        for index in range(2, len(node.inputs)):
            outer = node.inputs[index]
            if outer is not None and is_invariant(body, index):
                body.outputs[index - 1] = body.inputs[index]
                for node_inside, place in list(body.inputs[index].uses()):
                    node_inside.replace_input_with(place, outer)
                node.outputs[index - 2].replace_all_uses_with(outer, replace_graph_outputs=True)
    return model


def body_of(node: ir.Node) -> ir.Graph:
    """Return a loop's body: inputs ``iteration, condition, carried...``, outputs likewise."""
    return node.attributes["body"].as_graph()


def given_to_body(node: ir.Node, position: int) -> ir.Value | None:
    """Return the body's input for an input of a `Loop` or `Scan`, ``None``: it has none.

    Before opset 9 the lengths of the sequences stand before what a `Scan` hands on.
    """
    inner = body_of(node).inputs
    place = position - max(len(node.inputs) - len(inner), 0)
    return inner[place] if place >= 0 else None


def give_trip_count(node: ir.Node) -> None:
    """Write the limit in a loop's condition as its trip count, where it has none; in place.

    ``while i < n``, with ``i`` from 0 in steps of 1 and an integer ``n`` that stays the same:
    Keras 2 writes its recurrent layers like that.
    """
    if node.inputs[0] is not None:
        return
    body, graph = body_of(node), node.graph
    limit = limit_of(body.outputs[0], node, body) if body.outputs else None
    if limit is None or graph is None:
        return
    trips = ir.node("Cast", [limit], attributes={"to": int(ir.DataType.INT64)})
    trips.outputs[0].type, trips.outputs[0].shape = ir.TensorType(ir.DataType.INT64), ir.Shape([])
    node.replace_input_with(0, trips.outputs[0])
    if is_counting(node):
        graph.insert_before(node, trips)
    else:
        node.replace_input_with(0, None)


def limit_of(value: ir.Value | None, node: ir.Node, body: ir.Graph) -> ir.Value | None:
    """Return what a loop counts to, as a value outside of it; ``None`` if that is not known."""
    value = plain(value)
    producer = value.producer() if value is not None else None
    if producer is None:
        return None
    if producer.op_type == "And":
        found = [limit_of(item, node, body) for item in producer.inputs]
        return next((item for item in found if item is not None), None)
    done, limit = compared(producer)
    if done is None or not is_next_iteration(done, node, body):
        return None
    limit = plain(limit)
    index = position(body, limit) if limit is not None else None
    if index is not None:
        limit = plain(node.inputs[index]) if is_invariant(body, index) else None
    elif limit is not None and (known := whole(constant(limit))) is not None:
        limit = written_before(node, known)
    elif limit is not None and limit.graph is body:
        return None
    return limit if limit is not None and limit.dtype in _INTEGERS else None


def whole(known: np.ndarray | None) -> np.ndarray | None:
    """Return a constant, floats that are exact integers as such: exporters compare in float32."""
    if known is None or known.dtype.kind != "f" or known.size != 1:
        return known
    limit = float(known.reshape(-1)[0])
    return known.astype(np.int64) if limit.is_integer() and abs(limit) < 1 << 24 else known


_INTEGERS = (ir.DataType.INT32, ir.DataType.INT64)


def written_before(node: ir.Node, known: np.ndarray) -> ir.Value:
    """Return a constant in the graph around a loop."""
    own = ir.node("Constant", [], attributes={"value": ir.tensor(known.reshape(()))})
    own.outputs[0].type = ir.TensorType(ir.DataType.from_numpy(known.dtype))
    own.outputs[0].shape = ir.Shape([])
    assert node.graph is not None
    node.graph.insert_before(node, own)
    return own.outputs[0]


def compared(node: ir.Node) -> tuple[ir.Value | None, ir.Value | None]:
    """Return the smaller and the larger side of ``a < b`` or ``b > a``, nothing of other nodes."""
    if node.op_type == "Less":
        return node.inputs[0], node.inputs[1]
    if node.op_type == "Greater":
        return node.inputs[1], node.inputs[0]
    return None, None


def is_counting(node: ir.Node) -> bool:
    """Tell whether the condition holds exactly as long as the trip count lasts."""
    if node.inputs[0] is None or not starts(node.inputs[1], node.inputs[0]):
        return False
    body = body_of(node)
    return bool(body.outputs) and counts(body.outputs[0], node, body)


def starts(value: ir.Value | None, trips: ir.Value) -> bool:
    """Tell whether the first condition is ``0 < trip count``, or ``and`` of such, or true."""
    value = plain(value)
    if value is None:
        return True
    known = constant(value)
    if known is not None:
        return bool(known.all())
    producer = value.producer()
    if producer is None:
        return False
    if producer.op_type == "And":
        return all(starts(item, trips) for item in producer.inputs)
    first, limit = compared(producer)
    return is_number(first, 0) and same(plain(limit), plain(trips))


def same(a: ir.Value | None, b: ir.Value | None) -> bool:
    """Tell whether two values are the same one, or constants of the same number."""
    if a is None or a is b:
        return a is b
    first, second = constant(a), constant(b)
    if first is None or second is None or first.size != 1 or second.size != 1:
        return False
    return first.item() == second.item()


def counts(value: ir.Value | None, node: ir.Node, body: ir.Graph) -> bool:
    """Tell whether a value of the body says no more than the trip count does.

    That is ``iteration + 1 < trip count``, ``iteration < trip count`` (which the body would not run
    without), ``and`` of such, or true all the time.
    """
    value = plain(value)
    if value is None:
        return False
    if value is plain(body.inputs[1]):
        return True  # it only passes on what let it in
    known = constant(value)
    if known is not None:
        return bool(known.all())
    producer = value.producer()
    if producer is None:
        return False
    if producer.op_type == "And":
        return all(counts(item, node, body) for item in producer.inputs)
    done, limit = compared(producer)
    if done is None:
        return False
    counted = plain(done) is body.inputs[0] or is_next_iteration(done, node, body)
    return counted and is_trip_count(limit, node, body)


def plain(value: ir.Value | None) -> ir.Value | None:
    """Look through casts and identities."""
    while value is not None:
        node = value.producer()
        if node is None or node.op_type not in ("Cast", "Identity"):
            return value
        value = node.inputs[0]
    return None


def is_next_iteration(value: ir.Value | None, node: ir.Node, body: ir.Graph) -> bool:
    """Tell whether a value is the number of iterations done: a counter plus one."""
    value = plain(value)
    producer = value.producer() if value is not None else None
    if value is None or producer is None or producer.op_type != "Add":
        return False
    ones = [item for item in producer.inputs if is_number(item, 1)]
    others = [plain(item) for item in producer.inputs if not is_number(item, 1)]
    if len(ones) != 1 or len(others) != 1 or others[0] is None:
        return False
    counter = others[0]
    if counter is body.inputs[0]:
        return True
    index = position(body, counter)
    return index is not None and is_counter(node, body, index) and is_result(body, index, value)


def is_counter(node: ir.Node, body: ir.Graph, index: int) -> bool:
    """Tell whether a carried value is 0, 1, 2, ... like the iteration itself."""
    if not is_number(node.inputs[index], 0):
        return False
    result = plain(body.outputs[index - 1])
    producer = result.producer() if result is not None else None
    if producer is None or producer.op_type != "Add":
        return False
    others = [plain(item) for item in producer.inputs if not is_number(item, 1)]
    return len(others) == 1 and others[0] is body.inputs[index]


def is_result(body: ir.Graph, index: int, value: ir.Value) -> bool:
    """Tell whether a value of the body is what a carried value becomes."""
    return plain(body.outputs[index - 1]) is value


def is_number(value: ir.Value | None, number: int) -> bool:
    """Tell whether a value is a constant scalar of that size."""
    known = constant(plain(value))
    return known is not None and known.size == 1 and known.reshape(-1)[0] == number


def position(body: ir.Graph, value: ir.Value) -> int | None:
    """Return which input of the body a value is, counted as inputs of the `Loop` are."""
    for index, item in enumerate(body.inputs):
        if index >= 2 and item is value:
            return index
    return None


def is_trip_count(value: ir.Value | None, node: ir.Node, body: ir.Graph) -> bool:
    """Tell whether a value of the body is the loop's own trip count."""
    value = plain(value)
    if value is None:
        return False
    index = position(body, value)
    if index is not None:
        if not is_invariant(body, index):
            return False
        value = plain(node.inputs[index])
    return same(value, plain(node.inputs[0]))


def is_invariant(body: ir.Graph, index: int) -> bool:
    """Tell whether a carried value comes out as it went in."""
    result: ir.Value | None = body.outputs[index - 1]
    while result is not None and result is not body.inputs[index]:
        node = result.producer()
        if node is None or node.op_type != "Identity":
            return False
        result = node.inputs[0]
    return result is not None


def own_result(body: ir.Graph, value: ir.Value) -> ir.Value:
    """Return an output that a node of the body computes, also where the body passes an input on."""
    if value.producer() is not None:
        return value
    node = ir.node("Identity", [value])
    node.outputs[0].type, node.outputs[0].shape = value.type, value.shape
    body.append(node)
    return node.outputs[0]


def cast(value: ir.Value | None, like: ir.Value) -> ir.Node:
    """Return a `Cast` of an iteration count to the type of another value."""
    dtype = like.dtype or ir.DataType.INT64
    node = ir.node("Cast", [value], attributes={"to": int(dtype)})
    node.outputs[0].type, node.outputs[0].shape = ir.TensorType(dtype), ir.Shape([])
    return node


def rewrite(node: ir.Node) -> None:
    """Put `equiport.Repeat` in a loop's place."""
    body, graph = body_of(node), node.graph
    assert graph is not None
    trips = node.inputs[0]
    carried = list(node.inputs[2:])
    fixed = [i for i in range(2, len(body.inputs)) if is_invariant(body, i)]
    counters = [i for i in range(2, len(body.inputs)) if is_counter(node, body, i)]
    kept = [i for i in range(2, len(body.inputs)) if i not in fixed and i not in counters]
    states = len(carried)
    results = [body.outputs[i - 1] for i in kept] + list(body.outputs[1 + states :])
    body.outputs.clear()
    body.outputs.extend(own_result(body, value) for value in results)
    for index in fixed:
        outer = node.inputs[index]
        assert outer is not None
        body.inputs[index].replace_all_uses_with(outer)
    for index in counters:
        counter = body.inputs[index]
        own = cast(body.inputs[0], counter)
        counter.replace_all_uses_with(own.outputs[0])
        body.insert_before(next(iter(body)), own)
    answer = ir.node("Constant", [], attributes={"value": ir.tensor(True)})
    body.inputs[1].replace_all_uses_with(answer.outputs[0])
    if answer.outputs[0].uses():
        body.insert_before(next(iter(body)), answer)
    parameters = [body.inputs[0], *(body.inputs[i] for i in kept)]
    body.inputs.clear()
    body.inputs.extend(parameters)
    places = [*(i - 2 for i in kept), *range(states, len(node.outputs))]
    attributes = [ir.AttrGraph("body", body), ir.AttrInt64("states", len(kept))]
    repeat = ir.Node(
        DOMAIN,
        "Repeat",
        [trips, *(node.inputs[i] for i in kept)],
        attributes,
        num_outputs=len(places),
        name=node.name,
    )
    repeat.metadata_props.update(node.metadata_props)
    for old, new in zip((node.outputs[i] for i in places), repeat.outputs, strict=True):
        new.type, new.shape, name = old.type, old.shape, old.name
        old.replace_all_uses_with(new, replace_graph_outputs=True)
        old.name, new.name = None, name
    for index in fixed:
        outer = node.inputs[index]
        assert outer is not None
        node.outputs[index - 2].replace_all_uses_with(outer, replace_graph_outputs=True)
    for index in counters:  # after the loop it is the number of iterations
        count = cast(trips, node.outputs[index - 2])
        node.outputs[index - 2].replace_all_uses_with(count.outputs[0], replace_graph_outputs=True)
        graph.insert_before(node, count)
    graph.insert_before(node, repeat)
    del node.attributes["body"]
    graph.remove(node, safe=True)
