"""A report with something in every section, without running any model."""

from __future__ import annotations

import math

from verify.report.location import Depth, Leg, Location, NodeComparison, NodeStatus
from verify.report.proof import Match, WeightMatch, WeightProof
from verify.report.result import (
    Latency,
    OutputComparison,
    Report,
    Run,
    Side,
    SizeTiming,
    Stage,
    Timing,
)
from verify.report.training import GradientComparison, LossCurve, TrainingParity

HISTOGRAM = (2, 0, 0, 0, 1, 40, 900, 2400, 600, 50, 7, 0, 0, 0, 0, 0)
SECONDS = tuple(0.001 * (1 + 0.02 * (index * 7 % 11)) for index in range(40))

LINE = NodeComparison(
    6, "node_gelu", "Gelu", "gelu", 3.1e-4, 2.2e-7, 8.8e-7, NodeStatus.ORIGIN,
    "encoder.layers.1.activation", "models/block.py:31", (), "gelu_2",
)  # fmt: skip


def nodes() -> tuple[NodeComparison, ...]:
    """Return a dozen nodes of an encoder of which the seventh is wrong."""
    rows = []
    for index in range(12):
        layer, place = divmod(index, 4)
        name = ("norm", "linear", "activation", "out")[place]
        path, line = f"encoder.layers.{layer}.{name}", f"models/block.py:{28 + place}"
        if index == LINE.index:
            rows.append(LINE)
        elif index == 9:
            rows.append(NodeComparison(index, "node_fused", "MatMul", "fused", math.nan, 1e-7, 4e-7,
                                       NodeStatus.UNSEEN, path, line))  # fmt: skip
        else:
            after = index > LINE.index
            error = 2.7e-4 if after else 1.6e-7 * (1 + index / 3)
            status = NodeStatus.PROPAGATED if after else NodeStatus.OK
            op = ("LayerNormalization", "MatMul", "Gelu", "MatMul")[place]
            weights = (f"{path}.weight",) if place != 2 else ()
            rows.append(NodeComparison(index, f"node_{index}", op, f"value_{index}", error, 2e-7,
                                       8e-7, status, path, line, weights))  # fmt: skip
    return tuple(rows)


def training(passed: bool = True) -> TrainingParity:
    """Return a training parity with one wrong gradient, or without."""
    gradients = (
        GradientComparison("encoder.layers.0.out.weight", "parameter", 1e-7, 2e-7, 1e-5, True),
        GradientComparison("head.bias", "parameter", 0.0 if passed else 0.3,
                           0.0 if passed else 0.5, 1e-5, passed, "" if passed else "it is half"),
        GradientComparison("bn.running_mean", "statistic", 1e-8, 1e-8, 1e-6, True),
    )  # fmt: skip
    curves = (
        LossCurve("sgd", "float32", (2.3, 2.1, 1.95, 1.84), (2.3, 2.1, 1.95, 1.84), 1e-4, True),
        LossCurve("adam", "float64", (2.3, 1.9, 1.5, 1.2),
                  (2.3, 1.9, 1.5, 1.2 if passed else 1.6), 1e-9, passed),
    )  # fmt: skip
    return TrainingParity("cross entropy against random classes", gradients, curves)


def everything() -> Report:
    """Return a failed report of an encoder: every section has something to show."""
    a = Side("a", "encoder.pt2", "torch", "exported_program", "exported_program",
             versions={"torch": "2.13.0"}, load_seconds=0.8, peak_bytes=412_000_000)  # fmt: skip
    b = Side("b", "encoder_tf", "tensorflow", "saved_model", "saved_model",
             versions={"tensorflow": "2.21.0"}, peak_bytes=655_000_000)  # fmt: skip
    sound = OutputComparison(
        "pooled", "float32", (2, 64), 1e-6, 2e-7, 4e-7, 1.0, 128.0, 0, 4000, 2e-5,
        "8 times the source's own error", noise=3e-7, rms=3e-7, rms_limit=5e-6, noise_rms=2e-7,
        histogram=HISTOGRAM, compared=4000,
    )  # fmt: skip
    wrong = OutputComparison(
        "hidden", "float32", (2, 16, 64), 3.3e-4, 4e-5, 2.9e-4, 0.999998, 61.0, 37, 2048, 8e-6,
        "8 times the source's own error", False, "37 of 2048 elements differ by more than 8e-06",
        noise=9e-7, rms=6e-5, rms_limit=4e-6, noise_rms=6e-7,
        histogram=(0, 0, 0, 0, 0, 0, 11, 400, 900, 600, 120, 17, 0, 0, 0, 0), compared=2048,
    )  # fmt: skip
    outputs = {"pooled": sound, "hidden": wrong}
    runs = [
        Run("seed 0", 0, {"batch": 2}, Stage.MISMATCH, "", "", outputs, {"a": 0.01, "b": 0.02}),
        Run("seed 1", 1, {"batch": 9}, Stage.OK, "", "", {"pooled": sound}, {"a": 0.01, "b": 0.1}),
        Run("seed 2", 2, {"batch": 1}, Stage.CRASH, "b", "the process was ended by SIGSEGV"),
    ]
    weights = WeightProof(
        (
            WeightMatch("encoder.layers.0.linear.weight", (64, 64), Match.PERMUTED,
                        "encoder/layers_0/kernel", (1, 0)),
            WeightMatch("encoder.layers.0.norm.weight", (64,), Match.SAME, "norm/gamma"),
            WeightMatch("head.bias", (10,), Match.DIFFERENT, "head/bias", None,
                        "element 3 is 0.25 in a and 0 in b"),
        ),
        ("step",), "",
    )  # fmt: skip
    location = Location(
        Leg.REBUILDING, "ONNX Runtime agrees with a on the graph between the two", (LINE,),
        {"onnxruntime": "agrees with a", "onnx_reference": "agrees with a"}, "repro/node_gelu",
    )  # fmt: skip
    latency = Latency(
        Timing(0.0011, 0.0012, 40, 0.0013, SECONDS),
        Timing(0.0023, 0.003, 40, 0.004, tuple(2.1 * value for value in SECONDS)), 2.1, 1.2,
        "seed 0", (1.9, 2.2), 12, sweep=(SizeTiming("batch", 1, Timing(0.001, 0.001, 9),
                                                    Timing(0.002, 0.002, 9), 2.0, (1.8, 2.3)),),
    )  # fmt: skip
    return Report(
        a, b, runs, ["nothing tells which integers 'ids' may hold: 0 and 1 were used"], latency,
        weights, Depth(nodes(), "seed 0, batch=2", "1 value is fused away"), location,
        training(False),
    )  # fmt: skip
