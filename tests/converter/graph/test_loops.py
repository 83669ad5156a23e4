"""Counting loops become `equiport.Repeat`; loops that decide for themselves stay what they are."""

from __future__ import annotations

import numpy as np
import onnx
import onnx.parser
import onnx_ir as ir
import pytest
import torch

from converter.graph.loops import capture_invariants, count_loops
from converter.onnx_backend import PyTorchBackend

LOOP = """<ir_version: 9, opset_import: ["" : 18]>
loop (float[3] x, int64 n) => (float[3] last, int32 counted, float[T, 3] rows)
<bool yes = {{1}}, int32 zero = {{0}}, float[3] w = {{1, 2, 3}}> {{
  n32 = Cast <to=6> (n)
  first = {first}
  last, counted, fixed, rows = Loop (n, first, x, zero, w) <body = body (
      int64 i, bool go, float[3] s, int32 c, float[3] v) =>
      (bool on, float[3] t, int32 d, float[3] v_out, float[3] row) {{
    half = Constant <value = float {{0.5}}> ()
    one = Constant <value = int32 {{1}}> ()
    h = Mul (s, half)
    t = Add (h, v)
    d = Add (c, one)
    v_out = Identity (v)
    row = Identity (t)
    {on}
  }}>
}}"""

COUNTING = {
    "always": ("Identity (yes)", "on = Constant <value = bool {1}> ()"),
    "passed on": ("Identity (yes)", "on = Identity (go)"),
    "next below n": ("Less (zero, n32)", "on = Less (d, n32)"),
    "both": ("Identity (yes)", "a = Less (d, n32)\n e = Less (i, n)\n on = And (a, e)"),
}
DECIDING = {
    "a value decides": ("Identity (yes)", "u = ReduceMax <keepdims=0> (t)\n k = Constant <value = "
                        "float {5.0}> ()\n on = Less (u, k)"),
    "one less": ("Identity (yes)", "b = Add (d, one)\n on = Less (b, n32)"),
    "an input lets it in": ("Less (n32, zero)", "on = Constant <value = bool {1}> ()"),
}  # fmt: skip


def parsed(first: str, on: str) -> onnx.ModelProto:
    return onnx.parser.parse_model(LOOP.format(first=first, on=on))


def expected(proto: onnx.ModelProto, x: np.ndarray, n: int) -> list[np.ndarray]:
    import onnxruntime

    session = onnxruntime.InferenceSession(
        proto.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, {"x": x, "n": np.array(n, np.int64)})


def has_loop(proto: onnx.ModelProto) -> bool:
    model = count_loops(ir.serde.deserialize_model(proto))
    return any(node.op_type == "Loop" for node in model.graph)


@pytest.mark.parametrize("name", [*COUNTING, *DECIDING])
@pytest.mark.parametrize("trips", [1, 4])
def test_the_meaning_stays(name: str, trips: int) -> None:
    proto = parsed(*(COUNTING | DECIDING)[name])
    assert has_loop(proto) == (name in DECIDING)
    seed = int(np.random.SeedSequence().generate_state(1)[0])
    print(f"seed {seed}")
    x = np.random.default_rng(seed).standard_normal(3).astype(np.float32)
    got = PyTorchBackend.prepare(proto).run([x, np.array(trips, np.int64)])
    for value, want in zip(got, expected(proto, x, trips), strict=True):
        np.testing.assert_allclose(value, want.reshape(value.shape), rtol=1e-6)
    other = expected(proto, x + 1, trips)
    if other[2].size:  # the planted fault
        with pytest.raises(AssertionError):
            np.testing.assert_allclose(got[0], other[0], rtol=1e-6)


SCAN = """<ir_version: 9, opset_import: ["" : 18]>
net (float[T, 3] x) => (float[3] last, float[T, 3] rows)
<bool yes = {1}, float[3] zero = {0, 0, 0}, int64 axis = {0}> {
  shape = Shape <start=0, end=1> (x)
  n = Squeeze (shape)
  last, rows = Loop (n, yes, zero) <body = body (int64 i, bool go, float[3] s) =>
      (bool on, float[3] t, float[3] row) {
    item = Gather <axis=0> (x, i)
    t = Add (s, item)
    row = Identity (t)
    on = Identity (go)
  }>
}"""


