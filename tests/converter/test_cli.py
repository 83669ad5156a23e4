"""The `convert` command: results, exit codes, and every kind of bad input by hand."""

from __future__ import annotations

import inspect
import json
import pickle
import subprocess
import sys
import zipfile
from importlib import import_module
from pathlib import Path

import pytest
import torch
from torch import nn
from typer.models import OptionInfo

from tests.commands import run

X = ("--input", "input:float32[batch,4]")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one good model in several files, and many bad ones."""
    folder = tmp_path_factory.mktemp("models")
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 3), nn.ReLU()).eval()
    batch = torch.export.Dim("batch")
    program = torch.export.export(model, (torch.randn(3, 4),), dynamic_shapes=({0: batch},))
    torch.export.save(program, folder / "good.pt2")
    torch.save(model, folder / "pickled.pt")
    torch.save(model.state_dict(), folder / "weights.pt")
    (folder / "empty.pt2").write_bytes(b"")
    whole = (folder / "good.pt2").read_bytes()
    (folder / "truncated.pt2").write_bytes(whole[: len(whole) // 2])
    (folder / "notes.txt").write_text("not a model")
    (folder / "evil.pkl").write_bytes(pickle.dumps(Evil()))
    with zipfile.ZipFile(folder / "archive.zip", "w") as archive:
        archive.writestr("readme", "nothing")
    (folder / "nothing").mkdir()
    (folder / "taken").mkdir()
    (folder / "factories.py").write_text(
        "from torch import nn\n"
        "def net():\n    return nn.Sequential(nn.Linear(4, 3), nn.ReLU())\n"
        "def wide():\n    return nn.Sequential(nn.Linear(4, 9), nn.ReLU())\n"
        "def broken():\n    raise RuntimeError('no disk')\n"
        "def number():\n    return 7\n"
    )
    return folder


class Evil:
    """Unpickling it would write a file."""

    def __reduce__(self) -> tuple:
        return (Path.write_text, (Path("touched"), "gotcha"))


BAD = {
    "missing file": (["absent.pt2", "--to", "tf"], 2, "absent.pt2"),
    "empty file": (["empty.pt2", "--to", "tf"], 2, "empty"),
    "truncated archive": (["truncated.pt2", "--to", "tf"], 2, "truncated.pt2"),
    "a text": (["notes.txt", "--to", "tf"], 2, "notes.txt"),
    "an archive of something else": (["archive.zip", "--to", "tf"], 2, "archive.zip"),
    "a folder of nothing": (["nothing", "--to", "tf"], 2, "nothing"),
    "a state_dict alone": (["weights.pt", "--to", "tf", *X], 2, "--model"),
    "a factory that is not there": (
        ["weights.pt", "--to", "tf", *X, "--model", "factories:absent"],
        2,
        "absent",
    ),
    "a factory that fails": (
        ["weights.pt", "--to", "tf", *X, "--model", "factories:broken"],
        2,
        "no disk",
    ),
    "a factory of something else": (
        ["weights.pt", "--to", "tf", *X, "--model", "factories:number"],
        2,
        "factories:number",
    ),
    "weights of another model": (
        ["weights.pt", "--to", "tf", *X, "--model", "factories:wide"],
        2,
        "0.weight",
    ),
    "a full pickle": (["pickled.pt", "--to", "tf", *X], 2, "--trust"),
    "a pickle that would run code": (["evil.pkl", "--to", "tf", *X], 2, "evil.pkl"),
    "no target": (["good.pt2"], 2, "--to"),
    "a target that does not exist": (["good.pt2", "--to", "jax"], 2, "jax"),
    "an input spec that cannot be read": (
        ["pickled.pt", "--trust", "--to", "tf", "--input", "x:[["],
        2,
        "x:[[",
    ),
    "an input that the model does not have": (
        ["pickled.pt", "--trust", "--to", "tf", "--input", "y:float32[1,4]"],
        2,
        "'y'",
    ),
    "an input of the wrong size": (
        ["pickled.pt", "--trust", "--to", "tf", "--input", "input:float32[batch,5]"],
        3,
        "5",
    ),
    "an output that exists": (["good.pt2", "--to", "tf", "-o", "taken"], 2, "taken"),
    "an output below a file": (["good.pt2", "--to", "tf", "-o", "notes.txt/out"], 2, "notes.txt"),
    "a report folder that is a file": (
        ["good.pt2", "--to", "tf", "--report", "notes.txt"],
        2,
        "notes.txt",
    ),
    "onnx2tf that is not there": (
        ["good.pt2", "--to", "tf", "--engine", "onnx2tf", "--python-onnx2tf", "/no/python"],
        4,
        "make onnx2tf",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_ends_with_one_clear_message(name: str, files: Path) -> None:
    arguments, code, words = BAD[name]
    before = sorted(path for path in files.rglob("*") if "__pycache__" not in path.parts)
    done = run("converter.cli", *arguments, folder=files)
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert sum(line.startswith("Error: ") for line in done.stderr.splitlines()) == 1
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    after = sorted(path for path in files.rglob("*") if "__pycache__" not in path.parts)
    assert after == before


def test_an_output_that_cannot_be_written(files: Path) -> None:
    prelude = "import os; os.access = lambda *a, **k: False"  # root may write anywhere
    done = run("converter.cli", "good.pt2", "--to", "tf", "-o", "x", folder=files, prelude=prelude)
    assert done.returncode == 2
    assert "cannot be written" in done.stderr


STAGES = {
    "load": "converter.formats.load",
    "trace": "converter.pipeline.trace",
    "rewrite": "converter.graph.borders.requested",
    "rebuild": "converter.engines.native.build",
    "save": "converter.engines.native.save",
    "verify": "verify.verification.verify",
}


@pytest.mark.parametrize("stage", STAGES)
def test_ctrl_c_leaves_nothing_behind(stage: str, files: Path, tmp_path: Path) -> None:
    module, _, function = STAGES[stage].rpartition(".")
    prelude = f"""
