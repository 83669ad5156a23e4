"""One interpreter has PyTorch alone, one TensorFlow alone, and the one that converts has neither.

Each is a fresh virtual environment, built from what `pyproject.toml` says. EQUIPORT_INTERPRETERS
names a folder to keep them in between runs.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

BUILD = """
import torch
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.features = torch.nn.Sequential(
            torch.nn.Conv2d(3, 8, 3, stride=2), torch.nn.BatchNorm2d(8), torch.nn.GELU())
        self.head = torch.nn.Linear(8, 5)
    def forward(self, image):
        return self.head(self.features(image).mean((2, 3)))
net = Net().eval()
image = torch.randn(2, 3, 16, 16)
shapes = ({0: torch.export.Dim("batch")},)
torch.export.save(torch.export.export(net, (image,), dynamic_shapes=shapes), "net.pt2")
with torch.no_grad():
    net.head.weight[2, 3] += 0.01
torch.export.save(torch.export.export(net, (image,), dynamic_shapes=shapes), "changed.pt2")
"""


def requirements() -> dict[str, list[str]]:
    """Return what each interpreter gets: the extras as a user would install them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    base, extras = project["dependencies"], project["optional-dependencies"]
    tensorflow = [*extras["tensorflow-cpu"], *extras["tracing-tensorflow"]]
    return {
        "neither": base,
        "torch": [*base, *extras["torch"]],
        "tensorflow": [*base, *(text for text in tensorflow if not text.startswith("equiport"))],
    }


def built(folder: Path, packages: list[str]) -> str:
    """Return the interpreter of a virtual environment with these packages."""
    python = folder / "bin" / "python"
    stamp = folder / "packages.json"
    if stamp.is_file() and json.loads(stamp.read_text()) == packages:
        return str(python)
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
               "--constraint", str(ROOT / "constraints.txt")]  # fmt: skip
    if "torch>=2.9" in packages:  # alone first: a range that a CPU build satisfies
        subprocess.run([*command, "torch"], check=True)
    subprocess.run([*command, *packages], check=True)
    stamp.write_text(json.dumps(packages))
    return str(python)


def imports(python: str, package: str) -> bool:
    return subprocess.run([python, "-c", f"import {package}"], capture_output=True).returncode == 0


def runner(python: str, folder: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return what runs one of our commands in an interpreter that finds our packages."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}

    def run(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [python, "-m", module, *arguments],
            cwd=folder,
            env=environment | {"PYTHONPATH": str(ROOT), "COLUMNS": "80"},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_convert_and_verify_across_interpreters(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    kept = os.environ.get("EQUIPORT_INTERPRETERS")
    place = Path(kept) if kept else tmp_path_factory.mktemp("interpreters")
    python = {name: built(place / name, packages) for name, packages in requirements().items()}
    has = {
        name: [p for p in ("torch", "tensorflow") if imports(python[name], p)] for name in python
    }
    assert has == {"neither": [], "torch": ["torch"], "tensorflow": ["tensorflow"]}

    run = runner(python["neither"], tmp_path)
    both = ("--python-torch", python["torch"], "--python-tf", python["tensorflow"])
    subprocess.run([python["torch"], "-c", BUILD], cwd=tmp_path, check=True)

    there = run("converter.cli", "net.pt2", "--to", "tf", "-o", "net_tf", "--json", *both)
    assert there.returncode == 0, there.stderr
    report = json.loads(there.stdout)["report"]
    assert report["passed"]
    assert list(report["a"]["versions"]) == ["torch"]
    assert "torch" not in report["b"]["versions"]
    assert any(name.startswith("tensorflow") for name in report["b"]["versions"])
    assert all(run["stage"] in ("ok", "refused") for run in report["runs"])

    back = run("converter.cli", "net_tf", "--to", "torch", "-o", "net_torch", "--json", *both)
    assert back.returncode == 0, back.stderr
    assert json.loads(back.stdout)["report"]["passed"]

    same = run("verify.cli", "net_tf", "net.pt2", *both)
    assert same.returncode == 0, same.stdout + same.stderr
    changed = run("verify.cli", "changed.pt2", "net_tf", "--json", *both)
    assert changed.returncode == 1, changed.stdout + changed.stderr
    data = json.loads(changed.stdout)
    assert not data["passed"]
    assert "mismatch" in {run["stage"] for run in data["runs"]}

    alone = run("converter.cli", "net.pt2", "--to", "tf", "-o", "no", *both[:2])
    assert alone.returncode == 4, alone.stderr
    assert "needs tensorflow, which is not installed" in alone.stderr
    turned = ("--python-torch", python["torch"], "--python-tf", python["torch"])
    wrong = run("converter.cli", "net.pt2", "--to", "tf", "-o", "no", *turned)
    assert wrong.returncode == 4, wrong.stderr
    assert f"not installed in {python['torch']}" in wrong.stderr
    assert not (tmp_path / "no").exists()
