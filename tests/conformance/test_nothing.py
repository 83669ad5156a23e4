"""Operators on tensors of no elements: both frameworks give the shape that ONNX says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from converter.errors import RebuildError
from converter.onnx_backend import PyTorchBackend, TensorFlowBackend
from tests.conformance.samples import Sample, model_of


def zeros(*shape: int) -> np.ndarray:
    return np.zeros(shape, np.float32)


def recurrent(op: str, gates: int, length: int, batch: int) -> Sample:
    inputs = (zeros(length, batch, 3), zeros(1, gates * 4, 3), zeros(1, gates * 4, 4))
    return Sample(op, inputs, {"hidden_size": 4}, outputs=2)


def sizes(*numbers: int) -> np.ndarray:
    return np.array(numbers, np.int64)


PLANES, ROWS, CHANNELS = zeros(0, 2, 5, 5), zeros(1, 2, 0, 5), zeros(2, 0, 5, 5)
STEPS = np.zeros((2, 1), np.int64)
CEILING = {"strides": [2, 2], "ceil_mode": 1}
HEADS = {"q_num_heads": 2, "kv_num_heads": 2}
ONE_SIDED_BACK = {"inverse": 1, "onesided": 1}
CASES: list[tuple[Sample, list[tuple[int, ...]]]] = [
    (Sample("Conv", (PLANES, zeros(4, 2, 3, 3), zeros(4)), {"pads": [1] * 4}), [(0, 4, 5, 5)]),
    (Sample("Conv", (PLANES, zeros(4, 1, 3, 3)), {"group": 2}), [(0, 4, 3, 3)]),
    (
        Sample("Conv", (PLANES, zeros(4, 2, 3, 3)), {"auto_pad": "SAME_UPPER", "strides": [2, 2]}),
        [(0, 4, 3, 3)],
    ),
    (Sample("Conv", (ROWS, zeros(4, 2, 3, 3)), {"pads": [2, 1, 2, 1]}), [(1, 4, 2, 5)]),
    (Sample("Conv", (ROWS, zeros(4, 2, 1, 1))), [(1, 4, 0, 5)]),
    (Sample("InstanceNormalization", (PLANES, zeros(2), zeros(2))), [(0, 2, 5, 5)]),
    (
        Sample("BatchNormalization", (zeros(2, 0, 3), zeros(0), zeros(0), zeros(0), zeros(0))),
        [(2, 0, 3)],
    ),
    (Sample("LRN", (PLANES,), {"size": 3}), [(0, 2, 5, 5)]),
    (Sample("Unique", (zeros(2, 0, 3),), {"axis": 0}, outputs=4), [(1, 0, 3), (1,), (2,), (1,)]),
    (Sample("MatMul", (zeros(2, 0), zeros(0, 3))), [(2, 3)]),
    (Sample("Gemm", (zeros(2, 0), zeros(0, 3), zeros(3))), [(2, 3)]),
    (Sample("Gemm", (zeros(0, 2), zeros(3, 0), zeros(3)), {"transA": 1, "transB": 1}), [(2, 3)]),
    *((recurrent(op, g, 0, 2), [(0, 1, 2, 4), (1, 2, 4)]) for op, g in (("RNN", 1), ("GRU", 3))),
    (recurrent("LSTM", 4, 0, 2), [(0, 1, 2, 4), (1, 2, 4)]),
    (recurrent("GRU", 3, 3, 0), [(3, 1, 0, 4), (1, 0, 4)]),
    (Sample("Resize", (PLANES, None, np.array([1, 1, 2, 0.7], np.float32))), [(0, 2, 10, 3)]),
    (Sample("MaxPool", (PLANES,), {"kernel_shape": [2, 2]}), [(0, 2, 4, 4)]),
    (Sample("MaxPool", (ROWS,), {"kernel_shape": [1, 2]}, outputs=2), [(1, 2, 0, 4)] * 2),
    (Sample("MaxPool", (ROWS,), {"kernel_shape": [2, 2], "pads": [1, 0, 1, 0]}), [(1, 2, 1, 4)]),
    (Sample("MaxPool", (CHANNELS,), {"kernel_shape": [2, 2], **CEILING}), [(2, 0, 3, 3)]),
    (Sample("AveragePool", (ROWS,), {"kernel_shape": [1, 2]}), [(1, 2, 0, 4)]),
    (Sample("AveragePool", (CHANNELS,), {"kernel_shape": [2, 2], **CEILING}), [(2, 0, 3, 3)]),
    (Sample("LpPool", (PLANES,), {"kernel_shape": [2, 2]}), [(0, 2, 4, 4)]),
    (Sample("GlobalMaxPool", (ROWS,)), [(1, 2, 1, 1)]),
    (
        Sample("ConvTranspose", (ROWS, zeros(2, 4, 3, 3), zeros(4)), {"pads": [0, 1, 0, 1]}),
        [(1, 4, 2, 5)],
    ),
    (
        Sample("ConvTranspose", (PLANES, zeros(2, 2, 3, 3)), {"group": 2, "strides": [2, 2]}),
        [(0, 4, 11, 11)],
    ),
    (Sample("DeformConv", (PLANES, zeros(4, 2, 3, 3), zeros(0, 18, 3, 3))), [(0, 4, 3, 3)]),
    (Sample("Col2Im", (zeros(0, 8, 9), sizes(4, 4), sizes(2, 2))), [(0, 2, 4, 4)]),
    (Sample("Reshape", (zeros(0, 3, 4), sizes(0, -1))), [(0, 12)]),
    (Sample("Reshape", (zeros(0, 3, 4), sizes(0, -1, 2))), [(0, 6, 2)]),
    (Sample("Reshape", (zeros(3, 0, 4), sizes(-1, 0, 2))), [(6, 0, 2)]),
    (Sample("Reshape", (zeros(0, 3), sizes(-1, 4))), [(0, 4)]),
    (Sample("Hardmax", (zeros(3, 0),)), [(3, 0)]),
    (Sample("DynamicQuantizeLinear", (zeros(0, 3),), outputs=3), [(0, 3), (), ()]),
    (Sample("Resize", (PLANES, None, None, sizes(0, 2, 7, 7)), {"mode": "cubic"}), [(0, 2, 7, 7)]),
    (Sample("NonMaxSuppression", (zeros(1, 5, 4), zeros(1, 0, 5), sizes(2))), [(0, 3)]),
    (Sample("NonMaxSuppression", (zeros(0, 5, 4), zeros(0, 2, 5), sizes(2))), [(0, 3)]),
    (Sample("RoiAlign", (zeros(1, 2, 5, 5), zeros(0, 4), sizes())), [(0, 2, 1, 1)]),
    (Sample("AffineGrid", (zeros(0, 2, 3), sizes(0, 1, 4, 5))), [(0, 4, 5, 2)]),
    (Sample("STFT", (zeros(0, 8, 1), np.array(2), None, np.array(4))), [(0, 3, 3, 2)]),
    (Sample("DFT", (zeros(0, 8, 2), None, np.array(1)), {"inverse": 1}), [(0, 8, 2)]),
    (Sample("DFT", (zeros(0, 8, 1), None, np.array(1)), {"onesided": 1}), [(0, 5, 2)]),
    (Sample("DFT", (zeros(0, 5, 2), np.array(7), np.array(1)), ONE_SIDED_BACK), [(0, 7, 1)]),
    (Sample("ScatterND", (zeros(3, 0), STEPS, zeros(2, 0)), {"reduction": "max"}), [(3, 0)]),
    (
        Sample("Attention", (zeros(0, 3, 8),) * 3, {"q_num_heads": 2, "kv_num_heads": 2}),
        [(0, 3, 8)],
    ),
    (
        Sample(
            "RotaryEmbedding",
            (zeros(0, 3, 8), zeros(0, 3, 2), zeros(0, 3, 2)),
            {"num_heads": 2},
        ),
        [(0, 3, 8)],
    ),
]


@pytest.mark.parametrize("backend", [PyTorchBackend, TensorFlowBackend], ids=["torch", "tf"])
@pytest.mark.parametrize(("sample", "shapes"), CASES, ids=lambda item: getattr(item, "op", ""))
def test_nothing_has_its_shape(sample: Sample, shapes: list, backend: Any) -> None:
    results = backend.run_model(model_of(sample), sample.arrays())
    assert [np.shape(result) for result in results] == shapes


@pytest.mark.parametrize("backend", [PyTorchBackend, TensorFlowBackend], ids=["torch", "tf"])
@pytest.mark.parametrize("training", [0, 1])
def test_batch_normalization_of_mixed_types(training: int, backend: Any) -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((4, 3, 5)).astype(np.float16)
    scale, bias = (rng.uniform(0.5, 1, 3).astype(np.float32) for _ in range(2))
    mean, var = (rng.uniform(0.5, 1, 3) for _ in range(2))
    attributes = {"training_mode": training}
    outputs = 3 if training else 1
    sample = Sample("BatchNormalization", (x, scale, bias, mean, var), attributes, outputs=outputs)
    y, *moved = backend.run_model(model_of(sample), sample.arrays())
    wide = x.astype(np.float64)
    m, v = (wide.mean((0, 2)), wide.var((0, 2))) if training else (mean, var)
    wanted = (wide - m[:, None]) / np.sqrt(v[:, None] + 1e-5) * scale[:, None] + bias[:, None]
    assert y.dtype == np.float16
    assert [statistic.dtype for statistic in moved] == [np.dtype("float64")] * 2 * training
    np.testing.assert_allclose(y, wanted, rtol=1e-2, atol=1e-2)


def test_what_tensorflow_cannot_trace_names_the_node() -> None:
    sample = Sample("MaxPool", (zeros(1, 2, 1, 5),), {"kernel_shape": [2, 2]})
    model = model_of(sample)
    model.graph.node[0].name = "pools/first"
    module = TensorFlowBackend.prepare(model).module
    with pytest.raises(RebuildError, match="MaxPool") as caught:
        module.signatures()
    assert caught.value.node == "pools/first"
