"""Small models for the verifier's tests, and the faults that it must find in them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
from onnx import TensorProto, helper, numpy_helper

from converter.formats import Source
from verify.runtimes import load

SHAPE = ["batch", 4]


def classifier(
    *,
    weight_change: float = 0.0,
    output: str = "logits",
    second: bool = True,
    tail: Callable[[], list[onnx.NodeProto]] | None = None,
    output_type: int = TensorProto.FLOAT,
    output_shape: tuple = ("batch", 3),
    input_name: str = "x",
) -> onnx.ModelProto:
    """Build ``x -> MatMul, Add -> logits`` and ``ArgMax -> label``; ``tail`` spoils the logits.

    Args:
        tail: nodes from ``sum`` to the output ``out``.
    """
    generator = np.random.default_rng(7)
    weight = generator.standard_normal((4, 3)).astype(np.float32)
    weight[1, 2] += weight_change
    bias = generator.standard_normal(3).astype(np.float32)
    nodes = [
        helper.make_node("MatMul", [input_name, "weight"], ["product"]),
        helper.make_node("Add", ["product", "bias"], ["sum"]),
        *(tail() if tail else [helper.make_node("Identity", ["sum"], ["out"])]),
        helper.make_node("Identity", ["out"], [output]),
    ]
    outputs = [helper.make_tensor_value_info(output, output_type, list(output_shape))]
    if second:
        nodes.append(helper.make_node("ArgMax", ["sum"], ["label"], axis=1, keepdims=0))
        outputs.append(helper.make_tensor_value_info("label", TensorProto.INT64, ["batch"]))
    graph = helper.make_graph(
        nodes,
        "classifier",
        [helper.make_tensor_value_info(input_name, TensorProto.FLOAT, SHAPE)],
        outputs,
        [numpy_helper.from_array(weight, "weight"), numpy_helper.from_array(bias, "bias")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    return model


def run_in(runtime: str, graph: ir.Model, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Run a graph in a runtime in this process and return its outputs by name."""
    runner = load(runtime).open(Source("onnx", "onnx_model", graph), "cpu", None)
    return runner.fetch(runner.call(runner.prepare(dict(inputs))))


def saved(model: onnx.ModelProto, path: Path) -> Path:
    """Write a model and return its path."""
    onnx.save(model, path)
    return path


def node(op: str, inputs: list[str], **attributes: object) -> list[onnx.NodeProto]:
    """Return one node that ends in ``out``."""
    return [helper.make_node(op, inputs, ["out"], **attributes)]


def constant(name: str, value: np.ndarray) -> onnx.NodeProto:
    """Return a constant."""
    return helper.make_node("Constant", [], [name], value=numpy_helper.from_array(value))


def _not_a_number() -> list[onnx.NodeProto]:
    """Divide zero by zero in the first column."""
    zero = constant("mask", np.array([0, 1, 1], np.float32))
    return [zero, helper.make_node("Mul", ["sum", "mask"], ["masked"]),
            helper.make_node("Div", ["masked", "mask"], ["out"])]  # fmt: skip


FAULTS: dict[str, tuple[Callable[[], onnx.ModelProto], str]] = {
    "one weight changed": (lambda: classifier(weight_change=1e-3), "elements differ by more than"),
    "transposed": (
        lambda: classifier(
            tail=lambda: node("Transpose", ["sum"], perm=[1, 0]), output_shape=(3, "batch")
        ),
        "matches if transposed (1,0)",
    ),
    "NaN": (lambda: classifier(tail=_not_a_number), "NaN instead of 0"),
    "dtype": (
        lambda: classifier(
            tail=lambda: node("Cast", ["sum"], to=TensorProto.DOUBLE),
            output_type=TensorProto.DOUBLE,
        ),
        "dtype float64 instead of float32",
    ),
    "shape": (
        lambda: classifier(
            tail=lambda: [
                constant("axes", np.array([1])), *node("Unsqueeze", ["sum", "axes"]),
            ],
            output_shape=("batch", 1, 3),
        ),
        "matches if reshaped",
    ),
    "missing output": (lambda: classifier(second=False), "b has no such output"),
    "renamed output": (lambda: classifier(output="scores"), "b has no such output"),
    "one label off": (
        lambda: _label_off(),
        "label: 3 of 3 elements differ; most at",
    ),
}  # fmt: skip
"""Name of the fault to the spoilt model and what the report must say."""


def _label_off() -> onnx.ModelProto:
    model = classifier()
    argmax = next(item for item in model.graph.node if item.op_type == "ArgMax")
    argmax.op_type = "ArgMin"
    return model


WORKER_FAULTS = '''
import os, time
import torch


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(4, 3)

    def forward(self, x):
        return self.linear(x)


def net():
    return Net()


class Aborting(Net):
    def forward(self, x):
        os.abort()


class Exiting(Net):
    def forward(self, x):
        os._exit(5)


class Hanging(Net):
    def forward(self, x):
        time.sleep(600)


class Raising(Net):
    def forward(self, x):
        raise ValueError("the third layer is missing")


class Starving(Net):
    def forward(self, x):
        return torch.empty(1 << 62, dtype=torch.uint8)


class OnlySmall(Net):
    def forward(self, x):
        if len(x) > 4:
            raise ValueError("too many rows")
        return self.linear(x)


class CrashingOnce(Net):
    """Crashes for one row and works for more."""

    def forward(self, x):
        if len(x) == 1:
            os.abort()
        return self.linear(x)


class Talking(Net):
    """Writes to standard output by every way there is."""

    def forward(self, x):
        print('{"ok": true}')
        os.write(1, b"chatter\\n")
        os.system("echo child")
        return self.linear(x)


def loading_forever():
    time.sleep(600)


def dying_at_load():
    os._exit(9)
'''
"""A module whose factories build networks that go wrong, each in its own way."""
