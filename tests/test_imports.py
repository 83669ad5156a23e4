"""What is imported when: no framework before it is needed, and half of the tool without one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.commands import run

FRAMEWORKS = ("torch", "tensorflow", "keras", "onnxruntime", "transformers", "tf2onnx")
HEAVY = (*FRAMEWORKS, "numpy", "onnx", "onnx_ir", "onnxscript")

LOADED = """
import sys
sys.argv = [{command!r}, *{arguments!r}]
try:
    from {module} import main
    main()
except SystemExit:
    pass
found = sorted({{name.split(".")[0] for name in sys.modules}} & set({heavy!r}))
print("LOADED", *found)
"""


@pytest.mark.parametrize(
    ("module", "arguments"),
    [
        ("converter.cli", ["--help"]),
        ("verify.cli", ["--help"]),
        ("zoo.cli", ["--help"]),
        ("zoo.cli", ["list"]),
        ("converter.umbrella", ["--help"]),
        ("converter.umbrella", ["convert", "--help"]),
    ],
)
def test_help_imports_nothing_heavy(module: str, arguments: list[str]) -> None:
    code = LOADED.format(command=module, arguments=arguments, module=module, heavy=HEAVY)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "LOADED", done.stdout.splitlines()[-1]


def test_the_check_above_sees_an_import() -> None:
    code = LOADED.format(command="x", arguments=["--help"], module="converter.cli", heavy=HEAVY)
    code = "import numpy\n" + code
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "LOADED numpy"


@pytest.mark.parametrize("package", ["converter", "verify", "zoo", "verify.pytest_plugin"])
def test_importing_a_package_imports_no_framework(package: str) -> None:
    code = f"import sys, {package}; print(sorted(set({FRAMEWORKS!r}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def without(*names: str) -> str:
    """Return a prelude after which these packages are not to be found."""
    return f"""
class Without:
    def __init__(self, finder):
        self.finder = finder
    def __getattr__(self, name):
        return getattr(self.finder, name)
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names!r}:
            return None
        return self.finder.find_spec(name, path, target)
sys.meta_path[:] = map(Without, sys.meta_path)
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import keras

    folder = tmp_path_factory.mktemp("models")
    model = keras.Sequential([keras.Input((4,), name="x"), keras.layers.Dense(3, name="dense")])
    model.save(folder / "model.keras")
    program = torch.export.export(torch.nn.Linear(4, 3).eval(), (torch.randn(2, 4),))
    torch.export.save(program, folder / "model.pt2")
    return folder


def test_a_keras_model_is_inspected_without_torch(files: Path) -> None:
    done = run(
        "converter.cli", "model.keras", "--inspect", folder=files,
        prelude=without("torch", "onnxscript"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "x:float32[batch,4]" in done.stdout
    assert "2 trainable with 15 elements" in done.stdout


def test_a_torch_model_is_inspected_without_tensorflow(files: Path) -> None:
    done = run(
        "converter.cli", "model.pt2", "--inspect", folder=files,
        prelude=without("tensorflow", "keras", "tf2onnx"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "input:float32[2,4]" in done.stdout
    assert "2 trainable with 15 elements" in done.stdout


@pytest.mark.parametrize(
    ("file", "to", "missing", "extra"),
    [
        ("model.keras", "torch", "tensorflow", "equiport[tensorflow]"),
        ("model.keras", "torch", "torch", "equiport[torch]"),
        ("model.pt2", "tf", "torch", "equiport[torch]"),
        ("model.pt2", "tf", "tensorflow", "equiport[tensorflow]"),
    ],
)
def test_a_missing_framework_is_named(
    file: str, to: str, missing: str, extra: str, files: Path, tmp_path: Path
) -> None:
    blocked = without(missing, *(["keras"] if missing == "tensorflow" else []))
    done = run("converter.cli", files / file, "--to", to, folder=tmp_path, prelude=blocked)
    assert done.returncode == 4, done.stderr
    assert extra in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_onnx_is_written_from_torch_without_tensorflow(files: Path, tmp_path: Path) -> None:
    done = run(
        "converter.cli", files / "model.pt2", "--to", "onnx", "-o", "m.onnx", folder=tmp_path,
        prelude=without("tensorflow", "keras", "tf2onnx"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "m.onnx").exists()
