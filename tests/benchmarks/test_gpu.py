"""The GPU benchmark's machinery, CPU against CPU; the GPU itself where there is one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import gpu

torch = pytest.importorskip("torch")

HAS_GPU = torch.cuda.is_available()


def test_one_model_through_the_machinery(tmp_path: Path, capsys) -> None:
    runtimes = ["torch", "exported_program", "onnxruntime"]
    code = gpu.main(
        ["--models", "learned_exponent", "--runtimes", *runtimes, "--device-b", "cpu",
         "--jobs", "2", "--json", str(tmp_path / "rows.json")]
    )  # fmt: skip
    printed = capsys.readouterr().out
    rows = json.loads((tmp_path / "rows.json").read_text())
    assert code == 0, printed
    found = {(row["framework"], row["runtime"]) for row in rows}
    # From Keras there is a graph for ONNX Runtime, too.
    assert found == {("torch", name) for name in runtimes} | {("tf", "onnxruntime")}
    for row in rows:
        assert row["verdict"] == "ok"
        assert 0 <= row["error"] <= row["limit"]
        assert set(row["seconds"]) == {"a", "b"}
        assert min(row["seconds"].values()) > 0
    assert "4 of 4 agree" in printed


def test_what_does_not_agree_is_seen(tmp_path: Path, monkeypatch, capsys) -> None:
    item = {"max_abs": 0.4, "max_rel": 0.2, "error": 0.5, "limit": 0.1, "noise": 1e-7}
    report = {
        "passed": False,
        "runs": [{"stage": "mismatch", "outputs": {"y": item}}],
        "failures": ["seed 0: y: 3 of 4 elements differ"],
        "latency": None,
    }
    row = gpu.Row("model", "torch", "torch")
    gpu.fill(row, report)
    assert (row.verdict, row.error, row.noise) == ("mismatch", 0.25, 1e-7)
    assert row.limit == pytest.approx(0.05)
    assert row.reason == "seed 0: y: 3 of 4 elements differ"
    monkeypatch.setattr(gpu, "rows", lambda *_: iter([row]))
    assert gpu.main(["--models", "classifier", "--device-b", "cpu"]) == 1
    assert "mismatch" in capsys.readouterr().out
    # A side that never came to a report is an error, not an agreement.
    broken = gpu.compare(
        gpu.Cell("gone", "torch", "torch", str(tmp_path / "gone.pt2")), "cpu", str(tmp_path)
    )
    assert broken.verdict == "error"
    assert "does not exist" in broken.reason


def test_unknown_names_are_refused(capsys) -> None:
    assert gpu.main(["--models", "nothing"]) == 2
    assert gpu.main(["--runtimes", "onnx_reference"]) == 2
    assert "onnx_reference" in capsys.readouterr().err


@pytest.mark.skipif(HAS_GPU, reason="there is a GPU")
def test_without_a_gpu_it_says_so(capsys) -> None:
    assert gpu.main(["--runtimes", "torch", "torch_compile"]) == 0
    assert "There is no GPU here" in capsys.readouterr().out


@pytest.mark.skipif(not HAS_GPU, reason="no GPU is seen by PyTorch here")
def test_cpu_and_gpu_agree(tmp_path: Path, capsys) -> None:
    models = ["learned_exponent", "classifier", "digits_cnn"]
    code = gpu.main(["--models", *models, "--json", str(tmp_path / "rows.json")])
    assert code == 0, capsys.readouterr().out
    rows = json.loads((tmp_path / "rows.json").read_text())
    assert {row["model"] for row in rows} == set(models)


@pytest.mark.skipif(not HAS_GPU, reason="no GPU is seen by PyTorch here")
def test_tf32_is_off_while_comparing_and_on_again_afterwards() -> None:
    from verify import verify

    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = True
    try:
        net = torch.nn.Linear(512, 512)
        twin = torch.nn.Linear(512, 512)
        twin.load_state_dict(net.state_dict())
        report = verify(net, twin.cuda(), inputs="input:float32[batch,512]", seeds=1)
        assert report.passed, report.failures
        assert torch.backends.cuda.matmul.allow_tf32
    finally:
        torch.backends.cudnn.allow_tf32 = before
        torch.backends.cuda.matmul.allow_tf32 = False
