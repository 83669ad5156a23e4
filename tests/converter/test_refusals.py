"""What cannot work is refused before any work: typed, exit code 2, and no framework is imported."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

import converter
from converter import devices
from converter.errors import EquiportError, MissingFrameworkError, UsageError
from tests.commands import run

WHAT_WAS_IMPORTED = """
import atexit, sys
heavy = ("torch", "tensorflow", "keras", "onnxruntime", "tf2onnx")
atexit.register(lambda: sys.stderr.write(f"imported: {[n for n in heavy if n in sys.modules]}\\n"))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``m.onnx``, which is y = x + 1, and what the options below name."""
    folder = tmp_path_factory.mktemp("refused")
    one = onnx.numpy_helper.from_array(np.ones(1, np.float32), "one")
    info = [onnx.helper.make_tensor_value_info(n, 1, ["batch", 4]) for n in "xy"]
    node = onnx.helper.make_node("Add", ["x", "one"], ["y"])
    graph = onnx.helper.make_graph([node], "g", info[:1], info[1:], [one])
    opsets = [onnx.helper.make_opsetid("", 20)]
    made = onnx.helper.make_model(graph, opset_imports=opsets, ir_version=10)
    onnx.save(made, folder / "m.onnx")
    (folder / "notes.txt").write_text("not a model")
    (folder / "broken.npz").write_text("no archive")
    (folder / "broken.lock.json").write_text("{")
    (folder / "cases.py").write_text("def good():\n    yield {}\n")
    return folder


CONVERT = {
    "a device that is not here": (["--device", "cuda"], "no GPU is found"),
    "a device of that number": (["--device", "cuda:7"], "cuda:7 cannot be used"),
    "an unknown device": (["--device", "gpu"], "unknown device 'gpu'"),
    "an input that cannot be read": (["--input", "x:float32[batch"], "x:float32[batch"),
    "an input of no type": (["--input", "x:float33[4]"], "float33"),
    "an unknown engine": (["--engine", "magic"], "unknown engine 'magic'"),
    "an unknown purpose": (["--for", "fun"], "unknown purpose 'fun'"),
    "an unknown layout": (["--layout", "hwcn"], "unknown layout 'hwcn'"),
    "an engine that cannot write it": (["--to", "torch", "--engine", "onnx2tf"], "onnx2tf"),
    "a factory of no form": (["--model", "builder"], "cannot read the factory 'builder'"),
    "no interpreter": (["--python-tf", "/no/python"], "/no/python cannot be started"),
    "another program": (["--python-torch", "/bin/true"], "/bin/true does not answer as Python"),
    "a folder as interpreter": (["--python-tf", "/"], "interpreter / cannot be started"),
    "a negative tolerance": (["--rtol", "-1"], "rtol is -1"),
    "no time": (["--budget", "0s"], "cannot read the budget"),
    "no seeds": (["--seeds", "0"], "seeds"),
    "a report in a file": (["--report", "notes.txt"], "notes.txt is a file"),
    "a report below a file": (["--report", "notes.txt/deep"], "cannot be written"),
    "a report of nothing": (["--report", "r", "--no-verify"], "nothing to report"),
    "an output below a file": (["-o", "notes.txt/out"], "notes.txt"),
    "a layout of no image": (["--layout", "nhwc"], "no input and no output is an image"),
}

VERIFY = {
    "a device that is not here": (["--device", "b=cuda"], "no GPU is found"),
    "a device of no side": (["--device", "c=cpu"], "no side 'c'"),
    "an unknown runtime": (["--runtime", "spark"], "unknown runtime 'spark'"),
    "a runtime for neither": (["--runtime", "keras"], "keras runs neither side"),
    "a runtime for not this side": (["--runtime", "b=litert"], "litert runs not b"),
    "no data": (["--data", "absent.npz"], "absent.npz"),
    "data that are none": (["--data", "broken.npz"], "broken.npz"),
    "data of no function": (["--data", "cases.py:absent"], "absent"),
    "no record": (["--against", "absent.json"], "absent.json"),
    "a broken record": (["--against", "broken.lock.json"], "broken.lock.json"),
    "a record below a file": (["--lock", "notes.txt/a.json"], "cannot be written"),
    "JUnit below a file": (["--junit", "notes.txt/a.xml"], "cannot be written"),
    "JUnit as a folder": (["--junit", "."], "is a folder"),
    "a page below a file": (["--html", "notes.txt/a.html"], "cannot be written"),
    "TensorBoard below a file": (["--tensorboard", "notes.txt/a"], "cannot be written"),
    "a repro below a file": (["--repro", "notes.txt/a"], "cannot be written"),
    "two reports to one": (["--html", "-", "--junit", "-"], "standard output"),
    "a summary for nobody": (["--summary"], "GITHUB_STEP_SUMMARY"),
    "a renaming of no form": (["--rename", "x"], "cannot read --rename"),
    "unordered of no form": (["--unordered", "a+"], "cannot read the unordered outputs"),
    "an input that cannot be read": (["--input", "x["], "x["),
    "no interpreter": (["--python-torch", "/no/python"], "/no/python cannot be started"),
    "another program": (["--python-tf", "/bin/true"], "/bin/true does not answer as Python"),
    "no such loss": (["--grad", "--loss", "luck"], "luck"),
    "steps back": (["--grad", "--steps", "-1"], "steps is -1"),
    "no timeout": (["--timeout", "0"], "timeout is 0"),
    "a slowdown of nothing": (["--max-slowdown", "0"], "max_slowdown is 0"),
    "no memory": (["--memory-limit", "much"], "much"),
    "no threads": (["--threads", "0"], "threads"),
    "no seeds": (["--seeds", "0"], "0 seeds"),
    "a negative seed": (["--seed", "-1"], "the seed -1 is negative"),
    "no time": (["--budget", "soon"], "cannot read the budget"),
    "an unknown tolerance": (["--tolerance", "lax"], "unknown tolerance 'lax'"),
    "a negative tolerance": (["--atol", "-1"], "atol is -1"),
}

NO_GPU = {"CUDA_VISIBLE_DEVICES": "-1", "GITHUB_STEP_SUMMARY": ""}

ONE_BY_ONE = """
import json, os, sys, tempfile
heavy = ("torch", "tensorflow", "keras", "onnxruntime", "tf2onnx")
told, answers = json.loads(sys.argv[1]), {}
for name, arguments in told.items():
    sys.argv[1:] = arguments
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), 2)
        sys.stderr = open(2, "w", closefd=False)
        try:
            main()
            code = 0
        except SystemExit as end:
            code = end.code
        sys.stderr.flush()
        said.seek(0)
        text = said.read().decode()
    answers[name] = code, text, [n for n in heavy if n in sys.modules]