import importlib, os, signal, time
module = importlib.import_module({module!r})
def interrupted(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(30)
setattr(module, {function!r}, interrupted)
"""
    arguments = (files / "good.pt2", "--to", "tf", "-o", tmp_path / "deep" / "out")
    done = run("converter.cli", *arguments, folder=tmp_path, prelude=prelude)
    assert done.returncode == 130, done.stderr
    assert f"Interrupted while at the stage {stage}" in done.stderr
    assert "Traceback" not in done.stderr
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(("stage", "to"), [("save", "torch"), ("verify", "onnx")])
def test_the_next_run_sweeps_what_kill_9_left_and_says_so(
    stage: str, to: str, files: Path, tmp_path: Path
) -> None:
    """`benchmarks.killed` does it at any moment and with all targets."""
    function = {"save": "converter.engines.native.save", "verify": "verify.job.Job._runs"}[stage]
    owner, _, name = function.rpartition(".")
    prelude = f"""
import os, pkgutil, signal
owner = pkgutil.resolve_name({owner!r})
setattr(owner, {name!r}, lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL))
"""
    (temporary := tmp_path / "temporary").mkdir()
    arguments = (files / "good.pt2", "--to", to, "-o", tmp_path / "made" / "out")
    told = {"folder": tmp_path, "environment": {"TMPDIR": str(temporary)}}
    done = run("converter.cli", *arguments, prelude=prelude, **told)
    assert done.returncode == -9
    (left,) = (tmp_path / "made").iterdir()
    assert len(list(temporary.iterdir())) == 1
    again = run("converter.cli", *arguments, "--no-verify", **told)
    assert again.returncode == 0, again.stderr
    assert f"Removed {left.name}, which a run that was killed had left" in again.stderr
    assert [path.name for path in (tmp_path / "made").iterdir()] == ["out"]
    assert list(temporary.iterdir()) == []


def test_a_defect_of_ours_is_named_as_such(files: Path, tmp_path: Path) -> None:
    prelude = "import converter.pipeline as p\np.trace = lambda *a: 1 / 0\n"
    arguments = (files / "good.pt2", "--to", "tf")
    done = run("converter.cli", *arguments, folder=tmp_path, prelude=prelude)
    assert done.returncode == 70
    assert "defect of Equiport" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []
    told = run("converter.cli", *arguments, "-v", folder=tmp_path, prelude=prelude)
    assert "ZeroDivisionError" in told.stderr.split("Traceback")[1]


def test_a_conversion_prints_its_stages_and_its_comparison(files: Path, tmp_path: Path) -> None:
    arguments = (files / "good.pt2", "--to", "tf", "-o", "out", "--report", "report")
    done = run("converter.cli", *arguments, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    stages = [line.split()[0] for line in done.stderr.splitlines() if line.strip()]
    assert stages == ["load", "trace", "rewrite", "rebuild", "save", "verify"], done.stderr
    assert "Written to out" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "report"]
    assert {path.suffix for path in (tmp_path / "report").iterdir()} == {
        ".json",
        ".xml",
        ".md",
        ".html",
        ".sarif",
    }
    again = run("converter.cli", *arguments, folder=tmp_path)
    assert again.returncode == 2
    assert "exists already" in again.stderr


def test_a_trusted_pickle_finds_its_classes_in_the_present_folder(tmp_path: Path) -> None:
    (tmp_path / "mymodels.py").write_text("from torch import nn\nclass Net(nn.Linear):\n    pass\n")
    make = "import torch, mymodels; torch.save(mymodels.Net(4, 3), 'net.pt')"
    subprocess.run([sys.executable, "-c", make], cwd=tmp_path, check=True)
    # A console script does not have the present folder on its path, as `python -c` has.
    prelude = "sys.path = [item for item in sys.path if item]"
    arguments = ("net.pt", "--trust", "--to", "onnx", *X)
    done = run("converter.cli", *arguments, folder=tmp_path, prelude=prelude)
    assert done.returncode == 0, done.stderr


def test_json_is_all_that_standard_output_has(files: Path, tmp_path: Path) -> None:
    done = run(
        "converter.cli", files / "good.pt2", "--to", "torch", "--json", "-q", folder=tmp_path
    )
    data = json.loads(done.stdout)
    assert (data["passed"], data["path"], data["engine"]) == (True, "good_torch", "native")
    assert done.stderr == ""
    failed = run("converter.cli", files / "notes.txt", "--to", "tf", "--json", folder=tmp_path)
    data = json.loads(failed.stdout)
    assert (data["passed"], data["exit_code"]) == (False, 2)
    assert data["error"]["type"] == "UnreadableModelError"


def test_a_difference_fails_with_exit_code_1_and_the_table(files: Path, tmp_path: Path) -> None:
    prelude = """
