"""Models in which legitimate differences are large, small, or all that there is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np
import onnx
import onnx_ir as ir
from onnx import TensorProto, helper, numpy_helper

KINDS = {
    "float32": (np.float32, TensorProto.FLOAT),
    "float16": (np.float16, TensorProto.FLOAT16),
    "bfloat16": (ml_dtypes.bfloat16, TensorProto.BFLOAT16),
}
WIDTH = 32


class Builder:
    """Collects nodes and weights of a graph whose numbers are all of one dtype."""

    def __init__(self, dtype: str = "float32") -> None:
        self.dtype, self.kind = KINDS[dtype]
        self.nodes: list[onnx.NodeProto] = []
        self.weights: dict[str, np.ndarray] = {}

    def __call__(self, op: str, *inputs: str, **attributes: Any) -> str:
        name = f"{op.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [name], name=name, **attributes))
        return name

    def weight(self, name: str, value: np.ndarray) -> str:
        floats = np.asarray(value).dtype.kind == "f"
        self.weights[name] = np.asarray(value).astype(self.dtype if floats else np.int64)
        return name

    def model(self, output: str, shape: list) -> ir.Model:
        self.nodes.append(helper.make_node("Identity", [output], ["y"]))
        graph = helper.make_graph(
            self.nodes, "tight", [helper.make_tensor_value_info("x", self.kind, shape)],
            [helper.make_tensor_value_info("y", self.kind, None)],
            [numpy_helper.from_array(value, name) for name, value in self.weights.items()],
        )  # fmt: skip
        proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
        return ir.serde.deserialize_model(proto)


@dataclass
class Tight:
    """A graph and its input; ``faults`` are the faults of `FAULTS` that must be seen in it."""

    model: ir.Model
    x: np.ndarray
    faults: tuple[str, ...]


def deep(generator: np.random.Generator, dtype: str = "float32") -> Tight:
    """A hundred residual layers: normalise, multiply, add, bend."""
    build = Builder(dtype)
    value = "x"
    for layer in range(100):
        scale = build.weight(f"scale{layer}", 1 + generator.standard_normal(WIDTH) / 10)
        shift = build.weight(f"shift{layer}", generator.standard_normal(WIDTH) / 10)
        matrix = generator.standard_normal((WIDTH, WIDTH)) / WIDTH**0.5
        weight = build.weight(f"weight{layer}", matrix)
        bias = build.weight(f"bias{layer}", generator.standard_normal(WIDTH) / 2)
        normal = build("LayerNormalization", value, scale, shift, axis=-1, epsilon=1e-5)
        added = build("Add", build("MatMul", normal, weight), bias)
        value = build("Add", value, build("Tanh", added))
    scale = build.weight("scale", np.ones(WIDTH))
    value = build("LayerNormalization", value, scale, axis=-1, epsilon=1e-5)
    x = generator.standard_normal((3, WIDTH)).astype(KINDS[dtype][0])
    seen = ("element moved", "rounded to float16", "bias zeroed") if dtype == "float32" else ()
    return Tight(build.model(value, ["batch", WIDTH]), x, (*seen, "transposed"))


def near_zero(generator: np.random.Generator) -> Tight:
    """The difference of one thing computed in two ways."""
    build = Builder()
    first = build.weight("weight0", generator.standard_normal((WIDTH, WIDTH)) / WIDTH**0.5)
    second = build.weight("weight1", generator.standard_normal((WIDTH, WIDTH)) / WIDTH**0.5)
    both = build.weights["weight0"].astype(np.float64) @ build.weights["weight1"]
    third = build.weight("weight2", both)
    value = build("MatMul", build("MatMul", "x", first), second)
    value = build("Sub", value, build("MatMul", "x", third))
    x = generator.standard_normal((4, WIDTH)).astype(np.float32)
    return Tight(build.model(value, ["batch", WIDTH]), x, ("element moved", "rounded to float16"))


def many_classes(generator: np.random.Generator) -> Tight:
    """A softmax over 30,000 classes."""
    build = Builder()
    weight = build.weight("weight0", generator.standard_normal((WIDTH, 30_000)) / 4)
    bias = build.weight("bias0", generator.standard_normal(30_000))
    value = build("Softmax", build("Add", build("MatMul", "x", weight), bias), axis=-1)
    x = generator.standard_normal((2, WIDTH)).astype(np.float32)
    seen = ("element moved", "rounded to float16", "bias zeroed")
    return Tight(build.model(value, ["batch", WIDTH]), x, seen)


def constant(generator: np.random.Generator, fused: bool) -> Tight:
    """The normalisation of a constant: nothing but rounding, enlarged 300 times."""
    build = Builder()
    scale = build.weight("scale0", 1 + generator.standard_normal(768) / 10)
    if fused:
        value = build("LayerNormalization", "x", scale, axis=-1, epsilon=1e-5)
    else:
        axes = build.weight("axes", np.array([-1]))
        epsilon = build.weight("epsilon", np.array(1e-5))
        away = build("Sub", "x", build("ReduceMean", "x", axes, keepdims=1))
        variance = build("ReduceMean", build("Mul", away, away), axes, keepdims=1)
        value = build("Div", away, build("Sqrt", build("Add", variance, epsilon)))
        value = build("Mul", value, scale)
    x = np.full((2, 768), generator.uniform(0.1, 5), np.float32)
    return Tight(build.model(value, ["batch", 768]), x, ())


def long_sum(generator: np.random.Generator, signed: bool) -> Tight:
    """A sum of a million products."""
    build = Builder()
    weight = generator.standard_normal(1_000_000)
    weights = build.weight("weight0", weight if signed else np.abs(weight))
    axes = build.weight("axes", np.array([1]))
    value = build("ReduceSum", build("Mul", "x", weights), axes, keepdims=0)
    x = generator.standard_normal((2, 1_000_000))
    x = (x if signed else np.abs(x)).astype(np.float32)
    return Tight(build.model(value, ["batch", 1_000_000]), x, ("hundred terms dropped",))


def long_product(generator: np.random.Generator) -> Tight:
    """A matrix product over a million numbers."""
    build = Builder()
    weight = build.weight("weight0", generator.standard_normal((1_000_000, 2)))
    value = build("MatMul", "x", weight)
    x = generator.standard_normal((2, 1_000_000)).astype(np.float32)
    return Tight(build.model(value, ["batch", 1_000_000]), x, ("rounded to float16",))


def boxes_and_scores(generator: np.random.Generator) -> Tight:
    """A detector's rows: four numbers about 600 and eighty between 0 and 1."""
    build = Builder()
    boxes = build.weight("weight0", generator.standard_normal((WIDTH, 4)))
    scores = build.weight("weight1", generator.standard_normal((WIDTH, 80)) / WIDTH**0.5)
    bias = build.weight("bias1", generator.standard_normal(80))
    size = build.weight("size", np.array(600.0))
    left = build("Mul", build("Sigmoid", build("MatMul", "x", boxes)), size)
    right = build("Sigmoid", build("Add", build("MatMul", "x", scores), bias))
    value = build("Concat", left, right, axis=1)
    x = generator.standard_normal((1, WIDTH)).astype(np.float32)
    seen = ("element moved", "rounded to float16", "bias zeroed", "scores inverted")
    return Tight(build.model(value, ["batch", WIDTH]), x, seen)


