"""What goes wrong in a worker is a row of the report, never the end of the run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from converter.errors import UsageError
from verify import Stage, verify
from verify.arrays import read, write

torch = pytest.importorskip("torch")


def test_sound_networks_pass_and_chatter_hurts_nobody(faulty) -> None:
    assert faulty("net", seeds=1).passed
    report = faulty("Talking", seeds=1)
    assert report.passed, report.failures


@pytest.mark.parametrize(
    ("name", "stage", "words"),
    [
        ("Aborting", Stage.CRASH, "SIGABRT"),
        ("Exiting", Stage.CRASH, "status 5"),
        ("Starving", Stage.CRASH, "allocate"),
        ("dying_at_load", Stage.CRASH, "status 9"),
    ],
)
def test_crashes(faulty, name: str, stage: Stage, words: str) -> None:
    report = faulty(name, seeds=1)
    assert not report.passed
    assert {run.stage for run in report.runs} == {stage}
    assert any(words in run.reason for run in report.runs), report.failures


def test_an_exception_on_both_sides_leaves_nothing_compared(faulty) -> None:
    report = faulty("Raising", seeds=1)
    assert not report.passed
    assert all("the third layer is missing" in run.reason for run in report.runs)


def test_a_size_that_crashes_does_not_end_the_run(faulty) -> None:
    report = faulty("CrashingOnce", seeds=1)
    stages = {run.sizes["batch"]: run.stage for run in report.runs}
    assert stages.pop(1) is Stage.CRASH
    assert stages.pop(0) is Stage.NOTHING  # no rows: nothing can be compared
    assert len(stages) >= 2
    assert set(stages.values()) == {Stage.OK}
    assert not report.passed


@pytest.mark.parametrize("name", ["Hanging", "loading_forever"])
def test_a_hang_ends_at_the_timeout_and_no_process_is_left(faulty, name: str) -> None:
    report = faulty(name, seeds=1, timeout=8)
    hung = [run for run in report.runs if run.stage is Stage.TIMEOUT]
    assert hung
    assert "no answer within 8 s" in hung[0].reason
    assert not report.passed
    assert workers_of(os.getpid()) == []


def workers_of(pid: int) -> list[psutil.Process]:
    found = []
    for child in psutil.Process(pid).children(recursive=True):
        if child.status() != psutil.STATUS_ZOMBIE and "verify.worker" in " ".join(child.cmdline()):
            found.append(child)
    return found


def test_an_interpreter_that_does_not_exist(source: Path) -> None:
    with pytest.raises(UsageError, match="no-such-python"):
        verify(source, source, python_b="/no-such-python")


def test_an_interpreter_that_is_no_python(source: Path) -> None:
    with pytest.raises(UsageError, match="/bin/false does not answer as Python does"):
        verify(source, source, python_b="/bin/false")


def test_the_worker_of_pytorch_needs_numpy_and_torch_alone(tmp_path: Path, generator) -> None:
    """Anything else that is not in Python itself is hidden from both workers."""
    hidden = ["tensorflow", "keras", "onnx", "onnx_ir", "onnxscript", "onnxruntime", "ml_dtypes",
              "rich", "typer", "psutil", "transformers", "tf2onnx"]  # fmt: skip
    module = torch.nn.Linear(4, 3).eval()
    program = torch.export.export(
        module, (torch.randn(2, 4),), dynamic_shapes=({0: torch.export.Dim("batch")},)
    )
    torch.export.save(program, tmp_path / "model.pt2")
    python = blocking_python(tmp_path, hidden)
    report = verify(
        tmp_path / "model.pt2", tmp_path / "model.pt2", python_torch=str(python), seeds=1
    )
    assert report.passed, report.failures
    half = torch.nn.Linear(4, 3).to(torch.bfloat16)
    program = torch.export.export(half, (torch.randn(2, 4, dtype=torch.bfloat16),))
    torch.export.save(program, tmp_path / "half.pt2")
    report = verify(tmp_path / "half.pt2", tmp_path / "half.pt2", python_torch=str(python), seeds=1)
    assert report.passed, report.failures
    assert report.outputs["output"].dtype == "bfloat16"


def test_the_worker_of_tensorflow_needs_tensorflow_alone(tmp_path: Path) -> None:
    tf = pytest.importorskip("tensorflow")
    module = tf.Module()
    module.call = tf.function(lambda x: {"y": tf.cast(x, tf.bfloat16) * 2})
    spec = tf.TensorSpec([None, 3], tf.float32, name="x")
    served = {"serving_default": module.call.get_concrete_function(spec)}
    tf.saved_model.save(module, str(tmp_path / "model"), signatures=served)
    hidden = ["torch", "onnx", "onnx_ir", "onnxscript", "onnxruntime", "typer", "psutil",
              "transformers", "tf2onnx"]  # fmt: skip
    python = blocking_python(tmp_path, hidden)
    path = tmp_path / "model"
    report = verify(path, path, python_tf=str(python), seeds=1)
    assert report.passed, report.failures
    assert report.outputs["y"].dtype == "bfloat16"


def blocking_python(folder: Path, hidden: list[str]) -> Path:
    """Write an interpreter that refuses to import the hidden packages."""
    code = textwrap.dedent(f"""
        import sys
        for name in {hidden!r}:
            sys.modules[name] = None
        import runpy
        sys.argv = sys.argv[2:]
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    """)
    script = folder / "python"
    (folder / "start.py").write_text(code)
    script.write_text(
        f'#!/bin/sh\n[ "$1" = -m ] || exec "{sys.executable}" "$@"\n'
        f'exec "{sys.executable}" "{folder}/start.py" "$@"\n'
    )
    script.chmod(0o755)
    return script


def test_the_hidden_packages_are_hidden_indeed(tmp_path: Path, source: Path) -> None:
    """The guard of the test above must be able to fail: ONNX Runtime is out of reach there."""
    python = blocking_python(tmp_path, ["onnxruntime", "onnx", "onnx_ir"])
    with pytest.raises(Exception, match="onnx"):
        verify(source, source, python_a=str(python))


KILLS = [signal.SIGINT, signal.SIGTERM]
if sys.platform == "linux":
    KILLS.append(signal.SIGKILL)


@pytest.mark.parametrize("signal_", KILLS)
def test_however_the_command_is_ended_no_worker_is_left(faulty, tmp_path: Path, signal_) -> None:
    weights = tmp_path / "weights.pt"
    assert weights.exists()
    command = [sys.executable, "-m", "verify.cli", str(weights), str(weights), "--input",
               "x:float32[batch,4]", "--model", "faulty_nets:Hanging"]  # fmt: skip
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    workers: list[psutil.Process] = []
    while len(workers) < 2 and time.monotonic() < deadline:
        time.sleep(0.2)
        workers = workers_of(process.pid)
    assert len(workers) == 2
    process.send_signal(signal_)
    _, errors = process.communicate(timeout=30)
    assert "Traceback" not in errors
    codes = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: -signal.SIGKILL}
    assert process.returncode == codes[signal_]
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert alive == []


@pytest.mark.parametrize(
    "dtype",
    ["float32", "float16", "bfloat16", "bool", "int64", "uint8", "string", "complex64", "int4",
     "float8e4m3fn"],
)  # fmt: skip
@pytest.mark.parametrize("shape", [(), (3, 2), (0, 4)])
def test_arrays_cross_as_they_are(tmp_path: Path, dtype: str, shape: tuple) -> None:
    from converter.signature import Signature, TensorSpec
    from verify.inputs import random_inputs

    array = random_inputs(Signature((TensorSpec("x", dtype, shape),)), {}, 3)["x"]
    array = np.asarray(array)
    back = read(write(array, tmp_path / "x.npy"))
    assert back.dtype == array.dtype
    assert back.shape == array.shape
    assert back.tolist() == array.tolist()


def test_texts_of_every_kind_cross(tmp_path: Path) -> None:
    texts = np.array([["", "a\0b"], ["Ünï", "\udcff"]], dtype=object)
    assert read(write(texts, tmp_path / "t.npy")).tolist() == texts.tolist()
