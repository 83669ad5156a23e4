"""Types that an operator has in ONNX's standard, and a way round where a graph has another one.

TensorFlow convolves bfloat16; ONNX's ``Conv`` does so from version 22 on. A file in which an older
one reads bfloat16 is no ONNX file, and no runtime opens it. There the operator computes in float32
between two casts, as the frameworks' own kernels do inside.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import onnx
import onnx_ir as ir

from converter.graph.shapes import infer_shapes
from converter.rebuild.prepare import plain_domain, version_of

_NARROW = frozenset({ir.DataType.BFLOAT16, ir.DataType.FLOAT16})


def with_allowed_types(model: ir.Model) -> ir.Model:
    """Return a graph whose operators read and give types of the standard.

    Returns:
        The same graph where nothing had to change, else a changed copy.
    """
    if not any(_narrow(value) for value in _values(model)):
        return model
    copy = infer_shapes(model.clone())
    changed = False
    for node in list(copy.graph.all_nodes()):
        words = _refused(node, copy)
        if words:
            _widen(node, words, copy)
            changed = True
    return copy if changed else model


def _values(model: ir.Model) -> Iterable[ir.Value]:
    yield from model.graph.inputs
    yield from model.graph.initializers.values()
    for node in model.graph.all_nodes():
        yield from node.outputs


def _narrow(value: ir.Value | None) -> bool:
    return value is not None and value.dtype in _NARROW


def _schema(node: ir.Node, model: ir.Model) -> onnx.defs.OpSchema | None:
    if plain_domain(node.domain):
        return None
    try:
        return onnx.defs.get_schema(node.op_type, version_of(node, model), "")
    except onnx.defs.SchemaError:
        return None


def _refused(node: ir.Node, model: ir.Model) -> set[str]:
    """Return the schema's words for types (``T``) that a node has and the standard has not."""
    schema = _schema(node, model)
    if schema is None:
        return set()
    allowed = {item.type_param_str: item.allowed_type_strs for item in schema.type_constraints}
    found = set()
    for value, word in _typed(node.inputs, schema.inputs):
        if _narrow(value) and word in allowed:
            assert value is not None
            if f"tensor({str(value.dtype).lower()})" not in allowed[word]:
                found.add(word)
    return found


def _typed(
    values: Iterable[ir.Value | None], formal: Sequence[onnx.defs.OpSchema.FormalParameter]
) -> list[tuple[ir.Value | None, str]]:
    """Return each value with the schema's word for its type; the last one may be repeated."""
    return [(value, formal[min(index, len(formal) - 1)].type_str)
            for index, value in enumerate(values) if formal]  # fmt: skip


def _widen(node: ir.Node, words: set[str], model: ir.Model) -> None:
    """Let a node compute in float32 between casts; in place."""
    schema = _schema(node, model)
    assert schema is not None
    graph = node.graph
    assert graph is not None
    narrow = ir.DataType.FLOAT
    for index, (value, word) in enumerate(_typed(node.inputs, schema.inputs)):
        if word in words and _narrow(value):
            assert value is not None
            assert value.dtype is not None
            narrow = value.dtype
            cast = ir.node("Cast", [value], {"to": ir.DataType.FLOAT.value})
            cast.outputs[0].type, cast.outputs[0].shape = _FLOAT, value.shape
            graph.insert_before(node, cast)
            node.replace_input_with(index, cast.outputs[0])
    for value, word in _typed(node.outputs, schema.outputs):
        if word in words and value is not None:
            cast = ir.node("Cast", [value], {"to": narrow.value})
            back = cast.outputs[0]
            back.type, back.shape = ir.TensorType(narrow), value.shape
            graph.insert_after(node, cast)
            value.replace_all_uses_with(back, replace_graph_outputs=True)
            cast.replace_input_with(0, value)
            back.name, value.name = value.name, f"{value.name}_wide"
            value.type = _FLOAT


_FLOAT = ir.TensorType(ir.DataType.FLOAT)
