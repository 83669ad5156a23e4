"""The `verify` command: exit codes, what goes where, and bad input without a traceback."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from tests.verify.models import FAULTS, classifier, saved
from verify.cli import with_optional_values

HEAVY = {"numpy", "torch", "tensorflow", "keras", "onnx", "onnx_ir", "onnxruntime", "rich.table"}


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "verify.cli", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return done


@pytest.fixture
def spoilt(tmp_path: Path) -> Path:
    """Return the path of a classifier with one weight changed."""
    return saved(FAULTS["one weight changed"][0](), tmp_path / "spoilt.onnx")


def test_passed_is_0_with_a_table_of_80_columns(source: Path) -> None:
    done = run(source, source)
    assert done.returncode == 0
    assert "PASSED" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "\x1b" not in done.stdout + done.stderr
    assert "running seed 0" in done.stderr


def test_failed_is_1_and_all_reports_are_written(
    source: Path, spoilt: Path, tmp_path: Path
) -> None:
    files = {form: tmp_path / f"report.{form}" for form in ("json", "junit", "html", "markdown")}
    options = [item for form, path in files.items() for item in (f"--{form}", path)]
    done = run(source, spoilt, *options, "-q")
    assert done.returncode == 1
    assert done.stdout == done.stderr == ""
    assert json.loads(files["json"].read_text())["passed"] is False
    assert ElementTree.parse(files["junit"]).getroot().get("failures") != "0"
    assert "FAIL" in files["html"].read_text()
    assert "❌" in files["markdown"].read_text()


@pytest.mark.parametrize("fault", [False, True])
def test_a_reader_who_leaves_is_no_verdict(
    source: Path, spoilt: Path, tmp_path: Path, fault: bool
) -> None:
    file = tmp_path / "junit.xml"
    command = [sys.executable, "-m", "verify.cli", source, spoilt if fault else source]
    process = subprocess.Popen(
        [*map(str, command), "--seeds", "1", "--junit", str(file)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.close()
    assert "Traceback" not in process.communicate(timeout=300)[1]
    assert process.returncode == (1 if fault else 0)
    assert file.exists()


@pytest.mark.parametrize("option", [["--json"], ["--json", "-"], ["--json=-"]])
def test_json_to_stdout_is_json_alone(source: Path, spoilt: Path, option: list[str]) -> None:
    done = run(*option, source, spoilt, "--seeds", 1)
    assert done.returncode == 1
    assert json.loads(done.stdout)["passed"] is False
    assert "FAILED" in done.stderr


def test_what_counts_as_a_failure_can_be_chosen(source: Path, spoilt: Path) -> None:
    assert run(source, spoilt, "--seeds", 1, "--fail-on", "never").returncode == 0
    assert run(source, source, "--seeds", 1, "--fail-on", "finding").returncode == 0
    frozen = classifier(input_name="z")
    other = saved(frozen, source.parent / "other.onnx")  # passes, with a note on the name
    assert run(source, other, "--seeds", 1).returncode == 0
    assert run(source, other, "--seeds", 1, "--fail-on", "finding").returncode == 1


def test_tolerance_data_and_names_of_the_user(source: Path, spoilt: Path, tmp_path: Path) -> None:
    given = ("--rtol", "0", "--atol", "0.1", "--no-weights")
    assert run(source, spoilt, "--seeds", 1, *given).returncode == 0
    np.savez(tmp_path / "zeros.npz", x=np.zeros((2, 4), np.float32))
    assert run(source, spoilt, "--data", tmp_path / "zeros.npz", "--no-weights").returncode == 0
    assert run(source, spoilt, "--data", tmp_path / "zeros.npz").returncode == 1
    renamed = saved(classifier(output="scores"), tmp_path / "renamed.onnx")
    assert run(source, renamed, "--seeds", 1).returncode == 1
    assert run(source, renamed, "--seeds", 1, "--rename", "logits=scores").returncode == 0


BAD = {
    "missing file": (["SOURCE", "missing.onnx"], "missing.onnx does not exist"),
    "empty file": (["empty.onnx", "SOURCE"], "empty.onnx is empty"),
    "cut file": (["cut.onnx", "SOURCE"], "cut.onnx"),
    "no model": (["text.txt", "SOURCE"], "text.txt is no model"),
    "bad spec": (["SOURCE", "SOURCE", "--input", "x:float31[3]"], "unknown dtype 'float31'"),
    "foreign input": (["SOURCE", "SOURCE", "--input", "q:float32[3,4]"], "no input called 'q'"),
    "missing data": (["SOURCE", "SOURCE", "--data", "none.npz"], "none.npz does not exist"),
    "bad data": (["SOURCE", "SOURCE", "--data", "text.txt"], "text.txt cannot be read"),
    "bad rename": (["SOURCE", "SOURCE", "--rename", "x"], "Write A=B"),
    "bad runtime": (["SOURCE", "SOURCE", "--runtime", "spark"], "unknown runtime 'spark'"),
    "bad device": (["SOURCE", "SOURCE", "--device", "tpu"], "unknown device 'tpu'"),
    "bad tolerance": (["SOURCE", "SOURCE", "--rtol", "-1"], "rtol is -1"),
    "two to stdout": (["SOURCE", "SOURCE", "--json", "-", "--junit", "-"], "standard output"),
    "report in a file": (["SOURCE", "SOURCE", "--json", "text.txt/r.json"], "not writable"),
    "one argument": (["SOURCE"], "two models are needed"),
    "unknown option": (["SOURCE", "SOURCE", "--loose"], "No such option"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_usage_is_2_with_one_message(
    case: str, source: Path, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty.onnx").touch()
    Path("cut.onnx").write_bytes(source.read_bytes()[:150])
    Path("text.txt").write_text("hello")
    before = sorted(tmp_path.iterdir())
    arguments, words = BAD[case]
    done = run(*(source if argument == "SOURCE" else argument for argument in arguments))
    assert done.returncode == 2, done.stderr
    assert words in " ".join(done.stderr.split())
    assert done.stdout == ""
    assert sorted(tmp_path.iterdir()) == before


def test_html_without_jinja2_is_4(source: Path, tmp_path: Path, monkeypatch) -> None:
    code = "import sys; sys.modules['jinja2'] = None\n"
    (tmp_path / "sitecustomize.py").write_text(code)
    (tmp_path / "jinja2.py").unlink(missing_ok=True)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    done = run(source, source, "--html", tmp_path / "page.html")
    assert done.returncode == 4
    assert "equiport[reports]" in done.stderr
    assert not (tmp_path / "page.html").exists()


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nsys.argv = ['verify', '--help']\nfrom verify import cli\n"
        "try:\n    cli.main()\nexcept SystemExit:\n    pass\n"
        f"print(sorted({HEAVY!r} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("[]")
    assert "--max-slowdown" in done.stdout


def test_the_pytest_plugin_imports_nothing_heavy() -> None:
    code = f"import sys, verify.pytest_plugin\nprint(sorted({HEAVY!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_fixture_of_the_pytest_plugin(assert_equivalent) -> None:
    assert_equivalent(classifier(), classifier(), seeds=1)
    with pytest.raises(AssertionError, match="FAILED"):
        assert_equivalent(classifier(), classifier(weight_change=1), seeds=1)


@pytest.mark.parametrize(
    ("given", "result"),
    [
        (["a", "b", "--json"], ["a", "b", "--json", "-"]),
        (["a", "b", "--json", "-q"], ["a", "b", "--json", "-", "-q"]),
        (["a", "b", "--json", "out.json"], ["a", "b", "--json", "out.json"]),
        (["--json", __file__, "b"], ["--json", "-", __file__, "b"]),
        (["a", "b", "--json", "new_file"], ["a", "b", "--json", "new_file"]),
        (["--json=x", "a", "b"], ["--json=x", "a", "b"]),
        (["--", "--json"], ["--", "--json"]),
    ],
)
def test_json_may_stand_alone(given: list[str], result: list[str]) -> None:
    assert with_optional_values(given) == result