def test_a_loop_over_an_open_length_goes_through_torch_export() -> None:
    from converter.rebuild.pytorch import build

    module = build(ir.serde.deserialize_model(onnx.parser.parse_model(SCAN)))
    length = torch.export.Dim("length", min=2, max=1000)
    program = torch.export.export(module, (torch.randn(5, 3),), dynamic_shapes=({0: length},))
    for size in (2, 5, 9):
        x = torch.randn(size, 3)
        last, rows = program.module()(x)
        torch.testing.assert_close(rows, x.cumsum(0))
        torch.testing.assert_close(last, x.sum(0))


def without_trip_count(first: str, on: str) -> onnx.ModelProto:
    """Return the loop with its condition alone; it always ends."""
    proto = parsed(first, on)
    loop = next(node for node in proto.graph.node if node.op_type == "Loop")
    loop.input[0] = ""
    return proto


@pytest.mark.parametrize(
    "on",
    ["on = Less (d, n32)", "on = Greater (n32, d)", "a = Less (d, n32)\n on = And (a, a)"],
    ids=["below", "above", "both"],
)
@pytest.mark.parametrize("n", [0, 1, 4])
def test_a_limit_in_the_condition_is_a_trip_count(on: str, n: int) -> None:
    proto = without_trip_count("Less (zero, n32)", on)
    model = count_loops(ir.serde.deserialize_model(proto))
    assert [node.op_type for node in model.graph].count("Repeat") == 1
    x = np.random.default_rng().normal(size=3).astype("f4")
    got = PyTorchBackend.prepare(proto).run((x, np.array(n)))
    for ours, theirs in zip(got, expected(proto, x, n), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5)


@pytest.mark.parametrize(
    "on",
    [
        "k = Constant <value = float {2.5}> ()\n f = Cast <to=1> (d)\n on = Less (f, k)",
        "k = Add (n32, c)\n on = Less (d, k)",
        "b = Add (d, one)\n on = Less (b, n32)",
    ],
    ids=["not whole", "moving", "one less"],
)
def test_a_condition_that_says_another_number_of_trips_stays(on: str) -> None:
    model = count_loops(ir.serde.deserialize_model(without_trip_count("Less (zero, n32)", on)))
    (loop,) = [node for node in model.graph if node.op_type in ("Loop", "Repeat")]
    assert loop.op_type == "Loop"
    assert loop.inputs[0] is None


FLOATS = """<ir_version: 9, opset_import: ["" : 18]>
loop (float[3] x) => (float[3] last)
<bool yes = {{1}}, int32 zero = {{0}}> {{
  last, counted = Loop (, yes, x, zero) <body = body (int64 i, bool go, float[3] s, int32 c) =>
      (bool on, float[3] t, int32 d) {{
    one = Constant <value = int32 {{1}}> ()
    limit = Constant <value = float {{{limit}}}> ()
    t = Add (s, s)
    d = Add (c, one)
    f = Cast <to = 1> (d)
    on = Less (f, limit)
  }}>
}}"""
"""Exporters of old opsets compare counters in float32."""


@pytest.mark.parametrize(("limit", "counting"), [("4.0", True), ("3.5", False), ("1e9", False)])
def test_a_limit_in_floats(limit: str, counting: bool) -> None:
    proto = onnx.parser.parse_model(FLOATS.format(limit=limit))
    assert has_loop(proto) != counting


def test_what_is_only_passed_on_is_read_from_outside() -> None:
    model = ir.serde.deserialize_model(parsed("Identity (yes)", DECIDING["one less"][1]))
    capture_invariants(model)
    (node,) = (node for node in model.graph if node.op_type == "Loop")
    body = node.attributes["body"].as_graph()
    assert body.outputs[3] is body.inputs[4]
    assert not list(body.inputs[4].uses())
    readers = {use.op_type for use, _ in model.graph.initializers["w"].uses()}
    assert "Add" in readers
