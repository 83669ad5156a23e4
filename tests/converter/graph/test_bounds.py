"""Bounds of integer inputs, read off the graph."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import TensorProto, helper, numpy_helper

from converter.graph.bounds import bounds_of, with_bounds
from converter.graph.signatures import signature_of

TABLES = {
    "table": np.zeros((7, 3), np.float32),
    "wide": np.zeros((4, 9), np.float32),
    "zero": np.array(0, np.int64),
    "one": np.array(1, np.int64),
    "two": np.array(2, np.int64),
    "axis": np.array([0]),
    "depth": np.array(5),
    "rows": np.array(7),
    "flat": np.array([-1]),
    "pad": np.array(0),
    "ones": np.array(1.0, np.float32),
    "values": np.array([0, 1], np.float32),
    "pair": np.array([[0, 0]]),
}

Node = tuple[str, list[str], list[str], dict]


def graph(*nodes: Node) -> ir.Model:
    """Build a graph of the input ``i`` and the tables; the last node's result is the output."""
    made = [helper.make_node(op, ins, outs, **attributes) for op, ins, outs, attributes in nodes]
    proto = helper.make_graph(
        made, "g", [helper.make_tensor_value_info("i", TensorProto.INT64, ["n", "k"])],
        [onnx.ValueInfoProto(name=nodes[-1][2][0])],
        [numpy_helper.from_array(value, name) for name, value in TABLES.items()],
    )  # fmt: skip
    model = helper.make_model(proto, opset_imports=[helper.make_opsetid("", 18)])
    return ir.serde.deserialize_model(model)


def read(axis: int = 0, index: str = "i", table: str = "table") -> Node:
    return ("Gather", [table, index], ["y"], {"axis": axis})


CASES: dict[str, tuple[list[Node], tuple[int, int] | None]] = {
    "rows": ([read()], (0, 6)),
    "columns": ([read(1)], (0, 2)),
    "last axis": ([read(-1, table="wide")], (0, 8)),
    "through cast and reshape": (
        [("Cast", ["i"], ["c"], {"to": TensorProto.INT32}),
         ("Reshape", ["c", "flat"], ["r"], {}), read(index="r")],
        (0, 6),
    ),
    "with an offset": ([("Add", ["i", "two"], ["s"], {}), read(index="s")], (0, 4)),
    "with an offset before": ([("Add", ["two", "i"], ["s"], {}), read(index="s")], (0, 4)),
    "less one": ([("Sub", ["i", "one"], ["s"], {}), read(index="s")], (1, 7)),
    "the smaller of two tables": (
        [read(), ("Gather", ["wide", "i"], ["z"], {})],
        (0, 3),
    ),
    "one-hot": ([("OneHot", ["i", "depth", "values"], ["y"], {})], (0, 4)),
    "elements": ([("GatherElements", ["table", "i"], ["y"], {"axis": 1})], (0, 2)),
    "concatenated": ([("Concat", ["i", "pair"], ["c"], {"axis": 0}), read(index="c")], (0, 6)),
    "wrapped where negative": (
        [("Less", ["i", "pad"], ["negative"], {}), ("Add", ["i", "rows"], ["wrapped"], {}),
         ("Where", ["negative", "wrapped", "i"], ["index"], {}), read(index="index")],
        (0, 6),
    ),
    "mask to booleans": ([("Cast", ["i"], ["y"], {"to": TensorProto.BOOL})], (0, 1)),
    "one minus the mask": (
        [("Cast", ["i"], ["c"], {"to": TensorProto.FLOAT}), ("Sub", ["ones", "c"], ["y"], {})],
        (0, 1),
    ),
    "compared": ([("Equal", ["i", "pad"], ["y"], {})], (0, 1)),
    "compared and an index": ([("Equal", ["i", "pad"], ["z"], {}), read()], (0, 6)),
    "arithmetic": ([("Mul", ["i", "i"], ["y"], {})], None),
    "its shape alone": ([("Shape", ["i"], ["y"], {})], None),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_bounds(case: str) -> None:
    nodes, expected = CASES[case]
    assert bounds_of(graph(*nodes)).get("i") == expected


def test_a_table_of_open_size_has_a_first_row_for_certain() -> None:
    model = graph(("NonZero", ["i"], ["found"], {}), read(1, table="found"))
    assert bounds_of(model) == {"i": (0, 0)}


@pytest.mark.parametrize(
    ("axis", "offset", "expected"),
    [(0, "zero", (0, "n - 1")), (1, "zero", (0, "k - 1")), (0, "one", (0, "n - 2"))],
)
def test_a_table_as_large_as_an_input_has_a_word_for_its_size(axis, offset, expected) -> None:
    model = graph(("Add", ["i", offset], ["s"], {}), read(axis, "s", table="i"))
    assert bounds_of(model) == {"i": expected}


def test_floats_that_are_cast_to_an_index_stay_inside_the_table() -> None:
    """Keras 2 gives `Embedding` floats where the input has no dtype."""
    model = graph(("Cast", ["i"], ["c"], {"to": TensorProto.INT64}), read(index="c"))
    model.graph.inputs[0].dtype = ir.DataType.FLOAT
    assert bounds_of(model) == {"i": (0, 6)}
    free = graph(("Cast", ["i"], ["c"], {"to": TensorProto.INT64}))
    free.graph.inputs[0].dtype = ir.DataType.FLOAT
    assert bounds_of(free) == {}


def test_declared_bounds_stay() -> None:
    from dataclasses import replace

    model = graph(read())
    signature = with_bounds(signature_of(model), model)
    assert signature.input("i").bounds == (0, 6)
    own = replace(signature, inputs=(replace(signature.inputs[0], bounds=(2, 3)),))
    assert with_bounds(own, model).input("i").bounds == (2, 3)


def test_the_whole_range_runs_and_one_more_does_not() -> None:
    """The bounds are those that ONNX Runtime accepts."""
    runtime = pytest.importorskip("onnxruntime")
    model = graph(("Add", ["i", "two"], ["s"], {}), read(index="s"))
    proto = ir.serde.serialize_model(model)
    proto.ir_version = 9
    proto.graph.output[0].CopyFrom(
        helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", "k", 3])
    )
    session = runtime.InferenceSession(
        proto.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    low, high = bounds_of(model)["i"]
    session.run(None, {"i": np.array([[low, high]])})
    with pytest.raises(Exception, match="out of data bounds"):
        session.run(None, {"i": np.array([[high + 1]])})
