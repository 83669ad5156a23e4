"""The repro is a folder whose script runs and shows the error."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.verify.locate.networks import FAULTS, inputs, network, with_fault
from verify import verify

SHOWN = ["leaky", "one weight element", "tanh GELU behind 1e-6", "softmax axis"]


@pytest.mark.parametrize("title", SHOWN)
def test_the_script_shows_the_error(title, tmp_path):
    planted = FAULTS[title]
    model = network(5)
    mutant = with_fault(model, planted.node, planted.fault)
    folder = tmp_path / "repro"
    report = verify(model, mutant, inputs=inputs(5), deep=True, repro=folder)
    assert report.location is not None
    assert report.location.repro == str(folder)
    assert {path.name for path in folder.iterdir()} == {
        "model.onnx", "inputs.npz", "expected.npz", "repro.py",
    }  # fmt: skip
    text = (folder / "repro.py").read_text()
    assert len(text.splitlines()) <= 15
    assert planted.node in text.splitlines()[0]
    done = subprocess.run(
        [sys.executable, "repro.py"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = re.search(r"largest difference: (\S+)", done.stdout)
    assert found, done.stdout
    assert float(found[1]) > 1e-5


def test_nothing_is_written_where_nothing_is_wrong(tmp_path):
    report = verify(network(5), network(5), inputs=inputs(5), deep=True, repro=tmp_path / "repro")
    assert report.passed
    assert not (tmp_path / "repro").exists()