def normalised(generator: np.random.Generator) -> Tight:
    """Batch normalisation of small numbers, where epsilon counts."""
    build = Builder()
    weight = build.weight("weight0", generator.standard_normal((WIDTH, WIDTH)) / WIDTH**0.5)
    names = [
        build.weight("scale", 1 + generator.standard_normal(WIDTH) / 10),
        build.weight("bias0", generator.standard_normal(WIDTH)),
        build.weight("mean", generator.standard_normal(WIDTH) / 10),
        build.weight("variance", generator.uniform(0.5, 2, WIDTH)),
    ]
    value = build("BatchNormalization", build("MatMul", "x", weight), *names, epsilon=1e-5)
    x = generator.standard_normal((4, WIDTH)).astype(np.float32)
    seen = ("element moved", "rounded to float16", "bias zeroed", "epsilon times ten")
    return Tight(build.model(value, ["batch", WIDTH]), x, seen)


CASES: dict[str, Callable[[np.random.Generator], Tight]] = {
    "100 layers": deep,
    "near zero": near_zero,
    "softmax over 30,000": many_classes,
    "constant normalised": lambda g: constant(g, True),
    "constant normalised by hand": lambda g: constant(g, False),
    "sum of a million": lambda g: long_sum(g, True),
    "sum of a million positive": lambda g: long_sum(g, False),
    "product over a million": long_product,
    "boxes and scores": boxes_and_scores,
    "batch normalisation": normalised,
}


def _changed(model: ir.Model, prefix: str, change: Callable[[np.ndarray], np.ndarray]) -> ir.Model:
    """Change the middle one of the weights that are called so."""
    copy = model.clone()
    names = [name for name in copy.graph.initializers if name.startswith(prefix)]
    value = copy.graph.initializers[names[len(names) // 2]]
    assert value.const_value is not None
    array = np.array(value.const_value.numpy())
    value.const_value = ir.tensor(change(array).astype(array.dtype), name=value.name)
    return copy


def _moved(array: np.ndarray) -> np.ndarray:
    array[tuple(size // 2 for size in array.shape)] += 0.1 * array.std()
    return array


def _zeroed(array: np.ndarray) -> np.ndarray:
    array[np.argmax(np.abs(array) > 0.3 * np.abs(array).max())] = 0
    return array


_SIGNS = np.repeat([-1, 1], 40)


def _dropped(array: np.ndarray) -> np.ndarray:
    array[:100] = 0
    return array


def _epsilon(model: ir.Model) -> ir.Model:
    copy = model.clone()
    for node in copy.graph:
        if "epsilon" in node.attributes:
            node.attributes["epsilon"] = ir.AttrFloat32("epsilon", 1e-4)
    return copy


FAULTS: dict[str, Callable[[ir.Model], ir.Model]] = {
    "element moved": lambda m: _changed(m, "weight", _moved),
    "rounded to float16": lambda m: _changed(m, "weight", lambda w: w.astype(np.float16)),
    "bias zeroed": lambda m: _changed(m, "bias", _zeroed),
    "epsilon times ten": _epsilon,
    "transposed": lambda m: _changed(m, "weight", np.transpose),
    "scores inverted": lambda m: _changed(m, "weight1", lambda w: w * _SIGNS),
    "hundred terms dropped": lambda m: _changed(m, "weight", _dropped),
}
