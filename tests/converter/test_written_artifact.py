"""Where `torch.export` cannot hold a model, the artifact is the module that was written."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.parser
import pytest
import torch
from safetensors.torch import load_file, save_file

import converter
from converter.errors import MissingFrameworkError, RebuildError, UntrustedModelError
from converter.formats import recognise
from converter.source import formatting
from converter.source.check import loaded
from tests.commands import run
from verify import verify

SEED = int(np.random.SeedSequence().generate_state(1)[0])

BRANCH = """<ir_version: 8, opset_import: ["" : 18]>
agraph (float[n, 3] x) => (float[n, 3] y) <float[3, 3] w = {1, 2, 3, 4, 5, 6, 7, 8, 9}> {
    s = ReduceSum <keepdims = 0> (x)
    zero = Constant <value = float {0.0}> ()
    positive = Greater (s, zero)
    y = If (positive) <then_branch = a () => (float[n, 3] u) { u = MatMul (x, w) },
        else_branch = b () => (float[n, 3] v) { v = Neg (x) }>
}"""

SEQUENCES = """<ir_version: 8, opset_import: ["" : 18]>
agraph (float[n, 3] x) => (float[k, 3] y) {
    s = ReduceSum <keepdims = 0> (x)
    zero = Constant <value = float {0.0}> ()
    positive = Greater (s, zero)
    parts = If (positive) <
        then_branch = a () => (seq(float[n, 3]) u) { u = SequenceConstruct (x) },
        else_branch = b () => (seq(float[n, 3]) v) { v = SequenceConstruct (x, x) }>
    y = ConcatFromSequence <axis = 0> (parts)
}"""


def onnx_file(text: str, folder: Path) -> Path:
    model = onnx.parser.parse_model(text)
    for initializer in model.graph.initializer:
        values = np.random.default_rng(SEED).normal(size=tuple(initializer.dims))
        initializer.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float32), "w"))
    onnx.save(model, str(folder / "m.onnx"))
    return folder / "m.onnx"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Any]:
    """Return the source, the artifact, and the conversion."""
    print(f"seed {SEED}")
    folder = tmp_path_factory.mktemp("written")
    source = onnx_file(BRANCH, folder)
    return source, folder / "out", converter.convert(source, "torch", output=folder / "out")


def test_the_conversion_is_a_success_and_says_why(made: Any) -> None:
    _, out, result = made
    assert sorted(path.name for path in out.iterdir()) == [
        "equiport.json", "model.py", "model.safetensors",
    ]  # fmt: skip
    assert result.report.passed
    assert result.report.b.kind == "written_module"
    (note,) = [note for note in result.notes if "model.pt2" in note]
    assert "torch.export cannot hold" in note
    assert "data-dependent" in note
    assert "--trust" in note
    assert result.source == (out / "model.py").read_text()
    record = json.loads((out / "equiport.json").read_text())
    assert record["weights"] == {
        "w": {"role": "parameter", "permutation": [1, 0], "held_as": "w.weight"}
    }


def test_every_branch(made: Any) -> None:
    source, out, _ = made
    import onnxruntime

    session, model = onnxruntime.InferenceSession(str(source)), loaded(out)
    for sign in (1, -1):
        x = (sign * np.random.default_rng(SEED).uniform(0.1, 1, (4, 3))).astype(np.float32)
        with torch.no_grad():
            mine = model(torch.from_numpy(x)).numpy()
        np.testing.assert_allclose(mine, session.run(None, {"x": x})[0], rtol=1e-5, atol=1e-6)


def test_it_is_read_only_if_trusted(made: Any, tmp_path: Path) -> None:
    source, out, _ = made
    assert recognise(out).NAME == "written_module"
    with pytest.raises(UntrustedModelError, match=r"model\.py is run"):
        verify(source, out)
    with pytest.raises(UntrustedModelError, match=r"model\.py is run"):
        converter.convert(out, "onnx", output=tmp_path / "again.onnx")
    done = run("converter.cli", out, "--inspect", folder=tmp_path)
    assert done.returncode == 2 or done.returncode == UntrustedModelError.exit_code
    assert "--trust" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (out / "__pycache__").exists()


def test_it_is_verified_again(made: Any) -> None:
    source, out, _ = made
    report = verify(source, out, trust=True, latency=True)
    assert report.passed
    assert report.latency is not None
    assert sorted(path.name for path in out.iterdir()) == [
        "equiport.json", "model.py", "model.safetensors",
    ]  # fmt: skip


def test_what_is_changed_in_it_is_found(made: Any, tmp_path: Path) -> None:
    source, out, _ = made
    code, weights = tmp_path / "code", tmp_path / "weights"
    for copy in (code, weights):
        shutil.copytree(out, copy)
    text = (code / "model.py").read_text()
    assert "-x" in text
    (code / "model.py").write_text(text.replace("-x", "x"))
    assert not verify(source, code, trust=True).passed
    tensors = load_file(weights / "model.safetensors")
    tensors["w.weight"] = tensors["w.weight"].T.contiguous()
    save_file(tensors, weights / "model.safetensors")
    report = verify(source, weights, trust=True)
    assert not report.passed
    assert report.weights is not None
    assert "w" in str(report.weights)


def test_a_part_that_is_missing_is_named(made: Any, tmp_path: Path) -> None:
    from converter.errors import UnreadableModelError

    source, out, _ = made
    shutil.copytree(out, tmp_path / "cut")
    whole = (tmp_path / "cut" / "model.safetensors").read_bytes()
    (tmp_path / "cut" / "model.safetensors").write_bytes(whole[:20])
    with pytest.raises(UnreadableModelError):
        converter.convert(tmp_path / "cut", "onnx", trust=True)


def test_what_a_trace_cannot_hold_is_told_by_its_line(made: Any) -> None:
    _, out, _ = made
    with pytest.raises(converter.errors.TraceError, match=r"model\.py:\d+"):
        converter.convert(out, "onnx", trust=True)


def test_the_same_model_gives_the_same_bytes(made: Any, tmp_path: Path) -> None:
    source, out, _ = made
    converter.convert(source, "torch", output=tmp_path / "again", verify=False)
    for path in out.iterdir():
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes()


def test_both_causes_are_named(tmp_path: Path) -> None:
    with pytest.raises(RebuildError) as caught:
        converter.convert(
            onnx_file(SEQUENCES, tmp_path), "torch", output=tmp_path / "out", verify=False
        )
    assert "cannot be exported" in str(caught.value)
    assert "If over u, which is no tensor" in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_without_ruff_the_next_step_is_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(text: str) -> str:
        raise MissingFrameworkError("ruff is not installed", hint="Install it: pip install ruff")

    monkeypatch.setattr(formatting, "formatted", missing)
    monkeypatch.setattr("converter.source.pytorch.module.formatted", missing)
    with pytest.raises(RebuildError, match=r"cannot be exported.*ruff is not installed") as caught:
        converter.convert(
            onnx_file(BRANCH, tmp_path), "torch", output=tmp_path / "out", verify=False
        )
    assert caught.value.hint == "Install it: pip install ruff"
    assert not (tmp_path / "out").exists()


def test_what_can_be_exported_is_as_before(tmp_path: Path) -> None:
    text = BRANCH.replace("Greater (s, zero)", "Constant <value = bool {1}> ()")
    result = converter.convert(
        onnx_file(text, tmp_path), "torch", output=tmp_path / "out", verify=False
    )
    assert not [note for note in result.notes if "model.pt2" in note]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "equiport.json", "load.py", "model.pt2", "model.safetensors",
    ]  # fmt: skip


@pytest.mark.parametrize("purpose", ["inference", "training"])
def test_it_is_written_once(purpose: str, tmp_path: Path) -> None:
    file = onnx_file(BRANCH, tmp_path)
    given: dict[str, Any] = {"output": tmp_path / "out", "purpose": purpose, "source": True}
    result = converter.convert(file, "torch", verify=False, **given)
    names = [path.name for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert sorted(names) == ["equiport.json", "model.py", "model.safetensors"]
    assert not [note for note in result.notes if "beside" in note]
    options = ("--to", "torch", "--source", "--no-verify", "-o", "again")
    told = run("converter.cli", str(file), *options, folder=tmp_path)
    assert told.returncode == 0, told.stderr
    assert f"its source code is {Path('again') / 'model.py'}" in told.stdout


def test_a_program_that_has_no_form_in_a_file_is_written_as_a_module(tmp_path: Path) -> None:
    """`torch.export` follows `math.ceil` of a size, and `torch.export.save` does not."""
    keras = pytest.importorskip("keras")
    x = keras.Input((4,))
    model = keras.Model(x, keras.ops.median(keras.layers.Dense(3)(x), 0))
    result = converter.convert(model, "torch", output=tmp_path / "out", verify=False)
    assert (tmp_path / "out" / "model.py").is_file()
    assert not (tmp_path / "out" / "model.pt2").exists()
    (note,) = [note for note in result.notes if "no model.pt2" in note]
    assert "cannot be written to a file" in note
