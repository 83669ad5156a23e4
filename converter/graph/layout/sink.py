"""Move transpositions towards the outputs, merge what meets, and drop what cancels."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
from onnx_ir.passes.common import RemoveUnusedNodesPass

from converter.graph.clean import keeping_weights
from converter.graph.dropout import transposed
from converter.graph.layout.contract import ELEMENTWISE, RULES, UNARY_WITH_SCALARS
from converter.graph.layout.permutation import (
    Permutation,
    add_constant,
    after,
    constant,
    describe,
    inverse,
    is_transpose,
    permutation_of,
)
from converter.graph.layout.spatial import take_over

MOST_ROUNDS = 20


def settle(model: ir.Model) -> ir.Model:
    """Return a graph of the same meaning with no transposition left that others cancel.

    The graph that is given may be changed; where moving did not lessen the number of
    transpositions, it is returned as it was.
    """
    before = model.clone()
    for _ in range(MOST_ROUNDS):
        changed = [step(node) for node in list(model.graph)]
        remove_dead(model)
        if not any(changed):
            break
    if count_transposes(model) > count_transposes(before):
        return before
    return model


def count_transposes(model: ir.Model) -> int:
    """Count the transpositions of tensors that are computed; weights absorb theirs."""
    return sum(
        is_transpose(node) and node.inputs[0] is not None and not node.inputs[0].is_initializer()
        for node in model.graph
    )


def remove_dead(model: ir.Model) -> None:
    """Drop nodes that nothing reads; weights stay."""
    with keeping_weights(model):
        RemoveUnusedNodesPass()(model)


def step(node: ir.Node) -> bool:
    """Do what can be done at one node; tell whether anything was."""
    if node.graph is None:
        return False  # a step before this one took it out
    if is_transpose(node):
        return merge(node)
    if node.domain not in ("", "ai.onnx") or not any(map(source_of, node.inputs)):
        return False
    if node.op_type == "Shape":
        return shape_before(node)
    if node.op_type in UNARY_WITH_SCALARS:
        return unary(node)
    if node.op_type in ELEMENTWISE:
        return elementwise(node)
    if node.op_type in RULES:
        return by_rule(node)
    return False


def source_of(value: ir.Value | None) -> tuple[ir.Value, Permutation] | None:
    """Return the tensor that a transposition made ``value`` from, and how."""
    node = value.producer() if value is not None else None
    if node is None or not is_transpose(node) or node.inputs[0] is None:
        return None
    if node.inputs[0].is_initializer():
        return None  # a weight absorbs it
    permutation = permutation_of(node)
    return None if permutation is None else (node.inputs[0], permutation)


def merge(node: ir.Node) -> bool:
    """Join a transposition with the one before it; drop it if they cancel."""
    own, before = permutation_of(node), source_of(node.inputs[0])
    if own is None:
        return False
    value, joined = (before[0], after(own, before[1])) if before else (node.inputs[0], own)
    assert value is not None
    if joined == tuple(range(len(joined))):
        output = node.outputs[0]
        assert node.graph is not None
        if any(output is result for result in node.graph.outputs):
            identity = ir.node("Identity", [value])
            name = output.name
            take_over(node, output, identity)
            identity.outputs[0].name = name
            return True
        output.replace_all_uses_with(value)
        node.graph.remove(node, safe=True)
        return True
    if before is None:
        return False
    node.replace_input_with(0, value)
    node.attributes["perm"] = ir.AttrInt64s("perm", list(joined))
    return True


def shape_before(node: ir.Node) -> bool:
    """``Shape(x.transpose(p))`` is ``Gather(Shape(x), p)``."""
    found = source_of(node.inputs[0])
    assert found is not None
    value, permutation = found
    start, end = node.attributes.get("start"), node.attributes.get("end")
    picked = permutation[start.as_int() if start else 0 : end.as_int() if end else None]
    whole = ir.node("Shape", [value])
    whole.outputs[0].type = ir.TensorType(ir.DataType.INT64)
    whole.outputs[0].shape = ir.Shape([len(permutation)])
    whole.metadata_props.update(node.metadata_props)
    assert node.graph is not None
    node.graph.insert_before(node, whole)
    order = add_constant(np.array(picked, np.int64), node)
    gather = ir.node("Gather", [whole.outputs[0], order])
    gather.metadata_props.update(node.metadata_props)
    name = node.outputs[0].name
    take_over(node, node.outputs[0], gather)
    gather.outputs[0].name = name
    return True


def unary(node: ir.Node) -> bool:
    """Pass a transposition through; the inputs beside the first are scalars."""
    found = source_of(node.inputs[0])
    if found is None or (node.op_type == "Dropout" and not transposed(node, found[1])):
        return False
    node.replace_input_with(0, found[0])
    move_behind(node, found[1])
    return True


def elementwise(node: ir.Node) -> bool:
    """Pass a transposition that all large inputs share through an elementwise operator."""
    permutations = {found[1] for found in map(source_of, node.inputs) if found}
    if len(permutations) != 1:
        return False
    (permutation,) = permutations
    rank = len(permutation)
    others = [v for v in node.inputs if v is not None and source_of(v) is None]
    if not all(is_cheap(value, rank) for value in others):
        return False
    for index, value in enumerate(node.inputs):
        found = source_of(value)
        if found is not None:
            node.replace_input_with(index, found[0])
        elif value is not None:
            node.replace_input_with(index, before_permutation(value, permutation, node))
    move_behind(node, permutation)
    return True


def is_cheap(value: ir.Value, rank: int) -> bool:
    """Tell whether ``value`` costs nothing to permute: it has at most one axis that is not 1."""
    if value.shape is None or len(value.shape) > rank:
        return False
    return sum(size != 1 for size in value.shape) <= 1 or constant(value) is not None


def before_permutation(value: ir.Value, permutation: Permutation, node: ir.Node) -> ir.Value:
    """Return the operand that broadcasts against the tensor before its transposition."""
    assert value.shape is not None
    rank = len(permutation)
    if all(size == 1 for size in value.shape):
        return value
    known = constant(value)
    back = inverse(permutation)
    if known is not None:
        wide = known.reshape((1,) * (rank - known.ndim) + known.shape)
        return add_constant(np.ascontiguousarray(wide.transpose(back)), node)
    missing = rank - len(value.shape)
    shape: list = [1] * missing + list(value.shape)
    permuted = [shape[axis] for axis in back]
    while len(permuted) > 1 and permuted[0] == 1:
        permuted.pop(0)
    if len(permuted) == len(value.shape) and list(value.shape) == permuted:
        return value  # [C] on the last axis stays as it is
    sizes = [size if isinstance(size, int) else -1 for size in permuted]
    target = add_constant(np.array(sizes, np.int64), node)
    reshaped = ir.node("Reshape", [value, target])
    reshaped.outputs[0].type, reshaped.outputs[0].shape = value.type, ir.Shape(permuted)
    assert node.graph is not None
    node.graph.insert_before(node, reshaped)
    return reshaped.outputs[0]


def by_rule(node: ir.Node) -> bool:
    """Pass a transposition through an operator that its contract describes."""
    tensors = list(node.inputs) if node.op_type == "Concat" else [node.inputs[0]]
    found = [source_of(value) for value in tensors]
    permutations = {item[1] for item in found if item}
    if len(permutations) != 1 or not all(found):
        return False
    (permutation,) = permutations
    result = RULES[node.op_type](node, permutation)
    if result is None:
        return False
    for index, item in enumerate(found):
        assert item is not None
        node.replace_input_with(index, item[0])
    move_behind(node, result)
    return True


def move_behind(node: ir.Node, permutation: Permutation) -> None:
    """Transpose each result of a node; whoever read the result reads that."""
    graph = node.graph
    assert graph is not None
    if permutation == tuple(range(len(permutation))):
        return
    back = inverse(permutation)
    for output in node.outputs:
        uses = list(output.uses())
        is_output = any(output is value for value in graph.outputs)
        if not uses and not is_output:
            if output.shape is not None and len(output.shape) == len(back):
                describe(output, output, back)
            continue
        moved = ir.node("Transpose", [output], attributes={"perm": list(permutation)})
        moved.metadata_props.update(node.metadata_props)
        result = moved.outputs[0]
        result.type, result.shape = output.type, output.shape
        describe(output, output, back)
        for user, index in uses:
            user.replace_input_with(index, result)
        graph.outputs[:] = [result if value is output else value for value in graph.outputs]
        result.name, output.name = output.name, f"{output.name}_moved"
        graph.insert_after(node, moved)