import converter.engines.native as native
build = native.build
def damaged(graph, options):
    module = build(graph, options)
    bias = module.named_variables()["0.bias"]
    bias.assign(bias + 0.01)
    return module
native.build = damaged
"""
    arguments = (files / "good.pt2", "--to", "tf", "-o", "out", "--engine", "native")
    done = run("converter.cli", *arguments, folder=tmp_path, prelude=prelude)
    assert done.returncode == 1, done.stderr
    assert "do not agree" in done.stderr
    assert "output" in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["converter.cli.convert", "verify.cli.verify"])
def test_an_option_called_like_its_value_has_its_flag_written_out(command: str) -> None:
    """Typer 0.27 calls an option ``--DEVICE`` if its value is so named and it has no flag."""
    module, _, name = command.rpartition(".")
    parameters = inspect.signature(getattr(import_module(module), name), eval_str=True).parameters
    infos = {
        key: info
        for key, parameter in parameters.items()
        for info in getattr(parameter.annotation, "__metadata__", ())
        if isinstance(info, OptionInfo)
    }
    assert len(infos) > 10
    # In an annotation the first flag stands where a default would.
    unnamed = [
        key for key, info in infos.items()
        if not isinstance(info.default, str)
        and (info.metavar or "").lower() == key.replace("_", "-")
    ]  # fmt: skip
    assert unnamed == []
