"""A runtime that is another way to run the same model is that way indeed, not the default again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from converter.errors import MissingFrameworkError
from tests.verify.models import classifier
from verify import Stage, verify

torch = pytest.importorskip("torch")
tf = pytest.importorskip("tensorflow")
keras = pytest.importorskip("keras")

INPUT = "x:float32[batch,4]"


class Telling(torch.nn.Module):
    """Gives another result where it is compiled."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * (2 if torch.compiler.is_compiling() else 1)


class Double(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * 2


def test_torch_compile_runs_what_was_compiled_whatever_the_number_of_shapes() -> None:
    sizes = {"batch": list(range(1, 13))}  # more than PyTorch's own limit of 8
    options = {"inputs": INPUT, "sizes": sizes, "seeds": 1}
    report = verify(Double(), Telling(), runtime="b=torch_compile", **options)
    assert report.passed, report.failures
    assert len({run.sizes["batch"] for run in report.runs}) == 12
    assert not verify(Double(), Telling(), **options).passed


def test_torch_compile_takes_a_program_from_a_file(tmp_path: Path) -> None:
    program = torch.export.export(torch.nn.Linear(4, 3).eval(), (torch.randn(2, 4),))
    torch.export.save(program, tmp_path / "model.pt2")
    path = tmp_path / "model.pt2"
    report = verify(path, path, runtime="b=torch_compile", seeds=1)
    assert report.passed, report.failures
    assert (report.a.runtime, report.b.runtime) == ("exported_program", "torch_compile")


def test_torch_compile_without_a_compiler_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "/no/such/compiler")
    with pytest.raises(MissingFrameworkError, match=r"C\+\+ compiler.*/no/such/compiler"):
        verify(Double(), Double(), inputs=INPUT, runtime="torch_compile")


def test_eager_tensorflow_builds_no_graph_and_puts_the_setting_back() -> None:
    @tf.function
    def telling(x: Any) -> Any:
        return x * (2 if tf.executing_eagerly() else 1)

    report = verify(Double(), telling, inputs=INPUT, runtime="b=tensorflow_eager", seeds=1)
    assert report.passed, report.failures
    assert not tf.config.functions_run_eagerly()
    assert not verify(Double(), telling, inputs=INPUT, seeds=1).passed


class TellingLayer(keras.layers.Layer):
    def call(self, x: Any) -> Any:
        return x * (2.0 if tf.executing_eagerly() else 1.0)


def test_eager_keras_builds_no_graph() -> None:
    x = keras.Input((4,), name="x")
    model = keras.Model(x, TellingLayer()(x))
    report = verify(Double(), model, inputs=INPUT, runtime="b=tensorflow_eager", seeds=1)
    assert report.passed, report.failures
    assert not verify(Double(), model, inputs=INPUT, seeds=1).passed


def test_xla_compiles_the_whole() -> None:
    """Texts are what XLA knows nothing of: as long as it really compiles, they must fail."""

    def through_text(x: Any) -> Any:
        return tf.strings.to_number(tf.strings.as_string(x * 2, precision=9))

    report = verify(Double(), tf.function(through_text), inputs=INPUT, atol=1e-3, rtol=0, seeds=1)
    assert report.passed, report.failures
    compiled = verify(
        Double(), tf.function(through_text), inputs=INPUT, runtime="b=tensorflow_xla", seeds=1
    )
    stages = {run.stage for run in compiled.runs if run.sizes.get("batch") != 0}
    assert stages == {Stage.RUN}  # no rows may be refused by whoever likes
    empty = [run.stage for run in compiled.runs if run.sizes.get("batch") == 0]
    assert empty == [Stage.REFUSED]
    assert "XLA" in compiled.failures[0]


def test_keras_compiled_by_xla(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((4,), name="x"), keras.layers.Dense(3)])
    model.save(tmp_path / "model.keras")
    for target in (model, tmp_path / "model.keras"):
        report = verify(model, target, runtime="b=tensorflow_xla", seeds=1)
        assert report.passed, report.failures
        assert report.b.runtime == "tensorflow_xla"


def test_onnx_runtime_leaves_the_graph_alone_where_asked(tmp_path: Path) -> None:
    from converter.formats import from_live
    from verify import runtimes

    levels = {}
    for name in ("onnxruntime", "onnxruntime_unoptimised"):
        runner = runtimes.load(name).open(from_live(classifier()), "cpu", None)
        levels[name] = runner.session.get_session_options().graph_optimization_level.name
    assert levels["onnxruntime"] == "ORT_ENABLE_ALL"
    assert levels["onnxruntime_unoptimised"] == "ORT_DISABLE_ALL"


@pytest.mark.parametrize("runtime", ["onnx_reference", "onnxruntime_unoptimised"])
def test_weights_beside_an_onnx_file_are_found(runtime: str, tmp_path: Path) -> None:
    import onnx_ir as ir

    path = tmp_path / "model.onnx"
    model = ir.serde.deserialize_model(classifier())
    ir.save(model, path, external_data="model.onnx.data", size_threshold_bytes=0)
    assert (tmp_path / "model.onnx.data").stat().st_size > 0
    report = verify(classifier(), path, runtime=f"b={runtime}", seeds=1)
    assert report.passed, report.failures
    assert report.b.runtime == runtime


@pytest.mark.parametrize(
    ("runtime", "delegated"),
    [("litert", True), ("litert_no_xnnpack", False), ("litert_reference", False)],
)
def test_litert_with_and_without_xnnpack(runtime: str, delegated: bool, tmp_path: Path) -> None:
    from converter import formats
    from verify import runtimes

    dense = keras.Sequential([keras.Input((4,), batch_size=2, name="x"), keras.layers.Dense(3)])
    path = tmp_path / "dense.tflite"
    path.write_bytes(tf.lite.TFLiteConverter.from_keras_model(dense).convert())
    runner = runtimes.load(runtime).open(formats.load(path), "cpu", None)
    x = np.ones((2, 4), np.float32)
    runner.call(runner.prepare({runner.input_names[0]: x}))
    ops = [details["op_name"] for details in runner.interpreter._get_ops_details()]
    assert ("DELEGATE" in ops) == delegated, ops


def test_a_litert_file_with_operators_of_tensorflow_goes_to_tensorflows_interpreter(
    tmp_path: Path,
) -> None:
    litert = pytest.importorskip("ai_edge_litert.interpreter")
    from converter.formats.tflite import find_interpreter

    expected = {tf.linalg.det: tf.lite.Interpreter, tf.tanh: litert.Interpreter}
    for function, interpreter in expected.items():
        module = tf.Module()
        module.f = tf.function(function, input_signature=[tf.TensorSpec([2, 3, 3], name="x")])
        converter = tf.lite.TFLiteConverter.from_concrete_functions(
            [module.f.get_concrete_function()], module
        )
        converter.target_spec.supported_ops = [
            tf.lite.OpsSet.TFLITE_BUILTINS, tf.lite.OpsSet.SELECT_TF_OPS
        ]  # fmt: skip
        path = tmp_path / "model.tflite"
        path.write_bytes(converter.convert())
        assert find_interpreter(path)[0] is interpreter
