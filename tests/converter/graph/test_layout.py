"""Layout rewriting: the same numbers before and after, and as few transpositions as are needed."""

from __future__ import annotations

import numpy as np
import onnx
import onnx.parser
import onnx_ir as ir
import pytest

from converter.graph.layout import channels_last, count_transposes, settle
from converter.graph.layout import contract as contract_module
from converter.graph.layout.permutation import after, inverse, to_first, to_last
from converter.graph.shapes import infer_shapes


def graph_of(body: str, opset: int = 18) -> ir.Model:
    text = f'<ir_version: 9, opset_import: ["" : {opset}]>\n{body}'
    return infer_shapes(ir.serde.deserialize_model(onnx.parser.parse_model(text)))


def run(model: ir.Model, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
    import onnxruntime

    data = ir.serde.serialize_model(model).SerializeToString()
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    return session.run(None, inputs)


def fresh_seed() -> int:
    seed = int(np.random.SeedSequence().generate_state(1)[0])
    print(f"seed {seed}")
    return seed


CHAINS = {
    "relu": ("r = Relu(a)", 1),
    "add a channel": ("r = Add(a, c)", 1),
    "multiply by a scalar": ("r = Mul(s, a)", 1),
    "two branches": ("u = Sigmoid(a)\n v = Tanh(a)\n r = Mul(u, v)", 1),
    "mean, kept": ("r = ReduceMean <keepdims=1> (a, axes)", 1),
    "sum, dropped": ("r = ReduceSum <keepdims=0> (a, axes)", 0),
    "softmax": ("r = Softmax <axis=1> (a)", 1),
    "concat": ("u = Relu(a)\n r = Concat <axis=-3> (a, u)", 1),
    "pad": ("r = Pad (a, pads)", 1),
    "slice": ("r = Slice (a, starts, ends, axes)", 1),
    "clip": ("r = Clip (a, s)", 1),
    "where": ("m = Greater(a, s)\n r = Where(m, a, s)", 1),
    "shape": ("n = Shape(a)\n r = Expand(s, n)", 0),
    "back again": ("r = Transpose <perm=[0, 2, 3, 1]> (a)", 0),
    "there and elsewhere": ("r = Transpose <perm=[3, 2, 1, 0]> (a)", 1),
    "resize": ('r = Resize <mode="nearest"> (a, , scales)', 1),
}


@pytest.mark.parametrize("name", CHAINS)
def test_a_transposition_moves_behind_what_follows(name: str) -> None:
    body, left = CHAINS[name]
    model = graph_of(
        f"""chain (float[2, 4, 5, 3] x) => (float[A, B, C, D] r)
        <float[3, 1, 1] c = {{1, 2, 3}}, float s = {{0.5}}, int64[2] axes = {{2, 3}},
         int64[2] starts = {{1, 0}}, int64[2] ends = {{3, 4}},
         int64[8] pads = {{0, 1, 2, 0, 0, 0, 1, 2}}, float[4] scales = {{1, 1, 2, 3}}>
        {{
          a = Transpose <perm=[0, 3, 1, 2]> (x)
          {body}
        }}"""
    )
    x = np.random.default_rng(fresh_seed()).standard_normal((2, 4, 5, 3), np.float32)
    before = run(model, {"x": x})
    settled = settle(model)
    assert count_transposes(settled) == left
    for got, want in zip(run(settled, {"x": x}), before, strict=True):  # sums in another order
        np.testing.assert_allclose(got, want, rtol=1e-6, atol=2e-6)


def test_a_wrong_rule_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted fault: softmax keeps its axis."""
    monkeypatch.setitem(contract_module.RULES, "Softmax", lambda node, p: p)
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        test_a_transposition_moves_behind_what_follows("softmax")


def test_an_output_that_cancels_keeps_its_name() -> None:
    model = graph_of(
        """cancel (float[2, 4, 5, 3] x) => (float[2, 4, 5, 3] y) {
          a = Transpose <perm=[0, 3, 1, 2]> (x)
          y = Transpose <perm=[0, 2, 3, 1]> (a)
        }"""
    )
    settled = settle(model)
    assert [value.name for value in settled.graph.outputs] == ["y"]
    assert count_transposes(settled) == 0
    x = np.ones((2, 4, 5, 3), np.float32)
    np.testing.assert_array_equal(run(settled, {"x": x})[0], x)


UNET = """net (float[N, 3, 8, 8] x, float[6, 3, 3, 3] w, float[6, 6, 3, 3] v, float[6, 6, 2, 2] t,
      float[6] g, float[6] b, float[6] m, float[6] q) => (float[N, 12, 8, 8] y) {
  a = Conv <pads=[1, 1, 1, 1]> (x, w)
  n = BatchNormalization (a, g, b, m, q)
  r = Relu (n)
  p = MaxPool <kernel_shape=[2, 2], strides=[2, 2]> (r)
  c = Conv <pads=[1, 1, 1, 1]> (p, v)
  e = GlobalAveragePool (c)
  h = Sigmoid (e)
  d = Mul (c, h)
  u = ConvTranspose <strides=[2, 2]> (d, t)
  y = Concat <axis=1> (u, r)
}"""


def test_channels_last_leaves_one_transposition_per_border() -> None:
    from converter.onnx_backend import TensorFlowBackend

    model = graph_of(UNET)
    rng = np.random.default_rng(fresh_seed())
    shapes = [(2, 3, 8, 8), (6, 3, 3, 3), (6, 6, 3, 3), (6, 6, 2, 2), (6,), (6,), (6,), (6,)]
    arrays = [rng.standard_normal(shape, np.float32) for shape in shapes]
    arrays[-1] = np.abs(arrays[-1]) + 0.1
    inputs = {v.name: array for v, array in zip(model.graph.inputs, arrays, strict=True)}
    (expected,) = run(model, inputs)
    rewritten = settle(channels_last(model.clone()))
    images = [
        node
        for node in rewritten.graph
        if node.op_type == "Transpose" and node.inputs[0].name not in ("w", "v", "t")
    ]
    assert [node.inputs[0].name for node in images] == ["x", "y_moved"]
    (got,) = TensorFlowBackend.prepare(model).run(arrays)
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4)
    (wrong,) = TensorFlowBackend.prepare(model).run([arrays[0][:, ::-1], *arrays[1:]])
    with pytest.raises(AssertionError):  # the channels of the input in another order
        np.testing.assert_allclose(wrong, expected, rtol=1e-4, atol=1e-4)


ELEMENTWISE = ("Relu", "Sigmoid", "Neg", "Exp", "Add", "Mul", "Sub", "Max")
AXES = ("Softmax", "ReduceMean", "Concat", "Transpose")


def random_model(rng: np.random.Generator, length: int) -> ir.Model:
    """Return a random chain of operators, transpositions and merging branches."""
    rank = int(rng.integers(3, 6))
    shape = [int(size) for size in rng.integers(1, 5, rank)]
    x = ir.Value(name="x", shape=ir.Shape(shape), type=ir.TensorType(ir.DataType.FLOAT))
    nodes: list[ir.Node] = []
    values, shapes = [x], {x: shape}

    def emit(op: str, inputs: list[ir.Value], result: list[int], **attributes) -> None:
        node = ir.node(op, inputs, attributes=attributes)
        nodes.append(node)
        output = node.outputs[0]
        output.name = f"v{len(nodes)}"
        values.append(output)
        shapes[output] = result

    for _ in range(length):
        value = values[int(rng.integers(max(0, len(values) - 4), len(values)))]
        size = shapes[value]
        op = str(rng.choice([*ELEMENTWISE, *AXES, "Transpose", "Transpose"]))
        axis = int(rng.integers(len(size)))
        if op == "Transpose":
            perm = [int(axis) for axis in rng.permutation(len(size))]
            emit(op, [value], [size[axis] for axis in perm], perm=perm)
        elif op == "Concat":
            wide = [*size]
            wide[axis] *= 2
            emit(op, [value, value], wide, axis=axis - len(size) * int(rng.integers(2)))
        elif op == "Softmax":
            emit(op, [value], size, axis=axis)
        elif op == "ReduceMean":
            emit(op, [value], [1 if i == axis else n for i, n in enumerate(size)], axes=[axis])
        elif op in ("Add", "Mul", "Sub", "Max"):
            same = [other for other in values if shapes[other] == size]
            emit(op, [value, same[int(rng.integers(len(same)))]], size)
        else:
            emit(op, [value], size)
    last = values[-1]
    last.shape, last.type = ir.Shape(shapes[last]), ir.TensorType(ir.DataType.FLOAT)
    graph = ir.Graph([x], [last], nodes=nodes, opset_imports={"": 17}, name="random")
    return infer_shapes(ir.Model(graph, ir_version=9))


def test_random_graphs_keep_their_meaning() -> None:
    rng = np.random.default_rng(fresh_seed())
    fewer = 0
    for _ in range(60):
        model = random_model(rng, 14)
        x = rng.standard_normal([int(n) for n in model.graph.inputs[0].shape], np.float32)
        before, count = run(model, {"x": x}), count_transposes(model)
        settled = settle(model)
        assert count_transposes(settled) <= count
        fewer += count_transposes(settled) < count
        for got, want in zip(run(settled, {"x": x}), before, strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)
    assert fewer > 20, f"only {fewer} of 60 graphs have fewer transpositions than before"


@pytest.mark.parametrize("rank", [3, 4, 5])
def test_permutations(rank: int) -> None:
    x = np.random.default_rng(fresh_seed()).standard_normal(tuple(range(2, rank + 2)))
    moved = x.transpose(to_last(rank))
    np.testing.assert_array_equal(moved.transpose(to_first(rank)), x)
    assert inverse(to_last(rank)) == to_first(rank)
    assert after(to_first(rank), to_last(rank)) == tuple(range(rank))
    np.testing.assert_array_equal(
        x.transpose(to_last(rank)).transpose(to_last(rank)),
        x.transpose(after(to_last(rank), to_last(rank))),
    )
