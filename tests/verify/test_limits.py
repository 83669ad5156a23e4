"""Threads and memory: what a worker may take, and what happens past it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import OrderedDict
from pathlib import Path

import pytest

from converter.errors import UsageError
from tests.verify.models import classifier, saved
from verify import Stage, verify
from verify.arguments import wanted_devices
from verify.limits import THREAD_VARIABLES, memory_size, with_threads


@pytest.mark.parametrize(
    ("text", "size"),
    [("4GB", 4 * 10**9), ("1.5 gb", 1_500_000_000), ("500mb", 500 * 10**6), ("2048", 2048),
     (4096, 4096), (None, None)],
)  # fmt: skip
def test_sizes_of_memory(text, size) -> None:
    assert memory_size(text) == size


@pytest.mark.parametrize("text", ["", "much", "0", "-1GB", "4 apples"])
def test_no_sizes_of_memory(text: str) -> None:
    with pytest.raises(UsageError, match="memory limit"):
        memory_size(text)


def test_the_environment_of_one_thread() -> None:
    assert with_threads({"X": "1"}, None) == {"X": "1"}
    made = with_threads({"X": "1", "OMP_NUM_THREADS": "7"}, 2)
    assert made == {"X": "1"} | dict.fromkeys(THREAD_VARIABLES, "2")
    with pytest.raises(UsageError, match="at least 1"):
        with_threads({}, 0)


def test_each_side_has_its_device() -> None:
    assert wanted_devices("cuda:1") == {"a": "cuda:1", "b": "cuda:1"}
    assert wanted_devices(["b=cuda"]) == {"a": "cpu", "b": "cuda"}
    assert wanted_devices(["cuda", "a=cpu"]) == {"a": "cpu", "b": "cuda"}
    for wrong in ("tpu", ["c=cpu"], ["b=gpu"]):
        with pytest.raises(UsageError):
            wanted_devices(wrong)


NETS = '''
import os, signal, time
import torch

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(4, 3)

    def forward(self, x):
        return self.linear(x)

class OneThread(Net):
    def forward(self, x):
        assert torch.get_num_threads() == 1, torch.get_num_threads()
        return self.linear(x)

class Eating(Net):
    """Takes memory, a piece at a time, where there is more than one row."""

    def forward(self, x):
        if len(x) > 1:
            kept = [torch.ones(25_000_000) for _ in range(200)]  # 20 GB
            return self.linear(x) + kept[-1][0]
        return self.linear(x)

class Segfaulting(Net):
    def forward(self, x):
        if len(x) > 1:
            os.kill(os.getpid(), signal.SIGSEGV)
        return self.linear(x)

class Hanging(Net):
    def forward(self, x):
        if len(x) > 1:
            time.sleep(600)
        return self.linear(x)
'''


@pytest.fixture
def nets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    torch = pytest.importorskip("torch")
    (tmp_path / "hostile_nets.py").write_text(NETS)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    net = torch.nn.Sequential(OrderedDict(linear=torch.nn.Linear(4, 3))).eval()
    torch.save(net.state_dict(), tmp_path / "weights.pt")
    shapes = ({0: torch.export.Dim("batch")},)
    program = torch.export.export(net, (torch.randn(2, 4),), dynamic_shapes=shapes)
    torch.export.save(program, tmp_path / "sound.pt2")
    return tmp_path / "weights.pt"


def test_the_worker_computes_on_one_thread(nets: Path) -> None:
    options = {"factory": "hostile_nets:OneThread", "inputs": "x:float32[batch,4]", "seeds": 1}
    assert verify(nets, nets, threads=1, **options).passed
    assert not verify(nets, nets, threads=2, **options).passed


def test_onnx_runtime_takes_the_number_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from converter.formats import load
    from verify import runtimes

    source = load(saved(classifier(), tmp_path / "model.onnx"))
    for text, expected in (("3", 3), ("", 0)):
        monkeypatch.setenv("OMP_NUM_THREADS", text)
        session = runtimes.load("onnxruntime").open(source, "cpu", None).session
        assert session.get_session_options().intra_op_num_threads == expected


HOSTILE = [
    ("Segfaulting", [], "crash", "SIGSEGV"),
    ("Hanging", ["--timeout", "20"], "timeout", "no answer within 20 s"),
    ("Eating", ["--memory-limit", "1.5GB"], "crash", "memory"),
]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux holds a process to a memory limit")
@pytest.mark.parametrize(("factory", "options", "stage", "words"), HOSTILE)
def test_a_hostile_model_is_a_row_and_the_rest_is_finished(
    factory: str, options: list[str], stage: str, words: str, nets: Path
) -> None:
    """Through the command: a sound source, and a target that goes wrong on more than one row."""
    command = [sys.executable, "-m", "verify.cli", str(nets.with_name("sound.pt2")), str(nets),
               "--model", f"hostile_nets:{factory}", "--rename", "input=x", "--seeds", "1",
               "--json", *options]  # fmt: skip
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=nets.parent,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 1, errors
    assert "Traceback" not in errors
    report = json.loads(output)
    assert not report["passed"]
    failed = [run for run in report["runs"] if run["stage"] not in ("ok", "refused", "nothing")]
    assert {run["side"] for run in failed} == {"b"}
    first = next(run for run in failed if words in run["reason"])
    assert (first["stage"], first["sizes"]["batch"] > 1) == (stage, True), report["failures"]
    # A worker is started again after a crash; what would hang as long again is not.
    again = [run["reason"] for run in failed if run is not first]
    assert all(words in reason or "it crashed or hung before" in reason for reason in again)
    finished = [run["stage"] for run in report["runs"] if run["sizes"]["batch"] == 1]
    assert finished == ["ok"], report["failures"]
    left = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert not [line for line in left.splitlines() if str(nets) in line]


def test_a_report_without_any_hostility(nets: Path) -> None:
    """The same nets pass where nothing goes wrong, so the rows above mean something."""
    options = {"factory": "hostile_nets:Net", "rename": {"input": "x"}, "seeds": 1}
    report = verify(nets.with_name("sound.pt2"), nets, **options)
    assert report.passed
    assert {run.stage for run in report.runs} <= {Stage.OK, Stage.REFUSED}
