"""TensorBoard's event files, read back as TensorBoard reads them."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest
import torch
from onnx import TensorProto, helper
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto.graph_pb2 import GraphDef

from converter.errors import MissingFrameworkError, OutputError
from tests.verify import fabricated
from tests.verify.models import classifier, saved
from verify.locate.histogram import histogram
from verify.report.location import Depth
from verify.report.outline import outline
from verify.report.result import HISTOGRAM_EDGES
from verify.verification import verify


def read(folder: Path) -> EventAccumulator:
    events = EventAccumulator(str(folder), size_guidance={"histograms": 0, "scalars": 0})
    events.Reload()
    return events


def test_what_was_found_reads_back(tmp_path: Path) -> None:
    report = fabricated.everything()
    node = replace(fabricated.LINE, histogram=report.outputs["hidden"].histogram)
    report.depth = Depth(tuple(node if n.index == 6 else n for n in fabricated.nodes()))
    report.to_tensorboard(tmp_path)
    report.to_tensorboard(tmp_path)  # replaces, and does not add to, what is there

    events = read(tmp_path / "comparison")
    assert [(e.step, e.value) for e in events.Scalars("error/hidden")] == [
        (0, pytest.approx(2.9e-4))
    ]
    errors = {e.step: e.value for e in events.Scalars("network/error")}
    assert errors[6] == pytest.approx(3.1e-4)
    assert 9 not in errors  # the node that was not seen
    layer = "layers/encoder/layers/1/activation/node_gelu"
    assert {"outputs/hidden", "outputs/pooled", layer} == set(events.Tags()["histograms"])
    (found,) = events.Histograms(layer)
    value = found.histogram_value
    assert value.num == sum(node.histogram)
    counts = dict(zip(value.bucket_limit, value.bucket, strict=True))
    # Of the bin from 1e-4 to 1e-3: its upper edge in decades is -3.
    assert counts[-3.0] == node.histogram[HISTOGRAM_EDGES.index(1e-3) + 1] == 120
    assert value.min <= -6 <= value.max

    curves = {label: read(tmp_path / label) for label in "ab"}
    losses = {label: [e.value for e in curve.Scalars("loss/adam float64")]
              for label, curve in curves.items()}  # fmt: skip
    assert losses["a"] == pytest.approx([2.3, 1.9, 1.5, 1.2])
    assert losses["b"] == pytest.approx([2.3, 1.9, 1.5, 1.6])
    medians = [curves[label].Scalars("latency/median seconds")[0].value for label in "ab"]
    assert medians == pytest.approx([0.0011, 0.0023])
    every = [e.value for e in curves["a"].Scalars("latency/seconds")]
    assert every == pytest.approx(fabricated.SECONDS)


def test_both_graphs_are_there(tmp_path: Path) -> None:
    a = saved(classifier(), tmp_path / "a.onnx")
    b = saved(classifier(second=False), tmp_path / "b.onnx")
    report = verify(a, b, seeds=1, tolerance="fixed", sizes={"batch": [2]}, graphs=True)
    assert "graphs" not in report.to_data()
    report.to_tensorboard(tmp_path / "tb")
    for label, ops in {"a": {"MatMul", "Add", "ArgMax"}, "b": {"MatMul", "Add"}}.items():
        graph = GraphDef.FromString(read(tmp_path / "tb" / label).Graph().SerializeToString())
        operators = {node.op for node in graph.node} - {"Placeholder", "Const", "Identity"}
        assert operators == ops
        (product,) = [node for node in graph.node if node.op == "MatMul"]
        assert list(product.input) == ["x", "weight"]
        names = [node.name for node in graph.node]
        assert len(set(names)) == len(names)
        assert all(name.split(":")[0] in names for node in graph.node for name in node.input)


def loop() -> ir.Model:
    """Build a loop whose body reads a value from around it; node names are missing or alike."""
    body = helper.make_graph(
        [helper.make_node("Add", ["v", "outer"], ["w"], name="same")], "body",
        [helper.make_tensor_value_info("i", TensorProto.INT64, []),
         helper.make_tensor_value_info("c", TensorProto.BOOL, []),
         helper.make_tensor_value_info("v", TensorProto.FLOAT, ["n"])],
        [helper.make_tensor_value_info("c", TensorProto.BOOL, []),
         helper.make_tensor_value_info("w", TensorProto.FLOAT, ["n"])],
    )  # fmt: skip
    graph = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["outer"], name="same"),
         helper.make_node("Split", ["x"], ["p", "q"], num_outputs=2, axis=0),
         helper.make_node("Loop", ["trips", "", "q"], ["y"], body=body)],
        "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n"]),
              helper.make_tensor_value_info("trips", TensorProto.INT64, [])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n"])],
    )  # fmt: skip
    model = ir.from_proto(helper.make_model(graph))
    next(iter(model.graph)).metadata_props["equiport.module_path"] = "block.0"
    return model


def test_the_outline_of_a_graph() -> None:
    nodes = {node.name: node for node in outline(loop())}
    assert nodes["block/0/same"].op == "Relu"
    assert nodes["block/0/same"].facts == (("equiport.module_path", "block.0"),)
    assert nodes["Loop/body/same"].inputs == ("Loop/body/v", "block/0/same")
    assert nodes["Loop"].inputs[:2] == ("trips", "Split:1")
    assert nodes["x"].shape == ("n",)
    assert nodes["x"].dtype == "float"


def test_a_histogram_of_two_values(generator: np.random.Generator) -> None:
    a = torch.tensor(generator.normal(size=(4, 6)))
    a[0, 0] = 8.0  # the largest
    b = a.clone()
    b[1, 2] += 8e-5
    b[3, 3] = torch.nan
    counts = histogram(a, b, None)
    assert sum(counts) == 24
    assert counts[0] == 22
    assert counts[-1] == 1
    assert counts[HISTOGRAM_EDGES.index(1e-4) + 1] + counts[HISTOGRAM_EDGES.index(1e-5) + 1] == 1
    turned = histogram(a, b.T, ("permuted", (1, 0), (6, 4)))
    assert turned == counts
    assert histogram(a, b.T, None) == ()
    assert sum(histogram(a, b.flatten().flip(0), ("scrambled", (), ()))) == 24
    assert histogram([a], b, None) == ()


def test_neither_framework_is_needed(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom tests.verify import fabricated\n"
        f"fabricated.everything().to_tensorboard({str(tmp_path)!r})\n"
        "print(sorted({'torch', 'tensorflow'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120,
                          cwd=Path(__file__).parents[2], check=True)  # fmt: skip
    assert done.stdout.strip() == "[]"


def test_what_stands_in_the_way_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file"):
        fabricated.everything().to_tensorboard(tmp_path / "file")
    monkeypatch.setattr("verify.report.tensorboard.find_spec", lambda name: None)
    with pytest.raises(MissingFrameworkError, match="tensorboard") as caught:
        fabricated.everything().to_tensorboard(tmp_path)
    assert "equiport[tensorboard]" in caught.value.hint
