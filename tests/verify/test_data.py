"""The user's own data: files, functions that yield cases, and what is wrong with them."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from converter.errors import InputSpecError, UsageError
from tests.verify.models import classifier, saved
from verify import verify
from verify.data import MOST_CASES, from_file, own_data


def test_data_files(tmp_path) -> None:
    np.savez(tmp_path / "ok.npz", x=np.ones(3), t=np.array(["a", "bc"]))
    data = from_file(tmp_path / "ok.npz")
    assert data["x"].tolist() == [1, 1, 1]
    assert data["t"].tolist() == ["a", "bc"]
    np.save(tmp_path / "one.npy", np.ones(3))
    np.savez(tmp_path / "pickled.npz", x=np.array([object()]))
    (tmp_path / "cut.npz").write_bytes((tmp_path / "ok.npz").read_bytes()[:60])
    (tmp_path / "text.npz").write_text("no archive")
    np.savez(tmp_path / "empty.npz")
    for name in ("one.npy", "pickled.npz", "cut.npz", "text.npz", "empty.npz", "missing.npz"):
        with pytest.raises(UsageError, match=name):
            from_file(tmp_path / name)


FUNCTIONS = """
import numpy as np
import neighbour

def good():
    for rows in (1, 5):
        yield {"x": np.full((rows, 4), neighbour.VALUE, np.float32)}

def in_order():
    return [(np.zeros((2, 4), np.float32),)]

def one():
    return {"x": np.ones((3, 4), np.float32)}

def endless():
    while True:
        yield {"x": np.ones((1, 4), np.float32)}

def failing():
    yield {"x": np.ones((1, 4), np.float32)}
    raise KeyError("no such picture")

def texts():
    yield "x"

def number():
    return 5

def nothing():
    return iter(())

def lists():
    yield {"x": object()}

NOT_ONE = 5
"""


@pytest.fixture
def functions(tmp_path: Path) -> str:
    """Return the path of a file of functions, which imports what lies beside it."""
    (tmp_path / "neighbour.py").write_text("VALUE = 7\n")
    path = tmp_path / "cases.py"
    path.write_text(FUNCTIONS)
    return str(path)


def drawn(data: object) -> tuple[list, list[str]]:
    findings: list[str] = []
    return own_data(data).cases(["x"], findings), findings


def test_functions_yield_cases(functions: str) -> None:
    cases, findings = drawn(f"{functions}:good")
    assert [(label, arrays["x"].shape) for label, arrays in cases] == [
        ("data 0", (1, 4)), ("data 1", (5, 4)),
    ]  # fmt: skip
    assert cases[0][1]["x"][0, 0] == 7
    assert findings == []
    assert len(drawn(f"{functions}:one")[0]) == 1
    assert drawn(f"{functions}:in_order")[0][0][1]["x"].shape == (2, 4)
    cases, findings = drawn(f"{functions}:endless")
    assert len(cases) == MOST_CASES
    assert "more than" in findings[0]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("failing", r"failing raised KeyError: 'no such picture' \(at cases.py:21\)"),
        ("texts", "yields a str"), ("number", "returns a int"), ("nothing", "no data"),
        ("lists", "is a object, not a tensor"), ("absent", "has no 'absent'"),
        ("NOT_ONE", "is a int, not a function"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_function_is_said(functions: str, name: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        drawn(f"{functions}:{name}")
    assert re.search(words, str(caught.value)), caught.value


def test_a_file_that_cannot_be_imported_is_refused_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "wrong.py").write_text("import math\nraise ValueError('too early')\n")
    with pytest.raises(UsageError, match="too early") as caught:
        own_data(f"{tmp_path}/wrong.py:f")
    assert caught.value.source_line == "wrong.py:2"
    with pytest.raises(UsageError, match="does not exist"):
        own_data(f"{tmp_path}/absent.py:f")
    with pytest.raises(UsageError, match="not found"):
        own_data("no.such.module:f")


def test_each_case_is_a_run_and_a_fault_in_one_of_them_shows(functions: str) -> None:
    report = verify(classifier(), classifier(), data=f"{functions}:good")
    assert report.passed
    assert [run.label for run in report.runs] == ["data 0", "data 1"]

    def cases():
        yield {"x": np.zeros((2, 4), np.float32)}  # a wrong weight does not show on zeros
        yield {"x": np.ones((3, 4), np.float32)}

    for data in (cases, cases(), list(cases())):
        report = verify(classifier(), classifier(weight_change=1e-2), data=data)
        assert [run.stage.value for run in report.runs] == ["ok", "mismatch"]
    with pytest.raises(InputSpecError, match="no array for the input 'x'"):
        verify(classifier(), classifier(), data=lambda: {"y": np.ones(3)})


def test_models_that_say_nothing_take_the_cases_as_they_are() -> None:
    torch = pytest.importorskip("torch")
    module = torch.nn.Linear(4, 3)
    cases = [(torch.ones(rows, 4),) for rows in (1, 3)]
    report = verify(module, module, data=cases)
    assert report.passed
    assert [run.outputs["output"].shape for run in report.runs] == [(1, 3), (3, 3)]
    with pytest.raises(UsageError, match="more than one dtype"):
        verify(module, module, data=[*cases, (torch.ones(1, 4).double(),)])


def test_the_command_takes_a_function_and_unordered_outputs(functions: str, tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from verify.cli import app

    path = str(saved(classifier(), tmp_path / "model.onnx"))
    run = CliRunner().invoke(app, [path, path, "--data", f"{functions}:good", "-v"])
    assert run.exit_code == 0, run.output
    assert "data 1" in run.output
    # Of the rows of logits and labels each case has a set.
    options = ["--unordered", "logits+label", "--no-frozen", "--seeds", "1"]
    run = CliRunner().invoke(app, [path, path, *options])
    assert run.exit_code == 0, run.output
    run = CliRunner().invoke(app, [path, path, "--unordered", "logits+other"])
    assert run.exit_code == 2
    assert "other" in run.output
    run = CliRunner().invoke(app, [path, path, "--data", f"{functions}:failing"])
    assert run.exit_code == 2
    assert "cases.py:21" in run.output
