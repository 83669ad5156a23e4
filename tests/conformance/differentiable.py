"""Samples of every differentiable operator in float64, for both frameworks.

The inputs keep away from kinks and ties, where a finite difference says nothing.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from onnx import helper

from tests.conformance.samples import Sample


class Draw:
    """Random inputs in float64."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def real(self, *shape: int) -> np.ndarray:
        """Between -2 and 2, and 0.1 away from the whole and half numbers, where kinks are."""
        x = self.rng.uniform(-2, 2, shape)
        near = np.round(x * 2) / 2
        return np.where(np.abs(x - near) < 0.1, near + 0.1 + (x - near) * 0.5, x)

    def positive(self, *shape: int) -> np.ndarray:
        return self.rng.uniform(0.5, 2, shape)

    def inside(self, *shape: int) -> np.ndarray:
        return self.rng.uniform(-0.8, 0.8, shape)

    def distinct(self, *shape: int) -> np.ndarray:
        """No two closer than 0.05: nothing ties."""
        count = int(np.prod(shape))
        return (self.rng.permutation(count) * 0.05 + 0.02).reshape(shape)

    def below(self, limit: int, *shape: int) -> np.ndarray:
        return self.rng.integers(0, limit, shape)


def ints(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def unary(names: str, draw: str = "real", **attributes) -> dict:
    def make(name: str) -> Callable[[Draw], Sample]:
        return lambda d: Sample(name, (getattr(d, draw)(2, 3),), attributes)

    return {name: make(name) for name in names.split()}


def binary(names: str, draw: str = "real") -> dict:
    def make(name: str) -> Callable[[Draw], Sample]:
        return lambda d: Sample(name, (getattr(d, draw)(2, 3), getattr(d, draw)(3)), wrt=(0, 1))

    return {name: make(name) for name in names.split()}


def reductions() -> dict:
    names = "Sum Mean Max Min Prod L1 L2 SumSquare LogSum LogSumExp"
    draws = {"Max": "distinct", "Min": "distinct", "LogSum": "positive", "Prod": "positive"}

    def make(name: str) -> Callable[[Draw], Sample]:
        draw = draws.get(name, "real")
        return lambda d: Sample(f"Reduce{name}", (getattr(d, draw)(2, 3, 2), ints(1)))

    return {f"Reduce{name}": make(name) for name in names.split()}


def resizes() -> dict:
    modes = {
        "nearest": {"mode": "nearest"},
        "linear": {"mode": "linear"},
        "cubic": {"mode": "cubic"},
        "antialias": {"mode": "linear", "antialias": 1},
        "crop": {"mode": "linear", "coordinate_transformation_mode": "align_corners"},
    }
    scales = np.array([1, 1, 0.6, 1.7], dtype=np.float32)

    def make(attributes: dict) -> Callable[[Draw], Sample]:
        return lambda d: Sample("Resize", (d.real(1, 2, 5, 4), None, scales), attributes)

    return {f"Resize_{name}": make(attributes) for name, attributes in modes.items()}


def pads() -> dict:
    def make(mode: str) -> Callable[[Draw], Sample]:
        return lambda d: Sample("Pad", (d.real(3, 4), ints(1, 2, 1, 0)), {"mode": mode})

    return {f"Pad_{mode}": make(mode) for mode in ("constant", "reflect", "edge", "wrap")}


def recurrent() -> dict:
    gates = {"RNN": 1, "GRU": 3, "LSTM": 4}

    def make(name: str, **attributes) -> Callable[[Draw], Sample]:
        g = gates[name] * 2

        def draw(d: Draw) -> Sample:
            weights = (d.inside(1, g, 2), d.inside(1, g, 2), d.inside(1, 2 * g))
            attrs = {"hidden_size": 2, **attributes}
            return Sample(name, (d.real(3, 2, 2), *weights), attrs, wrt=(0, 1, 2, 3), outputs=2)

        return draw

    return {
        **{name: make(name) for name in gates},
        "GRU_linear_before_reset": make("GRU", linear_before_reset=1),
        "LSTM_clip": make("LSTM", clip=5.0),
    }


def conv(d: Draw) -> Sample:
    attributes = {"strides": [2, 1], "pads": [1, 0, 1, 1], "group": 2}
    return Sample(
        "Conv", (d.real(1, 4, 5, 5), d.real(2, 2, 3, 2), d.real(2)), attributes, wrt=(0, 1, 2)
    )


def conv_transpose(d: Draw) -> Sample:
    attributes = {"strides": [2, 1], "pads": [1, 0, 0, 1], "output_padding": [1, 0]}
    inputs = (d.real(1, 2, 3, 3), d.real(2, 2, 3, 2), d.real(2))
    return Sample("ConvTranspose", inputs, attributes, wrt=(0, 1, 2))


def deform_conv(d: Draw) -> Sample:
    inputs = (d.real(1, 2, 4, 4), d.real(2, 2, 2, 2), d.rng.uniform(0.2, 0.4, (1, 8, 3, 3)))
    mask = d.positive(1, 4, 3, 3)
    attributes = {"kernel_shape": [2, 2], "pads": [0, 0, 0, 0]}
    return Sample("DeformConv", (*inputs, None, mask), attributes, wrt=(0, 1, 2, 4))


def normalization(name: str, *extra: tuple[int, ...], **attributes) -> Callable[[Draw], Sample]:
    def draw(d: Draw) -> Sample:
        inputs = (d.real(2, 4, 3), *(d.positive(*shape) for shape in extra))
        return Sample(name, inputs, attributes, wrt=tuple(range(len(inputs))))

    return draw


def grid_sample(mode: str) -> Callable[[Draw], Sample]:
    def draw(d: Draw) -> Sample:
        inputs = (d.real(1, 2, 4, 4), d.inside(1, 3, 3, 2))
        return Sample("GridSample", inputs, {"mode": mode}, wrt=(0, 1))

    return draw


def attention(**attributes) -> Callable[[Draw], Sample]:
    def draw(d: Draw) -> Sample:
        shape = (1, 2, 3, 4)
        inputs = (d.real(*shape), d.real(*shape), d.real(*shape), d.real(3, 3))
        return Sample("Attention", inputs, attributes, wrt=(0, 1, 2, 3))

    return draw


def flex_attention(d: Draw) -> Sample:
    inputs = tuple(d.real(1, 2, 3, 4) for _ in range(3))
    return Sample("FlexAttention", inputs, domain="ai.onnx.preview", wrt=(0, 1, 2))


def linear_attention(d: Draw) -> Sample:
    inputs = tuple(d.inside(1, 3, 4) for _ in range(3))
    attributes = {"q_num_heads": 2, "kv_num_heads": 2, "update_rule": "linear"}
    return Sample("LinearAttention", inputs, attributes, outputs=2, wrt=(0, 1, 2), single=True)


def rotary(d: Draw) -> Sample:
    inputs = (d.real(1, 2, 3, 4), d.real(1, 3, 2), d.real(1, 3, 2))
    return Sample("RotaryEmbedding", inputs, wrt=(0, 1, 2))


def loss(name: str) -> Callable[[Draw], Sample]:
    def draw(d: Draw) -> Sample:
        scores, labels = d.real(4, 3, 2), d.below(3, 4, 2)
        labels[0, 0] = 0  # a mean over ignored labels alone is NaN
        inputs = (scores, labels, d.positive(3))
        return Sample(name, inputs, {"ignore_index": 1}, wrt=(0,))

    return draw


def roi_align(mode: str) -> Callable[[Draw], Sample]:
    def draw(d: Draw) -> Sample:
        rois = np.array([[0.3, 0.4, 3.1, 3.7], [1.2, 0.1, 4.4, 2.9]])
        attributes = {"output_height": 2, "output_width": 2, "sampling_ratio": 2, "mode": mode}
        return Sample("RoiAlign", (d.distinct(2, 2, 5, 5), rois, ints(0, 1)), attributes)

    return draw


def pool(name: str, **attributes) -> Callable[[Draw], Sample]:
    attributes = {"kernel_shape": [2, 3], "strides": [1, 2], "pads": [1, 0, 0, 1], **attributes}
    return lambda d: Sample(name, (d.distinct(1, 2, 5, 6) + 0.1,), attributes)


def scan(d: Draw) -> Sample:
    """Multiply a state by each row."""
    body = helper.make_graph(
        [helper.make_node("Mul", ["a", "b"], ["c"])],
        "body",
        [helper.make_tensor_value_info(n, 11, [2]) for n in ("a", "b")],
        [helper.make_tensor_value_info("c0", 11, [2]), helper.make_tensor_value_info("c", 11, [2])],
    )
    body.node.append(helper.make_node("Identity", ["c"], ["c0"]))
    attributes = {"body": body, "num_scan_inputs": 1}
    return Sample("Scan", (d.real(2), d.real(3, 2)), attributes, outputs=2, wrt=(0, 1))


SAMPLES: dict[str, Callable[[Draw], Sample]] = {
    **unary(
        "Abs Atan Asinh Cos Cosh Elu Erf Exp HardSigmoid HardSwish Identity LeakyRelu Mish Neg"
    ),
    **unary("Relu Selu Sigmoid Sin Sinh Softplus Softsign Tanh Celu Gelu Swish ThresholdedRelu"),
    **unary("Shrink LogSoftmax Softmax Flatten Transpose Trilu"),
    **unary("Log Sqrt Reciprocal", "positive"),
    **unary("Acos Asin Atanh Tan", "inside"),
    "Acosh": lambda d: Sample("Acosh", (1 + d.positive(2, 3),)),
    "Gelu_tanh": lambda d: Sample("Gelu", (d.real(2, 3),), {"approximate": "tanh"}),
    **binary("Add Sub Mul PRelu"),
    **binary("Div Pow", "positive"),
    "Max": lambda d: Sample("Max", tuple(np.split(d.distinct(2, 2, 3), 2)), wrt=(0, 1)),
    "Min": lambda d: Sample("Min", tuple(np.split(d.distinct(2, 2, 3), 2)), wrt=(0, 1)),
    "Mean": lambda d: Sample("Mean", (d.real(2, 3), d.real(3), d.real(2, 1)), wrt=(0, 1, 2)),
    "Sum": lambda d: Sample("Sum", (d.real(2, 3), d.real(3), d.real(2, 1)), wrt=(0, 1, 2)),
    "Mod": lambda d: Sample("Mod", (d.real(2, 3), np.full(3, 0.7)), {"fmod": 1}),
    "Clip": lambda d: Sample("Clip", (d.real(3, 3), np.array(-1.0), np.array(1.0))),
    "SwiGLU": lambda d: Sample("SwiGLU", (d.real(2, 3), d.real(2, 3)), wrt=(0, 1)),
    **reductions(),
    "CumSum": lambda d: Sample("CumSum", (d.real(2, 3), np.array(1)), {"reverse": 1}),
    "CumProd": lambda d: Sample("CumProd", (d.positive(2, 3), np.array(1)), {"exclusive": 1}),
    "MatMul": lambda d: Sample("MatMul", (d.real(2, 2, 3), d.real(3, 2)), wrt=(0, 1)),
    "Gemm": lambda d: Sample(
        "Gemm",
        (d.real(3, 2), d.real(4, 3), d.real(4)),
        {"transA": 1, "transB": 1, "alpha": 0.5},
        wrt=(0, 1, 2),
    ),
    "Einsum": lambda d: Sample(
        "Einsum", (d.real(2, 3), d.real(3, 4)), {"equation": "ij,jk->ik"}, wrt=(0, 1)
    ),
    "Det": lambda d: Sample("Det", (d.real(2, 3, 3),)),
    "DFT": lambda d: Sample("DFT", (d.real(1, 5, 1),), {"onesided": 1}),
    "STFT": lambda d: Sample("STFT", (d.real(1, 8, 1), np.array(2), d.positive(4)), wrt=(0, 2)),
    "Conv": conv,
    "ConvTranspose": conv_transpose,
    "DeformConv": deform_conv,
    "CausalConvWithState": lambda d: Sample(
        "CausalConvWithState",
        (d.real(1, 2, 4), d.real(2, 1, 3), d.real(2)),
        outputs=2,
        wrt=(0, 1, 2),
    ),
    "Col2Im": lambda d: Sample("Col2Im", (d.real(1, 4, 9), ints(4, 4), ints(2, 2))),
    "AveragePool": pool("AveragePool"),
    "AveragePool_counted": pool("AveragePool", count_include_pad=1, ceil_mode=1),
    "MaxPool": pool("MaxPool"),
    "LpPool": pool("LpPool"),
    "GlobalAveragePool": lambda d: Sample("GlobalAveragePool", (d.real(1, 2, 3, 3),)),
    "GlobalMaxPool": lambda d: Sample("GlobalMaxPool", (d.distinct(1, 2, 3, 3),)),
    "GlobalLpPool": lambda d: Sample("GlobalLpPool", (d.real(1, 2, 3, 3),)),
    "MaxUnpool": lambda d: Sample(
        "MaxUnpool",
        (d.real(1, 1, 2, 2), ints(0, 3, 8, 15).reshape(1, 1, 2, 2)),
        {"kernel_shape": [2, 2], "strides": [2, 2]},
    ),
    "MaxRoiPool": lambda d: Sample(
        "MaxRoiPool",
        (d.distinct(1, 2, 5, 5), np.array([[0.0, 0, 1, 3, 4]])),
        {"pooled_shape": [2, 2]},
    ),
    "RoiAlign": roi_align("avg"),
    "RoiAlign_max": roi_align("max"),
    # Nothing is learned through the running statistics.
    "BatchNormalization": lambda d: Sample(
        "BatchNormalization", (d.real(2, 4, 3), *(d.positive(4) for _ in range(4))), wrt=(0, 1, 2)
    ),
    "InstanceNormalization": normalization("InstanceNormalization", (4,), (4,)),
    "LayerNormalization": normalization("LayerNormalization", (3,), (3,)),
    "GroupNormalization": normalization("GroupNormalization", (4,), (4,), num_groups=2),
    "RMSNormalization": normalization("RMSNormalization", (3,)),
    "LpNormalization": normalization("LpNormalization"),
    "LRN": normalization("LRN", size=3),
    "MeanVarianceNormalization": normalization("MeanVarianceNormalization", axes=[0, 2]),
    **recurrent(),
    "Attention": attention(),
    "Attention_softcap": attention(softcap=2.0),
    "Attention_causal": attention(is_causal=1),
    "FlexAttention": flex_attention,
    "LinearAttention": linear_attention,
    "RotaryEmbedding": rotary,
    "NegativeLogLikelihoodLoss": loss("NegativeLogLikelihoodLoss"),
    "SoftmaxCrossEntropyLoss": loss("SoftmaxCrossEntropyLoss"),
    "Scan": scan,
    **resizes(),
    "Upsample": lambda d: Sample(
        "Upsample", (d.real(1, 1, 2, 2), np.array([1, 1, 2, 2], np.float32)), version=9
    ),
    "GridSample": grid_sample("linear"),
    "GridSample_cubic": grid_sample("cubic"),
    "AffineGrid": lambda d: Sample("AffineGrid", (d.real(1, 2, 3), ints(1, 2, 3, 3))),
    **pads(),
    "CenterCropPad": lambda d: Sample("CenterCropPad", (d.real(4, 3), ints(2, 5))),
    "Concat": lambda d: Sample("Concat", (d.real(2, 3), d.real(2, 2)), {"axis": 1}, wrt=(0, 1)),
    "Split": lambda d: Sample("Split", (d.real(2, 4), ints(1, 3)), {"axis": 1}, outputs=2),
    "Slice": lambda d: Sample(
        "Slice", (d.real(3, 4), ints(2, 0), ints(-4, 3), ints(0, 1), ints(-1, 2))
    ),
    "Compress": lambda d: Sample(
        "Compress", (d.real(3, 2), np.array([True, False, True])), {"axis": 0}
    ),
    "DepthToSpace": lambda d: Sample("DepthToSpace", (d.real(1, 4, 2, 2),), {"blocksize": 2}),
    "SpaceToDepth": lambda d: Sample("SpaceToDepth", (d.real(1, 1, 4, 4),), {"blocksize": 2}),
    "Expand": lambda d: Sample("Expand", (d.real(3, 1), ints(2, 3, 2))),
    "Tile": lambda d: Sample("Tile", (d.real(2, 2), ints(2, 3))),
    "Reshape": lambda d: Sample("Reshape", (d.real(2, 6), ints(3, -1))),
    "Squeeze": lambda d: Sample("Squeeze", (d.real(2, 1, 3), ints(1))),
    "Unsqueeze": lambda d: Sample("Unsqueeze", (d.real(2, 3), ints(0, -1))),
    "Gather": lambda d: Sample("Gather", (d.real(4, 3), d.below(4, 2, 2)), {"axis": 0}),
    "GatherElements": lambda d: Sample("GatherElements", (d.real(4, 3), d.below(4, 2, 3))),
    "GatherND": lambda d: Sample("GatherND", (d.real(3, 2, 2), d.below(2, 2, 2))),
    "ScatterElements": lambda d: Sample(
        "ScatterElements", (d.real(4, 3), ints(0, 2, 3)[None], d.real(1, 3)), wrt=(0, 2)
    ),
    "ScatterElements_add": lambda d: Sample(
        "ScatterElements",
        (d.real(4, 3), ints(0, 2, 3)[None], d.real(1, 3)),
        {"reduction": "add"},
        wrt=(0, 2),
    ),
    "ScatterND": lambda d: Sample(
        "ScatterND", (d.real(4, 3), ints(1, 3)[:, None], d.real(2, 3)), wrt=(0, 2)
    ),
    "TensorScatter": lambda d: Sample(
        "TensorScatter", (d.real(2, 1, 4, 2), d.real(2, 1, 2, 2), ints(0, 2)), wrt=(0, 1)
    ),
    "ReverseSequence": lambda d: Sample("ReverseSequence", (d.real(4, 2), ints(3, 2))),
    "TopK": lambda d: Sample("TopK", (d.distinct(3, 4), ints(2)), outputs=2),
    "Where": lambda d: Sample("Where", (d.below(2, 2, 3) > 0, d.real(2, 3), d.real(3)), wrt=(1, 2)),
}
