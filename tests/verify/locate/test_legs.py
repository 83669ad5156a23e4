"""The guilty part of a conversion is named: faults are planted in each."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import onnx_ir as ir
import pytest
import torch
from torch import nn

import converter
from tests.verify.locate.networks import FAULTS, inputs, network, with_fault
from tests.verify.models import run_in
from verify import verify
from verify.aside import Aside
from verify.report.location import Leg
from verify.runtimes import torch_recording


class Block(nn.Module):
    """Two layers with a GELU between them."""

    def __init__(self):
        super().__init__()
        self.up = nn.Linear(8, 16)
        self.act = nn.GELU()
        self.down = nn.Linear(16, 8)

    def forward(self, x):
        return self.down(self.act(self.up(x)))


class Net(nn.Module):
    """Two blocks and a head."""

    def __init__(self):
        super().__init__()
        self.first, self.second = Block(), Block()
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        return self.head(torch.tanh(self.second(self.first(x)) + x))


@pytest.fixture(scope="module")
def net():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(11)
        return Net().eval()


X = torch.linspace(-2, 2, 32).reshape(4, 8)


@contextmanager
def handler(registry, name, function):
    """Put a wrong handler in the place of the newest one."""
    versions = registry._handlers["", name]
    newest = max(versions)
    right = versions[newest]
    room = sys.modules[right.function.__module__]
    function.__module__, function.__name__ = room.__name__, f"planted_{name}"
    setattr(room, function.__name__, function)  # where the rebuilt program looks for it
    versions[newest] = replace(right, function=function)
    try:
        yield
    finally:
        versions[newest] = right
        delattr(room, function.__name__)


def traced(net) -> ir.Model:
    from converter.formats import from_live
    from converter.pipeline import Options, trace
    from converter.signature import parse_inputs

    return trace(from_live(net), parse_inputs(["x:float32[batch,8]"]), {}, Options(to="onnx"))


def test_a_changed_weight_is_the_weights_fault(net):
    graph = traced(net)
    broken = graph.clone()
    value = broken.graph.initializers["second.down.weight"]
    array = value.const_value.numpy().copy()
    array[1, 2] += 0.05
    value.const_value = ir.Tensor(array, name=value.name)
    report = verify(net, broken, data=(X,), graph=graph)
    assert report.location.leg is Leg.WEIGHTS, report
    assert report.location.origins[0].module_path == "second.down"
    assert "second.down.weight" in report.location.origins[0].weights


def test_a_wrong_handler_of_tensorflow_is_rebuilding(net, tmp_path):
    tf = pytest.importorskip("tensorflow")
    from converter.rebuild.tensorflow import load_handlers

    def gelu(x, *, approximate="none"):
        return tf.nn.gelu(x, approximate=True)

    with handler(load_handlers(), "Gelu", gelu):
        converter.convert(net, to="tf", inputs=["x:float32[batch,8]"], output=tmp_path / "out",
                          verify=False)  # fmt: skip
    report = verify(net, tmp_path / "out", data=(X,), graph=traced(net), weights=False)
    assert not report.passed
    assert report.location.leg is Leg.REBUILDING, report
    first = report.location.origins[0]
    assert (first.op, first.module_path) == ("Gelu", "first.act")
    assert "test_legs.py:" in first.source_line or first.source_line


def test_a_right_conversion_to_tensorflow_has_no_origin(net, tmp_path):
    pytest.importorskip("tensorflow")
    converter.convert(net, to="tf", inputs=["x:float32[batch,8]"], output=tmp_path / "out",
                      verify=False)  # fmt: skip
    report = verify(net, tmp_path / "out", data=(X,), graph=traced(net), deep=True)
    assert report.passed, report
    assert report.depth.nodes
    assert report.location is None


def test_a_wrong_handler_of_pytorch_is_told_by_the_witnesses(net, tmp_path):
    from converter.rebuild.pytorch import load_handlers

    def tanh(input):
        return torch.tanh(input) * 1.01

    graph = traced(net)
    with handler(load_handlers(), "Tanh", tanh):
        target = converter.convert(graph, to="torch", output=tmp_path / "out", verify=False)
        report = verify(graph, target.model, data={"x": X.numpy()}, deep=True)
        assert not report.passed
        assert report.location.leg is Leg.REBUILDING, report
        assert report.location.origins[0].op == "Tanh"


@pytest.mark.parametrize("held", [torch_recording.MOST_BYTES, 0], ids=["memory", "files"])
def test_a_wrong_trace_is_tracing_and_names_the_module(net, held, monkeypatch):
    monkeypatch.setattr(torch_recording, "MOST_BYTES", held)
    graph = traced(net)
    lie = graph.clone()
    gelus = [node for node in lie.graph if node.op_type == "Gelu"]
    gelus[1].op_type = "Mish"  # what a wrong translation would give
    gelus[1].attributes.clear()
    report = verify(net, lie, data=(X,), graph=lie)
    assert not report.passed
    assert report.location.leg is Leg.TRACING, report
    assert [node.op for node in report.location.origins] == ["Mish"]
    assert report.location.origins[0].module_path == "second.act"


def test_a_wrong_trace_that_tolerances_hide_is_seen_by_deep(net):
    lie = traced(net)
    gelu = next(node for node in lie.graph if node.op_type == "Gelu")
    gelu.attributes["approximate"] = ir.AttrString("approximate", "tanh")
    report = verify(net, lie, data=(X,), graph=lie, deep=True)
    assert not report.passed
    assert report.location.leg is Leg.TRACING, report
    assert [node.module_path for node in report.depth.origins] == ["first.act"]


def test_a_wrong_trace_of_a_file_is_found_in_its_worker(net, tmp_path):
    script = tmp_path / "mod.pt2"
    torch.export.save(torch.export.export(net, (X,)), script)
    lie = traced(net)
    next(n for n in lie.graph if n.op_type == "Tanh").op_type = "Softsign"
    report = verify(script, lie, data=(X,), graph=lie)
    assert report.location.leg is Leg.TRACING, report
    assert any("operator by operator" in name for name in report.location.witnesses)


def test_a_graph_against_its_mutant_needs_no_trace():
    model = network(9)
    report = verify(model, with_fault(model, "relu", FAULTS["leaky"].fault), inputs=inputs(9))
    assert report.location.leg is Leg.REBUILDING
    assert report.location.origins[0].node == "relu"
    assert "net.py:4" in str(report)


def test_no_locate_switches_it_off():
    model = network(9)
    mutant = with_fault(model, "relu", FAULTS["leaky"].fault)
    report = verify(model, mutant, inputs=inputs(9), locate=False)
    assert not report.passed
    assert report.location is None
    assert report.depth is None


def test_a_runtime_that_computes_something_else_is_the_runtime(monkeypatch):
    from verify.runtimes import onnxruntime_runtime

    model = network(9)
    fetch = onnxruntime_runtime.OnnxRunner.fetch

    def wrong(self, result):  # a runtime that gets one kernel wrong: what Tanh gives, and after
        outputs = fetch(self, result)
        return {n: a * np.float32(1.01) if n == "probabilities" else a for n, a in outputs.items()}

    monkeypatch.setattr(onnxruntime_runtime.OnnxRunner, "fetch", wrong)
    # A witness in a process of its own would be right.
    monkeypatch.setattr(Aside, "run", lambda self, *given, **_: run_in(*given))
    report = verify(model, network(9), inputs=inputs(9), runtime=["a=onnx_reference"])
    assert not report.passed
    assert report.location.leg is Leg.RUNTIME_B, report
    assert [node.node for node in report.location.origins] == ["softmax"]


def test_a_trace_of_the_target_that_is_not_the_target_accuses_nobody(net, monkeypatch):
    from verify.engine import Engine

    def wrong(self, signature):
        lie = traced(net)
        next(n for n in lie.graph if n.op_type == "Tanh").op_type = "Softsign"
        return lie

    monkeypatch.setattr(Engine, "graph", wrong)
    report = verify(net, net, data=(X,), graph=traced(net), deep=True)
    assert report.passed, report
    assert "its trace is" in report.depth.note
