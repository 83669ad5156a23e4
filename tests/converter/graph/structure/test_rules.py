"""Rules that find layers in arithmetic fire where they mean the same, and on no near miss."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import onnx_ir as ir
import pytest
import tensorflow as tf
from keras import layers
from onnxruntime import InferenceSession

from converter.formats import from_live
from converter.graph.shapes import infer_shapes
from converter.graph.structure.folding import fold_constants
from converter.graph.structure.rules import recover
from converter.signature import parse_inputs
from converter.trace.tensorflow import trace

SEED = int(np.random.SeedSequence().generate_state(1)[0])


def graph_of(function: Any, spec: str) -> ir.Model:
    model = trace(from_live(function), parse_inputs([spec]))
    return infer_shapes(fold_constants(infer_shapes(model)))


def results(model: ir.Model, x: np.ndarray) -> list[np.ndarray]:
    copy = model.clone()
    copy.graph.opset_imports[""] = 20  # `Gelu` is of opset 20; nothing else has changed since 18
    session = InferenceSession(ir.serde.serialize_model(copy).SerializeToString())
    return session.run(None, {copy.graph.inputs[0].name: x})


def operators(model: ir.Model) -> Counter[str]:
    return Counter(node.op_type for node in model.graph)


def of_layers(*made: keras.Layer, shape: tuple[int | None, ...], dtype: str = "float32") -> Any:
    x = y = keras.Input(shape, dtype=dtype, name="x")
    for layer in made:
        y = layer(y)
    model = keras.Model(x, y)
    rng = np.random.default_rng(SEED)
    model.set_weights([np.abs(rng.normal(size=w.shape)) + 0.1 for w in model.get_weights()])
    return model


def floats(*shape: int) -> np.ndarray:
    return np.random.default_rng(SEED).normal(size=shape).astype(np.float32)


FIRES: list[Any] = [
    pytest.param(
        lambda: of_layers(layers.BatchNormalization(), shape=(4, 5, 3)), "x[n,4,5,3]",
        floats(2, 4, 5, 3), "BatchNormalization", id="batch normalisation",
    ),
    pytest.param(
        lambda: of_layers(layers.BatchNormalization(scale=False, center=False), shape=(3,)),
        "x[n,3]", floats(2, 3), "BatchNormalization", id="batch normalisation without gain",
    ),
    pytest.param(
        lambda: of_layers(layers.LayerNormalization(), shape=(None, 6)), "x[n,m,6]",
        floats(2, 3, 6), "LayerNormalization", id="layer normalisation",
    ),
    pytest.param(
        lambda: of_layers(layers.Activation("gelu"), shape=(6,)), "x[n,6]", floats(2, 6), "Gelu",
        id="gelu",
    ),
    pytest.param(
        lambda: tf.function(tanh_gelu), "x:float32[n,6]", floats(2, 6), "Gelu", id="tanh gelu"
    ),
    pytest.param(
        lambda: tf.function(cubic_gelu), "x:float32[n,6]", floats(2, 6), "Gelu", id="cubic gelu"
    ),
]  # fmt: skip


@pytest.mark.parametrize(("model", "spec", "x", "operator"), FIRES)
def test_fires(model: Callable[[], Any], spec: str, x: np.ndarray, operator: str) -> None:
    print(f"seed {SEED}")
    graph = graph_of(model(), spec)
    before = results(graph, x)
    assert recover(graph) == 1
    assert operators(graph)[operator] == 1
    assert not {"Sqrt", "Reciprocal", "Erf", "ReduceMean"} & operators(graph).keys()
    for got, want in zip(results(graph, x), before, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


def test_a_dense_layer_of_three_axes() -> None:
    print(f"seed {SEED}")
    graph = graph_of(of_layers(layers.Dense(4), shape=(None, 6)), "x[n,m,6]")
    x = floats(2, 3, 6)
    before = results(graph, x)
    assert recover(graph) == 1
    assert operators(graph) == Counter(MatMul=1, Add=1)
    np.testing.assert_allclose(results(graph, x)[0], before[0], rtol=1e-4, atol=1e-5)


def test_a_table_takes_indices_from_the_end() -> None:
    graph = graph_of(
        of_layers(layers.Embedding(7, 3), shape=(None,), dtype="int32"), "x:int32[n,m]"
    )
    ids = np.array([[0, 6], [-1, 3]], np.int32)
    before = results(graph, ids)
    assert recover(graph) == 1
    assert "Where" not in operators(graph)
    np.testing.assert_array_equal(results(graph, ids)[0], before[0])


def over_rows(x: Any) -> Any:
    mean, variance = tf.nn.moments(x, [1], keepdims=True)
    return tf.nn.batch_normalization(x, mean, variance, tf.ones(6), tf.ones(6), 1e-3)


def tanh_gelu(x: Any) -> Any:
    return tf.nn.gelu(x, approximate=True)


def cubic_gelu(x: Any) -> Any:
    return x * 0.5 * (tf.tanh((x * x * x * 0.044715 + x) * 0.7978845608) + 1.0)


def almost_gelu(x: Any) -> Any:
    return 0.5 * x * tf.math.erfc(-x * 0.7)


def almost_tanh_gelu(x: Any) -> Any:
    return 0.5 * x * (1.0 + tf.tanh(0.7978845608 * (x + 0.0447 * x * x * x)))


def squared_gelu(x: Any) -> Any:
    return 0.5 * x * (1.0 + tf.tanh(0.7978845608 * (x + 0.044715 * x * x)))


class Statistics(tf.Module):
    """The deviation is a weight, and nothing is added under a root."""

    def __init__(self) -> None:
        self.mean = tf.Variable(tf.ones(6), trainable=False)
        self.deviation = tf.Variable(tf.ones(6) * 2)

    @tf.function
    def __call__(self, x: Any) -> Any:
        scale = 1 / self.deviation
        return x * scale + (1.0 - self.mean * scale)


@pytest.mark.parametrize(
    "function",
    [
        tf.function(over_rows),
        tf.function(almost_gelu),
        tf.function(almost_tanh_gelu),
        tf.function(squared_gelu),
        Statistics(),
    ],
    ids=["over rows", "another factor", "another cubic", "no cube", "no root"],
)
def test_does_not_fire_on_a_near_miss(function: Any) -> None:
    graph = graph_of(function, "x:float32[2,6]")
    before = operators(graph)
    assert recover(graph) == 0
    assert operators(graph) == before


def heads(bias: str = "de") -> Any:
    """Keras' projection of attention, ``[n, m, 6]`` to ``[n, m, 2, 4]``."""
    return layers.EinsumDense("abc,cde->abde", output_shape=(None, 2, 4), bias_axes=bias)


