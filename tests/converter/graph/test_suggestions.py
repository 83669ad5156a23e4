"""What is likely of an integer input where nothing is certain."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import TensorProto, helper, numpy_helper

from converter.graph.bounds import bounds_of
from converter.graph.suggestions import suggested_bounds

KINDS = {"uint8": TensorProto.UINT8, "int16": TensorProto.INT16, "int64": TensorProto.INT64}
TABLES = {
    "table": np.zeros((7, 3), np.float32), "five": np.array(5, np.int64),
    "two": np.array(2, np.int64), "zero": np.array(0, np.int64), "one": np.array(1, np.int64),
}  # fmt: skip
TO_FLOAT = {"to": TensorProto.FLOAT}

CASES = {
    "bytes": ("uint8", [("Cast", ["i"], TO_FLOAT)], (0, 255)),
    "sound": ("int16", [("Cast", ["i"], TO_FLOAT)], (-32768, 32767)),
    "numbers": ("int64", [("Mul", ["i", "i"], {})], (-128, 127)),
    "a logarithm": ("int64", [("Cast", ["i"], TO_FLOAT), ("Log", ["0"], {})], (1, 127)),
    "compared": ("int64", [("Greater", ["i", "five"], {})], (0, 6)),
    "a range": ("int64", [("Range", ["zero", "i", "one"], {})], (0, 7)),
    "divides": ("int64", [("Div", ["five", "i"], {})], (1, 127)),
    "an index that is computed": (
        "int64", [("Mul", ["i", "two"], {}), ("Gather", ["table", "0"], {})], None,
    ),
    "a size": ("int64", [("Expand", ["table", "i"], {})], None),
    "an index is certain": ("int64", [("Gather", ["table", "i"], {})], None),
    "a mask is certain": ("int64", [("Equal", ["i", "zero"], {})], None),
    "its shape alone": ("int64", [("Shape", ["i"], {})], None),
    "an index by a remainder": (
        "int64", [("Mod", ["i", "five"], {}), ("Gather", ["table", "0"], {})], (-128, 127),
    ),
}  # fmt: skip


def graph(kind: str, nodes: list) -> ir.Model:
    """Build a graph of the input ``i``; each node's result is called by its number."""
    made = [helper.make_node(op, ins, [str(n)], **more) for n, (op, ins, more) in enumerate(nodes)]
    proto = helper.make_graph(
        made, "g", [helper.make_tensor_value_info("i", KINDS[kind], ["n"])],
        [onnx.ValueInfoProto(name=str(len(made) - 1))],
        [numpy_helper.from_array(value, name) for name, value in TABLES.items()],
    )  # fmt: skip
    return ir.serde.deserialize_model(
        helper.make_model(proto, opset_imports=[helper.make_opsetid("", 18)])
    )


@pytest.mark.parametrize("case", CASES)
def test_suggestions(case: str) -> None:
    kind, nodes, expected = CASES[case]
    found = suggested_bounds(graph(kind, nodes)).get("i")
    assert (found and (found.low, found.high)) == expected


def test_what_is_only_likely_is_not_declared() -> None:
    for case in ("bytes", "compared", "a range"):
        kind, nodes, _ = CASES[case]
        assert bounds_of(graph(kind, nodes)) == {}
