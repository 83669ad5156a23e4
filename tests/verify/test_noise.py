"""The source's own noise: measured against float64, believed where rounding explains it."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import TensorProto, helper, numpy_helper

from verify import verify
from verify.judgement import trusted
from verify.noise import DRAWS, Reference, in_float64

pytest.importorskip("torch")

LAYERS = 40


def deep(generator: np.random.Generator, fault: float = 0.0) -> onnx.ModelProto:
    """Build a chain of matrix products that amplifies rounding: far apart from float64."""
    nodes, weights = [], []
    value = "x"
    for index in range(LAYERS):
        weight = generator.standard_normal((32, 32)) / np.sqrt(32) * 1.4
        if index == LAYERS // 2:
            weight[3, 4] += fault
        weights.append(numpy_helper.from_array(weight.astype(np.float32), f"w{index}"))
        nodes.append(helper.make_node("MatMul", [value, f"w{index}"], [f"m{index}"]))
        nodes.append(helper.make_node("Sin", [f"m{index}"], [f"s{index}"]))
        value = f"s{index}"
    scale = numpy_helper.from_array(np.array(0.5, np.float32))
    nodes.append(helper.make_node("Constant", [], ["scale"], value=scale))
    nodes.append(helper.make_node("Mul", [value, "scale"], ["y"]))
    shape = ["batch", 32]
    graph = helper.make_graph(
        nodes, "deep", [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)], weights,
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def evaluate(model: onnx.ModelProto, x: np.ndarray, dtype: type) -> np.ndarray:
    """Run the chain in NumPy."""
    for index in range(LAYERS):
        weight = numpy_helper.to_array(model.graph.initializer[index])
        x = np.sin(x.astype(dtype) @ weight.astype(dtype))
    return x * dtype(0.5)


def test_the_float64_copy_is_exact_and_the_graph_stays_as_it_is(generator) -> None:
    from converter.rebuild.pytorch import build

    torch = pytest.importorskip("torch")
    proto = deep(generator)
    model = ir.serde.deserialize_model(proto)
    x = generator.standard_normal((5, 32))
    result = build(in_float64(model))(torch.from_numpy(x))
    assert result.dtype == torch.float64
    expected = evaluate(proto, x, np.float64)
    assert np.abs(result.numpy() - expected).max() < 1e-12
    assert model.graph.inputs[0].dtype == ir.DataType.FLOAT
    assert np.abs(evaluate(proto, x, np.float32) - expected).max() > 1e-9


def test_noise_is_the_distance_from_float64(generator) -> None:
    proto = deep(generator)
    x = generator.standard_normal((5, 32)).astype(np.float32)
    single, double = evaluate(proto, x, np.float32), evaluate(proto, x, np.float64)
    reference = Reference(ir.serde.deserialize_model(proto))
    noise = reference.noise({"x": x}, {"y": single})["y"]
    error = np.abs(single - double)
    assert noise.source_max == pytest.approx(error.max(), rel=1e-6)
    assert noise.source_rms == pytest.approx(np.sqrt((error**2).mean()), rel=1e-6)
    assert noise.relative == pytest.approx(error.max() / np.abs(double).max(), rel=1e-6)
    assert noise.credible


def test_random_rounding_is_as_noisy_as_rounding(generator) -> None:
    proto = deep(generator)
    x = generator.standard_normal((5, 32)).astype(np.float32)
    reference = Reference(ir.serde.deserialize_model(proto))
    noise = reference.noise({"x": x}, {"y": evaluate(proto, x, np.float32)})["y"]
    while noise.more():
        pass
    assert noise.count == 1 + sum(DRAWS)
    assert 0.2 < noise.ratio < 3


def test_random_rounding_leaves_what_is_exact(generator) -> None:
    torch = pytest.importorskip("torch")
    from verify.random_rounding import RandomRounding

    integers = torch.arange(1000.0)
    with RandomRounding(1):
        assert torch.equal(integers * 3 + 1, torch.arange(1.0, 3001.0, 3.0))
        assert torch.equal(torch.cat([integers / 4, integers / 4])[:1000] * 4, integers)
    x = torch.from_numpy(generator.standard_normal(1000).astype(np.float32))
    with RandomRounding(1):
        moved = x * 1.1
    steps = (moved - x * 1.1).abs() / (x * 1.1).abs()
    assert 0.05 < float((steps > 0).float().mean()) < 0.25
    assert float(steps.max()) < 2.4e-7


def test_a_fault_of_the_graph_is_not_believed_to_be_noise(generator) -> None:
    state = generator.bit_generator.state
    proto = deep(generator)
    generator.bit_generator.state = state
    wrong = deep(generator, fault=0.05)
    x = generator.standard_normal((5, 32)).astype(np.float32)
    source = evaluate(proto, x, np.float32)
    right = Reference(ir.serde.deserialize_model(proto)).noise({"x": x}, {"y": source})["y"]
    assert trusted(right)
    noise = Reference(ir.serde.deserialize_model(wrong)).noise({"x": x}, {"y": source})["y"]
    assert not trusted(noise)
    assert noise.ratio > 10


def test_a_noisy_model_passes_with_its_graph_and_a_fault_does_not(generator) -> None:
    """Digits cancel: legitimate errors of 1e-4, far beyond the table."""
    torch = pytest.importorskip("torch")
    weight = torch.from_numpy(generator.standard_normal((32, 32)).astype(np.float32))
    far = 1e4

    class Cancelling(torch.nn.Module):
        def __init__(self, first: float, fault: float = 0.0) -> None:
            super().__init__()
            self.first, self.fault = first, fault

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return (x @ weight + self.first) - self.first + self.fault

    nodes = [
        helper.make_node("MatMul", ["x", "weight"], ["product"]),
        helper.make_node("Add", ["product", "far"], ["sum"]),
        helper.make_node("Sub", ["sum", "far"], ["y"]),
    ]
    weights = [
        numpy_helper.from_array(weight.numpy(), "weight"),
        numpy_helper.from_array(np.array(far, np.float32), "far"),
    ]
    infos = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["batch", 32]) for n in "xy"]
    proto = helper.make_model(
        helper.make_graph(nodes, "cancelling", infos[:1], infos[1:], weights),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=9,
    )
    graph, inputs = ir.serde.deserialize_model(proto), "x:float32[batch,32]"
    source, target = Cancelling(far), Cancelling(5000.0)
    assert not verify(source, target, inputs=inputs, tolerance="fixed").passed
    report = verify(source, target, inputs=inputs, graph=graph)
    assert report.passed, report.failures
    assert report.outputs["y"].noise > 2e-6
    assert "the source itself differs" in report.outputs["y"].limit_reason
    assert not verify(source, Cancelling(5000.0, 0.05), inputs=inputs, graph=graph).passed


def test_without_pytorch_numpy_tells_the_noise(generator, monkeypatch) -> None:
    """Live graphs in ONNX Runtime; PyTorch is taken to be missing."""
    pytest.importorskip("onnxruntime")
    from verify import runtimes
    from verify.executions import InNumPy

    there = runtimes.installed
    monkeypatch.setattr(runtimes, "installed", lambda name: name != "torch" and there(name))
    proto, other = deep(generator), onnx.ModelProto()
    graph = ir.serde.deserialize_model(proto)
    assert isinstance(Reference(graph).runs, InNumPy)
    other.CopyFrom(proto)
    assert verify(proto, other, graph=graph, seeds=1, weights=False, locate=False).passed
    weight = numpy_helper.to_array(proto.graph.initializer[-1]).copy()
    weight[0, 0] += 1e-4
    changed = numpy_helper.from_array(weight, f"w{LAYERS - 1}")
    other.graph.initializer[LAYERS - 1].CopyFrom(changed)
    report = verify(proto, other, graph=graph, seeds=1, weights=False, locate=False)
    assert not report.passed
    assert "noise allows" in report.failures[0]


def test_a_handler_that_is_wrong_in_reference_and_target_alike_is_seen(generator) -> None:
    """The reference is rebuilt with the same handlers as a target of PyTorch."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnxruntime")
    from unittest.mock import patch

    from converter.rebuild.pytorch import build

    proto = deep(generator)
    graph = ir.serde.deserialize_model(proto)
    right = torch.sin
    options = {"graph": graph, "seeds": 1, "weights": False, "locate": False}
    assert verify(proto, build(graph), **options).passed
    with patch("torch.sin", lambda x: right(x) * 1.00001):
        report = verify(proto, build(graph), **options)
    assert not report.passed
    assert any("is not what a computes" in finding for finding in report.findings)


def test_a_graph_that_lies_is_a_finding_and_loosens_nothing(generator) -> None:
    torch = pytest.importorskip("torch")

    class Bent(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = torch.nn.Linear(16, 16), torch.nn.Linear(16, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.second(torch.nn.functional.gelu(self.first(x)))

    torch.manual_seed(int(generator.integers(1 << 30)))
    source, inputs = Bent(), "x:float32[batch,16]"
    from converter.formats import from_live
    from converter.pipeline import Options, trace
    from converter.signature import parse_inputs

    graph = trace(from_live(source), parse_inputs([inputs]), {}, Options(to="onnx"))
    options = {"inputs": inputs, "seeds": 1, "weights": False, "locate": False}
    report = verify(source, graph, graph=graph, **options)
    assert report.passed, report.failures
    assert not any("is not what a computes" in finding for finding in report.findings)
    lie = graph.clone()
    for node in lie.graph:
        if node.op_type == "Gelu":
            node.attributes["approximate"] = ir.AttrString("approximate", "tanh")
    report = verify(source, lie, graph=lie, **options)
    assert not report.passed
    assert any("is not what a computes" in finding for finding in report.findings)
    assert verify(source, graph, graph=lie, **options).passed
