"""Valid values of floats, and of lengths, read off the graph."""

from __future__ import annotations

import math

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import TensorProto, helper, numpy_helper

from converter.graph.bounds import bounds_of, with_bounds
from converter.graph.domains import ENDLESS, NEAR
from converter.graph.signatures import signature_of
from converter.signature import Signature, TensorSpec

Node = tuple[str, list[str], list[str], dict]

CONSTANTS = {
    "zero": np.array(0.0, np.float32),
    "one": np.array(1.0, np.float32),
    "two": np.array(2.0, np.float32),
    "three": np.array([3.0], np.float32),
    "half": np.array(0.5, np.float32),
    "root": np.array([-0.5, 2.0], np.float32),
    "i0": np.array(0),
    "i1": np.array(1),
    "i2": np.array(2),
    "axis": np.array([1]),
    "first": np.array([[0, 1, 2, 3, 4]]),
    "odd": np.array([1, 3, 5]),
}


def graph(*nodes: Node) -> ir.Model:
    """Build a graph of x: float32[n,k], lengths: int64[n] and data: float32[seq,n,4]."""
    made = [helper.make_node(op, ins, outs, **attributes) for op, ins, outs, attributes in nodes]
    inputs = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", "k"]),
        helper.make_tensor_value_info("lengths", TensorProto.INT64, ["n"]),
        helper.make_tensor_value_info("data", TensorProto.FLOAT, ["seq", "n", 4]),
    ]
    proto = helper.make_graph(
        made, "g", inputs, [onnx.ValueInfoProto(name=nodes[-1][2][0])],
        [numpy_helper.from_array(value, name) for name, value in CONSTANTS.items()],
    )  # fmt: skip
    model = helper.make_model(proto, opset_imports=[helper.make_opsetid("", 18)])
    return ir.serde.deserialize_model(model)


LOG = ("Log", ["x"], ["y"], {})

FLOATS: dict[str, tuple[list[Node], tuple[float, float] | None]] = {
    "logarithm": ([LOG], (NEAR, ENDLESS)),
    "square root": ([("Sqrt", ["x"], ["y"], {})], (0.0, ENDLESS)),
    "power of a half": ([("Pow", ["x", "half"], ["y"], {})], (0.0, ENDLESS)),
    "powers, one below zero": ([("Pow", ["x", "root"], ["y"], {})], (NEAR, ENDLESS)),
    "square": ([("Pow", ["x", "two"], ["y"], {})], None),
    "exponent": ([("Pow", ["two", "x"], ["y"], {})], None),
    "open exponent": ([("Pow", ["x", "data"], ["y"], {})], (NEAR, ENDLESS)),
    "arc cosine": ([("Acos", ["x"], ["y"], {})], (-1.0, 1.0)),
    "moved": ([("Add", ["one", "x"], ["s"], {}), ("Sqrt", ["s"], ["y"], {})], (-1.0, ENDLESS)),
    "turned": ([("Sub", ["one", "x"], ["s"], {}), ("Sqrt", ["s"], ["y"], {})], (-ENDLESS, 1.0)),
    "negative": ([("Neg", ["x"], ["s"], {}), ("Sqrt", ["s"], ["y"], {})], (-ENDLESS, 0.0)),
    "scaled and moved": (
        [("Mul", ["x", "two"], ["a"], {}), ("Sub", ["a", "three"], ["b"], {}),
         ("Acos", ["b"], ["y"], {})],
        (1.0, 2.0),
    ),
    "divided": ([("Div", ["x", "two"], ["a"], {}), ("Asin", ["a"], ["y"], {})], (-2.0, 2.0)),
    "a probability": (
        [LOG, ("Sub", ["one", "x"], ["s"], {}), ("Log", ["s"], ["z"], {})], (NEAR, 1 - NEAR),
    ),
    "through a shape": (
        [("Unsqueeze", ["x", "axis"], ["u"], {}), ("Log", ["u"], ["y"], {})], (NEAR, ENDLESS),
    ),
    "after a rectifier": ([("Relu", ["x"], ["r"], {}), ("Sqrt", ["r"], ["y"], {})], None),
    "thrown away where it is not valid": (
        [("Greater", ["x", "zero"], ["g"], {}), LOG, ("Where", ["g", "y", "zero"], ["w"], {})],
        None,
    ),
    "no value is valid": (
        [("Sqrt", ["x"], ["a"], {}), ("Neg", ["x"], ["s"], {}), ("Log", ["s"], ["y"], {})], None,
    ),
    "plain": ([("Exp", ["x"], ["y"], {})], None),
}  # fmt: skip


