"""Two models against each other: what is sound passes, each planted fault gets its row."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from converter.errors import InputSpecError, UnreadableModelError, UsageError
from converter.signature import Signature, TensorSpec
from tests.verify.models import FAULTS, classifier, saved
from verify import Stage, assert_equivalent, verify


def test_the_same_model_passes_over_seeds_and_sizes(source: Path) -> None:
    report = verify(source, source)
    assert report.passed
    assert [run.stage for run in report.runs] == [Stage.OK] * 9 + [Stage.NOTHING]
    assert {run.sizes["batch"] for run in report.runs} == {0, 1, 2, 3, 9}
    assert {run.seed for run in report.runs} == {0, 1, 2}
    assert report.outputs["logits"].max_abs == 0
    assert report.outputs["label"].dtype == "int64"
    assert report.a.runtime == "onnxruntime"
    assert report.a.peak_bytes > 10e6


@pytest.mark.parametrize("fault", FAULTS)
def test_planted_faults(fault: str) -> None:
    build, words = FAULTS[fault]
    report = verify(classifier(), build())
    assert not report.passed
    assert Stage.MISMATCH in [run.stage for run in report.runs]
    assert any(words in line for line in report.failures), report.failures
    with pytest.raises(AssertionError, match="FAILED: "):
        assert_equivalent(classifier(), build(), seeds=1)


def test_a_renamed_output_passes_only_if_the_user_says_so() -> None:
    renamed = classifier(output="scores")
    assert verify(classifier(), renamed, rename={"logits": "scores"}).passed
    assert not verify(classifier(), renamed, rename={"logits": "label"}).passed
    assert not verify(renamed, classifier(), rename={"logits": "scores"}).passed


def test_an_output_that_only_one_side_has_can_be_left_out() -> None:
    report = verify(classifier(), classifier(second=False), ignore=["label"])
    assert report.passed
    assert set(report.outputs) == {"logits"}
    assert not verify(classifier(second=False), classifier()).passed


def test_data_of_the_user(source: Path, tmp_path: Path, generator) -> None:
    x = generator.standard_normal((6, 4)).astype(np.float32)
    np.savez(tmp_path / "data.npz", x=x)
    for given in ({"data": tmp_path / "data.npz"}, {"data": (x,)}, {"data": {"x": x}}):
        report = verify(source, source, **given)
        assert report.passed
        assert report.outputs["logits"].shape == (6, 3)
        assert len(report.runs) == 1
    for wrong in ({"y": x}, {"x": x.astype(np.float64)}, {"x": x[:, :3]}, {"x": x, "y": x}):
        with pytest.raises(InputSpecError):
            verify(source, source, inputs=wrong)
    with pytest.raises(UsageError):
        verify(source, source, inputs=(x,), data=tmp_path / "data.npz")


def test_the_declared_inputs_are_laid_over_the_models_own(source: Path) -> None:
    report = verify(source, source, inputs=["x:float32[7<=rows<=7,4]"])
    assert {tuple(run.sizes.items()) for run in report.runs} == {(("rows", 7),)}
    with pytest.raises(InputSpecError, match="no input called 'z'"):
        verify(source, source, inputs=["z:float32[n,4]"])
    with pytest.raises(InputSpecError, match="is declared as"):
        verify(source, source, inputs=["x:float32[4]"])
    report = verify(source, source, sizes={"batch": [2, 5]})
    assert {run.sizes["batch"] for run in report.runs} == {2, 5}


def test_a_missing_or_foreign_file_is_refused(source: Path, tmp_path: Path) -> None:
    with pytest.raises(UnreadableModelError, match="missing.onnx"):
        verify(source, tmp_path / "missing.onnx")
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"0" * 64)
    with pytest.raises(UnreadableModelError, match="picture.png"):
        verify(tmp_path / "picture.png", source)


def test_a_size_that_both_refuse_is_a_note_and_one_that_b_refuses_a_failure() -> None:
    frozen = classifier(second=False)
    frozen.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 3
    both = verify(frozen, frozen, signature=_signature())
    stages = {run.sizes["batch"]: run.stage for run in both.runs}
    assert stages == dict.fromkeys((0, 1, 2, 9), Stage.REFUSED) | {3: Stage.OK}
    assert both.passed
    assert any("both refuse" in note for note in both.findings)
    one = verify(classifier(second=False), frozen, signature=_signature())
    assert not one.passed
    assert {run.side for run in one.runs if run.stage is Stage.RUN} == {"b"}


def test_nothing_compared_is_not_passed() -> None:
    frozen = classifier(second=False)
    frozen.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 4
    report = verify(frozen, frozen, signature=_signature())
    assert {run.stage for run in report.runs} == {Stage.REFUSED}
    assert not report.passed
    assert any("nothing was compared" in line for line in report.failures)


def _signature() -> Signature:
    return Signature((TensorSpec("x", shape=("batch", 4)),), ())


def test_a_declared_permutation_is_undone_and_no_other(generator) -> None:
    torch = pytest.importorskip("torch")
    from verify.matching import View, as_source, feed

    signature = Signature((TensorSpec("x", shape=("n", 3, 8, 9)),), ())
    own = TensorSpec("x", shape=("n", 8, 9, 3), permutation=(0, 2, 3, 1))
    target = View("b", Signature((own,), (TensorSpec("y", permutation=(0, 2, 1)),)), ["x"])
    x = generator.standard_normal((2, 3, 8, 9)).astype(np.float32)
    fed = feed(signature, target, {}, [])({"x": x})["x"]
    assert fed.shape == (2, 8, 9, 3)
    assert np.array_equal(fed, torch.from_numpy(x).permute(0, 2, 3, 1).numpy())
    y = generator.standard_normal((4, 5, 6))
    assert np.array_equal(as_source(y.transpose(0, 2, 1), target.output("y")), y)
    assert as_source(y, TensorSpec("y")) is y


def test_a_declared_carrier_dtype_is_undone(generator) -> None:
    from verify.matching import View, as_source, feed

    signature = Signature((TensorSpec("x", "uint16", (3,)),), ())
    own = TensorSpec("x", "uint16", (3,), carried_as="int32")
    view = View("b", Signature((own,)), ["x"])
    x = generator.integers(0, 60000, 3).astype(np.uint16)
    assert feed(signature, view, {}, [])({"x": x})["x"].dtype == np.int32
    assert as_source(x.astype(np.int32), own).dtype == np.uint16
    assert as_source(x.astype(np.int64), own).dtype == np.int64  # not what was declared


def test_live_modules_of_pytorch_are_known_by_order_and_left_as_they_were() -> None:
    torch = pytest.importorskip("torch")
    module = torch.nn.Sequential(
        torch.nn.Linear(4, 8), torch.nn.BatchNorm1d(8), torch.nn.Dropout(0.5)
    )
    module.train()
    twin = copy.deepcopy(module)
    x = torch.randn(5, 4)
    assert_equivalent(module, twin, x)
    assert_equivalent(module, twin, (x,))
    assert_equivalent(module, twin, inputs="input:float32[batch,4]")
    assert module.training
    assert module[1].num_batches_tracked == 0
    with torch.no_grad():
        twin[0].bias[2] += 0.01
    with pytest.raises(AssertionError, match="elements differ"):
        assert_equivalent(module, twin, x)


def test_two_models_that_say_nothing_need_inputs() -> None:
    torch = pytest.importorskip("torch")
    module = torch.nn.Linear(4, 3)
    with pytest.raises(UsageError, match="what its inputs look like") as caught:
        verify(module, module)
    assert "--input" in caught.value.hint


def test_an_index_is_bounded_by_the_table_that_the_source_reads() -> None:
    torch = pytest.importorskip("torch")
    table = torch.nn.Embedding(50, 3)
    report = verify(table, table, inputs="input:int64[batch]", sizes={"batch": [300]})
    assert report.passed
    assert not any("0 and 1" in note for note in report.findings)
    short = torch.nn.Embedding.from_pretrained(table.weight[:40])
    report = verify(table, short, inputs="input:int64[batch]", sizes={"batch": [300]})
    assert {run.side for run in report.runs if run.stage is Stage.RUN} == {"b"}


def test_integers_of_which_nothing_is_known_are_noted() -> None:
    torch = pytest.importorskip("torch")

    class Doubled(torch.nn.Module):
        def forward(self, number):
            return 2 * number

    report = verify(Doubled(), Doubled(), inputs="number:int64[batch]")
    assert report.passed
    assert any("'number'" in note and "of its dtype int64" in note for note in report.findings)


def test_runtimes_are_chosen_and_wrong_ones_refused(source: Path) -> None:
    report = verify(source, source, runtime="b=onnx_reference")
    assert (report.a.runtime, report.b.runtime) == ("onnxruntime", "onnx_reference")
    assert report.passed
    with pytest.raises(UsageError, match="unknown runtime 'spark'"):
        verify(source, source, runtime="spark")
    with pytest.raises(UsageError, match="runs neither side"):
        verify(source, source, runtime="keras")
    with pytest.raises(UsageError, match="no side 'c'"):
        verify(source, source, runtime="c=onnxruntime")


@pytest.mark.parametrize(
    "wrong",
    [{"tolerance": "loose"}, {"rtol": -1.0}, {"atol": float("nan")}, {"timeout": 0},
     {"max_slowdown": 0.0}, {"seeds": 0}, {"device": "tpu"}],
)  # fmt: skip
def test_arguments_that_make_no_sense(source: Path, wrong: dict) -> None:
    with pytest.raises(UsageError):
        verify(source, source, **wrong)


def test_latency_gate(source: Path) -> None:
    report = verify(source, source, latency=True)
    assert report.passed
    assert report.latency.a.runs >= 20
    assert report.latency.ratio > 0
    assert not verify(source, source, max_slowdown=1e-9).passed
    assert verify(source, source, max_slowdown=1e9).passed


def test_many_steps_are_told(source: Path) -> None:
    told: list[str] = []
    verify(source, source, progress=told.append)
    assert told[0].startswith("loading")
    assert sum(line.startswith("running") for line in told) == 10


@pytest.fixture
def embedding() -> Callable[[int], onnx.ModelProto]:
    """Return what builds a graph that reads row ``ids`` of a table of so many rows."""

    def build(rows: int) -> onnx.ModelProto:
        table = np.arange(rows * 2, dtype=np.float32).reshape(rows, 2)
        from onnx import TensorProto, helper, numpy_helper

        graph = helper.make_graph(
            [helper.make_node("Gather", ["table", "ids"], ["y"])],
            "embedding",
            [helper.make_tensor_value_info("ids", TensorProto.INT64, ["batch"])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 2])],
            [numpy_helper.from_array(table, "table")],
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)

    return build


def test_indices_reach_the_whole_table_and_not_beyond(embedding, tmp_path: Path) -> None:
    model = saved(embedding(3), tmp_path / "three.onnx")
    report = verify(model, model, sizes={"batch": [200]})
    assert report.passed
    assert report.findings == []
    assert report.outputs["y"].max_abs == 0
    changed = embedding(3)
    table = changed.graph.initializer[0]
    table.CopyFrom(
        onnx.numpy_helper.from_array(np.array([[0, 1], [2, 3], [4, 9]], np.float32), "table")
    )
    assert not verify(model, changed, sizes={"batch": [200]}).passed