print("ANSWERS", json.dumps(answers))
sys.exit(0)
"""
"""Runs the command with each list of arguments in one process: it imports no framework for any."""

Answers = dict[str, tuple[int, str, list[str]]]


def all_answers(module: str, table: dict[str, list[str]], folder: Path) -> Answers:
    before = sorted(folder.iterdir())
    prelude = f"from {module} import main\n{ONE_BY_ONE}"
    done = run(module, json.dumps(table), folder=folder, prelude=prelude, environment=NO_GPU)
    answers = done.stdout.rpartition("ANSWERS ")[2]
    assert answers, done.stderr
    assert [p for p in sorted(folder.iterdir()) if p.name != "__pycache__"] == before
    return json.loads(answers)


@pytest.fixture(scope="module")
def answers(folder: Path) -> dict[str, Answers]:
    converting = {
        name: ["m.onnx", *([] if "--to" in more else ["--to", "onnx"]),
               *([] if "-o" in more else ["-o", "out"]), *more]
        for name, (more, _) in CONVERT.items()
    }  # fmt: skip
    verifying = {
        name: [*([] if "--against" in more else ["m.onnx", "m.onnx"]), *more]
        for name, (more, _) in VERIFY.items()
    }
    return {
        "convert": all_answers("converter.cli", converting, folder),
        "verify": all_answers("verify.cli", verifying, folder),
    }


@pytest.mark.parametrize(
    ("command", "name"),
    [*(("convert", name) for name in CONVERT), *(("verify", name) for name in VERIFY)],
)
def test_it_is_refused_before_any_work(
    command: str, name: str, answers: dict[str, Answers]
) -> None:
    words = {"convert": CONVERT, "verify": VERIFY}[command][name][1]
    code, said, imported = answers[command][name]
    assert code == 2, said
    assert words in said
    assert "Traceback" not in said
    assert imported == []


@pytest.mark.parametrize("command", ["convert", "verify"])
def test_without_jinja2_no_page_is_promised(command: str, folder: Path) -> None:
    prelude = WHAT_WAS_IMPORTED + (
        "import importlib.util as u\nfind = u.find_spec\n"
        "u.find_spec = lambda n, p=None: None if n == 'jinja2' else find(n, p)\n"
    )
    arguments = {
        "convert": ("converter.cli", "m.onnx", "--to", "onnx", "-o", "o", "--report", "r"),
        "verify": ("verify.cli", "m.onnx", "m.onnx", "--html", "r.html"),
    }[command]
    done = run(*arguments, folder=folder, prelude=prelude)
    assert done.returncode == MissingFrameworkError.exit_code, done.stderr
    assert "jinja2" in done.stderr
    assert done.stderr.rstrip().endswith("imported: []")


def test_a_report_folder_that_may_not_be_written(folder: Path) -> None:
    prelude = "import os; os.access = lambda *a, **k: False"  # root may write anywhere
    done = run(
        "converter.cli", "m.onnx", "--to", "onnx", "-o", folder / "o", "--report", "r",
        folder=folder, prelude=prelude,
    )  # fmt: skip
    assert done.returncode == 2
    assert "cannot be written" in done.stderr


def test_the_library_refuses_the_same(folder: Path, tmp_path: Path) -> None:
    out = {"output": tmp_path / "o"}
    wrong = {
        "no option 'latencyy'": {"verifier_options": {"latencyy": True}},
        "Did you mean 'seeds'": {"verifier_options": {"seed_s": 1}},
        "threads is 0": {"verifier_options": {"threads": 0}},
        "unknown runtime": {"verifier_options": {"runtime": "spark"}},
        "cannot read the budget": {"budget": "later"},
    }
    for words, options in wrong.items():
        with pytest.raises(UsageError) as refusal:
            converter.convert(folder / "m.onnx", "onnx", **out, **options)
        assert words in str(refusal.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("gpus", "without", "device", "words"),
    [
        (0, None, "cuda", "no GPU is found"),
        (1, None, "cuda:1", "there are 1 GPUs"),
        (2, "torch 2.0+cpu", "cuda", "torch 2.0+cpu is made without CUDA"),
        (2, None, "cuda:1", None),
        (0, None, "cpu", None),
    ],
)
def test_a_device_is_looked_for(
    gpus: int, without: str | None, device: str, words: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "gpus", lambda: gpus)
    monkeypatch.setattr(devices, "without_cuda", lambda framework: without)
    if words is None:
        devices.check_device(device, "torch")
        return
    with pytest.raises(EquiportError) as refusal:
        devices.check_device(device, "torch")
    assert words in str(refusal.value)
    if without is not None:  # another interpreter may have a build with CUDA
        devices.check_device(device)
