"""Small graphs of our own, for what the zoo's models do not do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

OPSET = 21


class Drawing:
    """A graph that is being written down; weights come from one seeded generator."""

    def __init__(self, name: str, seed: int) -> None:
        self.name, self.rng = name, np.random.default_rng(seed)
        self.inputs: list[ir.Value] = []
        self.nodes: list[ir.Node] = []
        self.constants: list[ir.Value] = []

    def input(self, name: str, dtype: ir.DataType, shape: Sequence[int | str]) -> ir.Value:
        """Add an input."""
        self.inputs.append(ir.val(name, dtype, shape))
        return self.inputs[-1]

    def weight(self, *shape: int, scale: float | None = None) -> ir.Value:
        """Add a random weight whose products keep the size of what they are multiplied with."""
        scale = scale or 1 / np.sqrt(max(1, int(np.prod(shape[1:]))))
        return self.constant((self.rng.standard_normal(shape) * scale).astype(np.float32))

    def constant(self, array: Any) -> ir.Value:
        """Add a constant."""
        array = np.asarray(array)
        name = f"{self.name}.{len(self.constants)}"
        value = ir.val(name, ir.DataType.from_numpy(array.dtype), array.shape)
        value.const_value = ir.tensor(array, name=name)
        self.constants.append(value)
        return value

    def add(self, operator: str, *inputs: Any, outputs: int = 1, **attributes: Any) -> Any:
        """Add a node; arrays and numbers among the inputs become constants."""
        values = [x if x is None or isinstance(x, ir.Value) else self.constant(x) for x in inputs]
        node = ir.node(operator, values, attributes or None, num_outputs=outputs)
        node.name = f"{operator}_{len(self.nodes)}"
        for index, value in enumerate(node.outputs):
            value.name = f"{node.name}:{index}"
        self.nodes.append(node)
        return node.outputs[0] if outputs == 1 else node.outputs

    def model(self, **outputs: tuple[ir.Value, ir.DataType, Sequence[int | str]]) -> ir.Model:
        """Return the graph with the given outputs: value, dtype and shape by name."""
        for name, (value, dtype, shape) in outputs.items():
            value.name, value.type, value.shape = name, ir.TensorType(dtype), ir.Shape(shape)
        graph = ir.Graph(
            self.inputs,
            [value for value, _, _ in outputs.values()],
            nodes=self.nodes,
            initializers=self.constants,
            opset_imports={"": OPSET},
            name=self.name,
        )
        model = ir.Model(graph, ir_version=10)
        return ir.serde.deserialize_model(ir.serde.serialize_model(model))


FLOAT, INT64, BOOL = ir.DataType.FLOAT, ir.DataType.INT64, ir.DataType.BOOL


def resizer() -> ir.Model:
    """An image enlarged and made smaller in every mode."""
    d = Drawing("resizer", 1)
    x = d.input("x", FLOAT, ["batch", 3, 9, 9])
    up = np.array([1, 1, 2.3, 2.3], np.float32)
    twice = np.array([1, 1, 2, 2], np.float32)
    down = np.array([1, 1, 0.5, 0.5], np.float32)
    y = d.add("Conv", x, d.weight(4, 3, 3, 3), d.weight(4, scale=0.1), pads=(1, 1, 1, 1))
    parts = [
        d.add("Resize", y, None, up, mode="nearest", nearest_mode="floor",
              coordinate_transformation_mode="asymmetric"),
        d.add("Resize", y, None, up, mode="linear", coordinate_transformation_mode="half_pixel"),
        d.add("Resize", y, None, up, mode="cubic", cubic_coeff_a=-0.75,
              coordinate_transformation_mode="half_pixel"),
    ]  # fmt: skip
    z = d.add("Add", d.add("Add", parts[0], parts[1]), parts[2])
    small = d.add("Resize", z, None, down, mode="linear", antialias=1)
    last = d.add("Resize", small, None, twice, mode="linear",
                 coordinate_transformation_mode="align_corners")  # fmt: skip
    y = d.add("Conv", last, d.weight(2, 4, 3, 3), d.weight(2, scale=0.1), strides=(2, 2))
    return d.model(y=(y, FLOAT, ["batch", 2, 9, 9]))


def pools() -> ir.Model:
    """Pooling and padding in every convention."""
    d = Drawing("pools", 2)
    x = d.input("x", FLOAT, ["batch", 3, 16, 16])
    y = d.add("Conv", x, d.weight(8, 3, 3, 3), d.weight(8, scale=0.1), pads=(0, 0, 1, 1))
    y = d.add("MaxPool", y, kernel_shape=(3, 3), strides=(2, 2), pads=(0, 0, 1, 1))
    y = d.add("AveragePool", y, kernel_shape=(3, 3), strides=(1, 1), pads=(1, 1, 1, 1))
    y = d.add("Pad", y, np.array([0, 0, 1, 2, 0, 0, 2, 1]), mode="reflect")
    y = d.add("Conv", y, d.weight(8, 4, 3, 3), d.weight(8, scale=0.1), group=2, dilations=(2, 2),
              pads=(2, 2, 2, 2))  # fmt: skip
    y = d.add("AveragePool", y, kernel_shape=(2, 2), strides=(2, 2), pads=(0, 0, 1, 1),
              count_include_pad=1)  # fmt: skip
    y = d.add("Pad", y, np.array([0, 0, 1, 0, 0, 0, 0, 1]), mode="constant")
    y = d.add("ConvTranspose", y, d.weight(8, 4, 3, 3), d.weight(4, scale=0.1), strides=(2, 2),
              pads=(1, 1, 0, 0), group=1)  # fmt: skip
    y = d.add("Pad", y, np.array([0, 0, 1, 1, 0, 0, 0, 0]), mode="edge")
    y = d.add("MaxPool", y, kernel_shape=(3, 3), strides=(3, 3), pads=(1, 1, 1, 1), ceil_mode=1)
    y = d.add("GlobalAveragePool", y)
    y = d.add("Flatten", y)
    return d.model(y=(y, FLOAT, ["batch", 4]))


def activations() -> ir.Model:
    """Dense layers with every activation between them."""
    d = Drawing("activations", 3)
    x = d.input("x", FLOAT, ["batch", 16])
    y = x
    for operator, attributes in (
        ("LeakyRelu", {"alpha": 0.01}), ("Elu", {"alpha": 1.0}), ("HardSigmoid", {"alpha": 1 / 6}),
        ("HardSwish", {}), ("Gelu", {}), ("Selu", {}), ("Softplus", {}), ("Tanh", {}),
        ("Gelu", {"approximate": "tanh"}), ("Celu", {"alpha": 1.5}), ("Sigmoid", {}),
    ):  # fmt: skip
        y = d.add("Gemm", y, d.weight(16, 16, scale=0.4), d.weight(16, scale=0.1), transB=1)
        y = d.add(operator, y, **attributes)
    y = d.add("Gemm", y, d.weight(16, 16, scale=2.0), d.weight(16), transB=1)
    y = d.add("PRelu", y, d.weight(16, scale=0.3))
    y = d.add("Clip", y, np.float32(-1), np.float32(2))
    y = d.add("LogSoftmax", y)
    return d.model(y=(y, FLOAT, ["batch", 16]))


def normalisations() -> ir.Model:
    """Instance, group, layer and batch normalisation, one after the other."""
    d = Drawing("normalisations", 4)
    x = d.input("x", FLOAT, ["batch", 8, 6, 6])
    gamma = lambda n: d.constant((1 + d.rng.standard_normal(n) / 4).astype(np.float32))  # noqa: E731
    y = d.add("Conv", x, d.weight(8, 8, 3, 3), d.weight(8, scale=0.1), pads=(1, 1, 1, 1))
    y = d.add("InstanceNormalization", y, gamma(8), d.weight(8, scale=0.1))
    y = d.add("Conv", y, d.weight(8, 8, 1, 1), d.weight(8, scale=0.1))
    y = d.add("GroupNormalization", y, gamma(8), d.weight(8, scale=0.1), num_groups=4)
    y = d.add("Conv", y, d.weight(8, 8, 1, 1), d.weight(8, scale=0.1))
    variance = d.constant(np.exp(d.rng.standard_normal(8) / 2).astype(np.float32))
    y = d.add("BatchNormalization", y, gamma(8), d.weight(8, scale=0.1), d.weight(8), variance)
    y = d.add("Transpose", y, perm=(0, 2, 3, 1))
    y = d.add("LayerNormalization", y, gamma(8), d.weight(8, scale=0.1))
    y = d.add("Reshape", y, np.array([0, 36, 8]))
    norm = d.add("ReduceL2", y, np.array([-1]), keepdims=1)
    y = d.add("Div", y, d.add("Max", norm, np.float32(1e-6)))
    largest = d.add("ReduceMax", y, np.array([1]), keepdims=0)
    mean = d.add("ReduceMean", y, np.array([1]), keepdims=0)
    return d.model(largest=(largest, FLOAT, ["batch", 8]), mean=(mean, FLOAT, ["batch", 8]))


def recurrences() -> ir.Model:
    """GRU in both variants, a bidirectional LSTM with a state, an RNN."""
    d = Drawing("recurrences", 5)
    x = d.input("x", FLOAT, ["batch", "length", 6])
    h = d.input("h", FLOAT, [1, "batch", 6])
    y = d.add("Transpose", x, perm=(1, 0, 2))

    spoken = d.add("Cast", d.add("Greater", d.add("ReduceMax", x, np.array([2]), keepdims=0),
                                 np.float32(0.8)), to=6)  # fmt: skip
    lengths = d.add("Max", d.add("ReduceSum", spoken, np.array([1]), keepdims=0), np.int32(1))

    def layer(
        operator: str, y: Any, directions: int, *more: Any, length: Any = None, **attributes: Any
    ) -> Any:
        gates = {"GRU": 3, "LSTM": 4, "RNN": 1}[operator]
        weights = [d.weight(directions, gates * 6, 6, scale=0.4) for _ in range(2)]
        bias = d.weight(directions, 2 * gates * 6, scale=0.2)
        y = d.add(operator, y, *weights, bias, length, *more, hidden_size=6, **attributes)
        if directions == 1:
            return d.add("Squeeze", y, np.array([1]))
        return d.add("ReduceSum", y, np.array([1]), keepdims=0)

    y = layer("GRU", y, 1, h, linear_before_reset=1)
    y = layer("GRU", y, 1, linear_before_reset=0)
    y = layer("LSTM", y, 2, direction="bidirectional")
    y = layer("RNN", y, 1, direction="reverse", length=lengths)
    y = d.add("Transpose", y, perm=(1, 0, 2))
    return d.model(y=(y, FLOAT, ["batch", "length", 6]))


def detector() -> ir.Model:
    """Boxes in pixels beside scores below one, the best of them, and their classes."""
    d = Drawing("detector", 6)
    x = d.input("x", FLOAT, ["batch", 3, 16, 16])
    y = d.add("Conv", x, d.weight(8, 3, 3, 3), d.weight(8, scale=0.1), pads=(1, 1, 1, 1),
              strides=(2, 2))  # fmt: skip
    y = d.add("Relu", y)
    y = d.add("Conv", y, d.weight(24, 8, 1, 1), d.weight(24, scale=0.3))
    y = d.add("Reshape", y, np.array([0, 24, 64]))
    y = d.add("Transpose", y, perm=(0, 2, 1))
    raw, classes = d.add("Split", y, np.array([4, 20]), outputs=2, axis=2)
    boxes = d.add("Mul", d.add("Sigmoid", raw), np.float32(600))
    corner, size = d.add("Split", boxes, np.array([2, 2]), outputs=2, axis=2)
    half = d.add("Mul", size, np.float32(0.5))
    ends = d.add("Concat", d.add("Sub", corner, half), d.add("Add", corner, half), axis=2)
    scores = d.add("Softmax", d.add("Mul", classes, np.float32(3.3333)))
    together = d.add("Concat", ends, scores, axis=2)
    best = d.add("ReduceMax", scores, np.array([2]), keepdims=0)
    top, index = d.add("TopK", best, np.array([5]), outputs=2, axis=1)
    label = d.add("ArgMax", scores, axis=2, keepdims=0)
    labels = d.add("GatherElements", label, index, axis=1)
    kept = d.add("Greater", best, np.float32(0.3))
    number = d.add("ReduceSum", d.add("Cast", kept, to=7), np.array([1]), keepdims=0)
    return d.model(
        predictions=(together, FLOAT, ["batch", 64, 24]),
        top=(top, FLOAT, ["batch", 5]),
        labels=(labels, INT64, ["batch", 5]),
        number=(number, INT64, ["batch"]),
    )


def integers() -> ir.Model:
    """Hashes, remainders, running sums and roundings of integers, beside an embedding of them."""
    d = Drawing("integers", 7)
    ids = d.input("ids", INT64, ["batch", 7])
    x = d.input("x", FLOAT, ["batch", 7])
    row = d.add("Gather", d.weight(300, 5, scale=1.0), ids)
    large = d.add("Mul", d.add("Add", ids, np.int64(40503)), np.int64(2654435761))
    hashed = d.add("Mod", large, np.int64(1009))
    signed = d.add("Sub", hashed, np.int64(500))
    half = d.add("Div", signed, np.int64(7))
    remainder = d.add("Mod", signed, np.int64(11))
    running = d.add("CumSum", half, np.int64(1))
    tenths = d.add("Mul", x, np.float32(2))
    rounded = d.add("Round", d.add("Div", d.add("Floor", d.add("Mul", tenths, np.float32(4))),
                                   np.float32(2)))  # fmt: skip
    cut = d.add("Cast", tenths, to=7)
    ceiling = d.add("Ceil", x)
    total = d.add("Add", d.add("Add", running, remainder), cut)
    floats = d.add("Add", d.add("Add", d.add("Cast", total, to=1), rounded), ceiling)
    even = d.add("Equal", d.add("Mod", ids, np.int64(2)), np.int64(0))
    chosen = d.add("Where", even, floats, x)
    scored = d.add("Mul", row, d.add("Unsqueeze", x, np.array([2])))
    y = d.add("ReduceSum", scored, np.array([1]), keepdims=0)
    largest = d.add("ArgMax", rounded, axis=1, keepdims=0)
    return d.model(
        y=(y, FLOAT, ["batch", 5]),
        z=(chosen, FLOAT, ["batch", 7]),
        total=(total, INT64, ["batch", 7]),
        largest=(largest, INT64, ["batch"]),
    )


def decoder() -> ir.Model:
    """Causal attention with grouped heads, rotary positions, a mask and a tied embedding."""
    d = Drawing("decoder", 8)
    ids = d.input("ids", INT64, ["batch", "length"])
    mask = d.input("mask", BOOL, ["batch", "length"])
    table = d.weight(50, 16, scale=1.0)
    x = d.add("Gather", table, ids)
    length = d.add("Squeeze", d.add("Slice", d.add("Shape", ids), np.array([1]), np.array([2])))
    position = d.add("Range", np.int64(0), length, np.int64(1))
    column = d.add("Unsqueeze", position, np.array([1]))
    causal = d.add("GreaterOrEqual", column, d.add("Unsqueeze", position, np.array([0])))
    allowed = d.add("And", d.add("Unsqueeze", causal, np.array([0])),
                    d.add("Unsqueeze", mask, np.array([1])))  # fmt: skip
    allowed = d.add("Or", allowed, d.add("Equal", column, np.int64(0)))
    angle = d.add("Mul", d.add("Cast", column, to=1), (10.0 ** -np.arange(0, 4)).astype(np.float32))
    cos, sin = d.add("Cos", angle), d.add("Sin", angle)

    def rotate(v: Any) -> Any:
        a, b = d.add("Split", v, np.array([4, 4]), outputs=2, axis=-1)
        first = d.add("Sub", d.add("Mul", a, cos), d.add("Mul", b, sin))
        second = d.add("Add", d.add("Mul", b, cos), d.add("Mul", a, sin))
        return d.add("Concat", first, second, axis=-1)

    heads = []
    for _ in range(2):
        q, k, v = (d.add("MatMul", x, d.weight(16, 8, scale=0.3)) for _ in range(3))
        k = d.add("Transpose", rotate(k), perm=(0, 2, 1))
        scores = d.add("Div", d.add("MatMul", rotate(q), k), np.float32(np.sqrt(8)))
        masked = d.add("Where", allowed, scores, np.float32(-1e9))
        heads.append(d.add("MatMul", d.add("Softmax", masked, axis=-1), v))
    y = d.add("Add", x, d.add("MatMul", d.add("Concat", *heads, axis=-1), d.weight(16, 16)))
    y = d.add("LayerNormalization", y, d.constant(np.ones(16, np.float32)), d.weight(16, scale=0.1))
    y = d.add("Add", y, d.add("Mul", d.add("Gelu", d.add("MatMul", y, d.weight(16, 16))),
                              d.constant(np.full(16, 1e-3, np.float32))))  # fmt: skip
    logits = d.add("MatMul", y, d.add("Transpose", table, perm=(1, 0)))
    return d.model(logits=(logits, FLOAT, ["batch", "length", 50]))


GRAPHS: dict[str, Callable[[], ir.Model]] = {
    graph.__name__: graph
    for graph in (resizer, pools, activations, normalisations, recurrences, detector, integers,
                  decoder)
}  # fmt: skip