@pytest.mark.parametrize("case", FLOATS)
def test_floats(case: str) -> None:
    nodes, expected = FLOATS[case]
    found = bounds_of(graph(*nodes)).get("x")
    if expected is None:
        assert found is None
    else:
        assert np.allclose(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("op", ["Log", "Sqrt", "Acos", "Asin", "Atanh", "Acosh"])
def test_a_domain_is_that_of_the_function(op: str) -> None:
    """The ends give numbers, and what lies beyond them does not."""
    low, high = bounds_of(graph((op, ["x"], ["y"], {})))["x"]
    function = getattr(np, {"Acos": "arccos", "Asin": "arcsin"}.get(op, op.lower()), None)
    function = function or getattr(np, f"arc{op.lower()[1:]}")
    with np.errstate(all="ignore"):
        assert np.isfinite(function(np.array([low, min(high, 1e30)]))).all()
        assert not np.isfinite(function(np.array([low - 0.01])))[0]
        if high < ENDLESS:
            assert not np.isfinite(function(np.array([high + 0.01])))[0]


def counting(limit: str = "size") -> list[Node]:
    """Return nodes that count along the sequence: ``count``."""
    return [
        ("Shape", ["data"], ["shape"], {}),
        ("Gather", ["shape", "i0"], ["size"], {}),
        ("Range", ["i0", limit, "i1"], ["range"], {}),
        ("Cast", ["range"], ["count"], {"to": TensorProto.INT64}),
    ]


COLUMN = ("Unsqueeze", ["lengths", "axis"], ["column"], {})

LENGTHS: dict[str, tuple[list[Node], tuple | None]] = {
    "a mask by a counting": (
        [*counting(), COLUMN, ("Less", ["count", "column"], ["y"], {})], (1, "seq"),
    ),
    "the other way round": (
        [*counting(), COLUMN, ("Greater", ["column", "count"], ["y"], {})], (1, "seq"),
    ),
    "the last position": (
        [*counting(), ("Sub", ["lengths", "i1"], ["last"], {}),
         ("Unsqueeze", ["last", "axis"], ["column"], {}),
         ("LessOrEqual", ["count", "column"], ["y"], {})],
        (1, "seq"),
    ),
    "what lies behind it": (
        [*counting(), COLUMN, ("GreaterOrEqual", ["count", "column"], ["y"], {})], (1, "seq"),
    ),
    "a length less two": (
        [*counting(), ("Sub", ["lengths", "i2"], ["s"], {}),
         ("Less", ["count", "s"], ["y"], {})],
        (3, "seq + 2"),
    ),
    "one position": ([*counting(), COLUMN, ("Equal", ["count", "column"], ["y"], {})],
                     (0, "seq - 1")),
    "a counting of fixed size": ([COLUMN, ("Less", ["first", "column"], ["y"], {})], (1, 5)),
    "a counting to two": ([*counting("i2"), COLUMN, ("Less", ["count", "column"], ["y"], {})],
                          (1, 2)),
    "no counting": ([COLUMN, ("Less", ["odd", "column"], ["y"], {})], None),
    "a reversed sequence": (
        [("ReverseSequence", ["data", "lengths"], ["y"], {"time_axis": 0, "batch_axis": 1})],
        (1, "seq"),
    ),
    "a recurrent layer": (
        [("GRU", ["data", "w", "r", "", "lengths"], ["y"], {"hidden_size": 2})], (1, "seq"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", LENGTHS)
def test_lengths(case: str) -> None:
    nodes, expected = LENGTHS[case]
    if case == "a recurrent layer":
        CONSTANTS.update(w=np.zeros((1, 6, 4), np.float32), r=np.zeros((1, 6, 2), np.float32))
    assert bounds_of(graph(*nodes)).get("lengths") == expected


def test_a_bound_by_a_word_that_nobody_declares_is_left_out() -> None:
    model = graph(*LENGTHS["a mask by a counting"][0])
    assert with_bounds(signature_of(model), model).input("lengths").bounds == (1, "seq")
    other = Signature((TensorSpec("lengths", "int64", ("rows",)),))
    assert with_bounds(other, model).input("lengths").bounds is None


class Net:
    """Builds modules; PyTorch is imported only where they are."""

    @staticmethod
    def masked_mean():
        import torch

        class MaskedMean(torch.nn.Module):
            def forward(self, x, lengths):
                inside = torch.arange(x.shape[1])[None] < lengths[:, None]
                return (x * inside).sum(1) / lengths

        return MaskedMean()

    @staticmethod
    def log_odds():
        import torch

        class LogOdds(torch.nn.Module):
            def forward(self, p):
                return torch.log(p) - torch.log1p(-p)

        return LogOdds()


def test_what_pytorch_traces_to_is_understood() -> None:
    pytest.importorskip("torch")
    from verify import verify

    report = verify(
        Net.masked_mean(), Net.masked_mean(), tolerance="fixed",
        inputs=["x:float32[batch,seq]", "lengths:int64[batch]"],
    )  # fmt: skip
    assert report.passed
    assert not any("0 and 1" in note for note in report.findings)


def test_random_inputs_of_a_traced_model_give_numbers() -> None:
    torch = pytest.importorskip("torch")
    from converter.formats import from_live
    from converter.pipeline import Options, trace
    from converter.signature import parse_inputs
    from verify.inputs import cases

    signature = parse_inputs(["p:float32[batch,3]"])
    model = trace(from_live(Net.log_odds()), signature, {}, Options(to="onnx"))
    bounded = with_bounds(signature, model)
    low, high = bounded.input("p").bounds
    assert 0 < low < high < 1
    net = Net.log_odds()
    for case in cases(bounded, 3):
        result = net(torch.from_numpy(case.inputs(bounded)["p"]))
        assert all(map(math.isfinite, result.flatten().tolist())), case
    plain = torch.from_numpy(cases(signature, 1)[0].inputs(signature)["p"])
    assert not torch.isfinite(net(plain)).all()  # without the bounds there would be NaN