def joined() -> Any:
    return layers.EinsumDense("abcd,cde->abe", output_shape=(None, 6), bias_axes="e")


def test_a_projection_into_heads_is_a_dense_layer() -> None:
    print(f"seed {SEED}")
    graph = graph_of(of_layers(heads(), joined(), shape=(None, 6)), "x[n,m,6]")
    x = floats(2, 3, 6)
    before = results(graph, x)
    assert operators(graph)["Einsum"] == 2
    assert recover(graph) == 3  # two sums, and one bias that stood behind the split
    found = operators(graph)
    assert (found["Einsum"], found["MatMul"], found["Add"]) == (0, 2, 2)
    for add in (node for node in graph.graph if node.op_type == "Add"):
        assert add.inputs[0].producer().op_type == "MatMul"  # type: ignore[union-attr]
    np.testing.assert_allclose(results(graph, x)[0], before[0], rtol=1e-4, atol=1e-5)


def einsum_graph(equation: str, sizes: dict[str, int]) -> ir.Model:
    first, second = equation.partition("->")[0].split(",")
    shapes = [",".join(str(sizes[label]) for label in term) for term in (first, second)]
    model = ir.from_onnx_text(f"""<ir_version: 8, opset_import: ["" : 18]>
        agraph (float[{shapes[0]}] x, float[{shapes[1]}] w) => (float[] y) {{
            y = Einsum <equation = "{equation}"> (x, w)
        }}""")
    model.graph.outputs[0].shape = None
    weight = model.graph.inputs.pop()
    weight.metadata_props["equiport.role"] = "parameter"
    weight.const_value = ir.Tensor(floats(*(sizes[label] for label in second)), name="w")
    model.graph.register_initializer(weight)
    return infer_shapes(model)


@pytest.mark.parametrize(
    ("equation", "fires"),
    [
        ("nab,abc->nc", True), ("nab,bcd->nacd", True), ("ab,bc->ac", True), ("a,ab->b", True),
        ("nab,abc->nbc", False), ("nab,bac->nc", False), ("nab,abc->cn", False),
        ("nab,bcd->nadc", False), ("ab,cd->abcd", False), ("nab,ac->nbc", False),
    ],
)  # fmt: skip
def test_which_sums_are_products_of_matrices(equation: str, fires: bool) -> None:
    print(f"seed {SEED}")
    sizes = dict(zip("nabcd", (2, 5, 4, 3, 6), strict=True))
    graph = einsum_graph(equation, sizes)
    x = floats(*(sizes[label] for label in equation.partition(",")[0]))
    before = results(graph, x)
    assert recover(graph) == fires
    assert operators(graph)["Einsum"] == (not fires)
    np.testing.assert_allclose(results(graph, x)[0], before[0], rtol=1e-4, atol=1e-4)


def rows_graph(attributes: str, bias: str) -> ir.Model:
    """A product of rows by `Gemm`, as `addmm` of PyTorch is traced."""
    turned = "transB = 1" in attributes
    model = ir.from_onnx_text(f"""<ir_version: 8, opset_import: ["" : 18]>
        agraph (float[2, 3, 4] x, float[{"5, 4" if turned else "4, 5"}] w, float[{bias}] b)
            => (float[2, 3, 5] y) {{
            flat = Constant <value = int64[2] {{-1, 4}}> ()
            rows = Reshape (x, flat)
            product = Gemm {attributes} (rows, w, b)
            whole = Constant <value = int64[3] {{2, 3, 5}}> ()
            y = Reshape (product, whole)
        }}""")
    for shape in ((5,) if bias == "5" else (6, 5), (5, 4) if turned else (4, 5)):
        value = model.graph.inputs.pop()
        value.metadata_props["equiport.role"] = "parameter"
        value.const_value = ir.Tensor(floats(*shape), name=value.name)
        model.graph.register_initializer(value)
    return infer_shapes(model)


@pytest.mark.parametrize(
    ("attributes", "bias", "fires"),
    [
        ("", "5", True), ("<transB = 1>", "5", True),
        ("<alpha = 0.5>", "5", False), ("<beta = 2.0>", "5", False), ("", "6, 5", False),
    ],
)  # fmt: skip
def test_a_product_of_rows_is_a_dense_layer(attributes: str, bias: str, fires: bool) -> None:
    print(f"seed {SEED}")
    graph = rows_graph(attributes, bias)
    x = floats(2, 3, 4)
    before = results(graph, x)
    assert recover(graph) == fires
    assert operators(graph)["Gemm"] == (not fires)
    np.testing.assert_allclose(results(graph, x)[0], before[0], rtol=1e-4, atol=1e-5)
