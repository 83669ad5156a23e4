"""The GitHub Action: its file is sound, and its shell steps do what they say."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.verify.models import classifier, saved

CI = Path(__file__).parents[2] / "docs" / "ci"
ACTION = yaml.safe_load((CI / "action.yml").read_text(encoding="utf-8"))
WORKFLOW = yaml.safe_load((CI / "workflow.yml").read_text(encoding="utf-8"))
STEPS = {step["name"]: step for step in ACTION["runs"]["steps"]}

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")


def step(name: str, folder: Path, **inputs: str) -> tuple[int, dict[str, str], str]:
    """Run a step as GitHub does; return its exit code, its outputs and what it printed."""
    known = {key: told.get("default", "") for key, told in ACTION["inputs"].items()}
    assert inputs.keys() <= known.keys()
    known |= {"python": sys.executable} | inputs
    values = {
        key: re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", lambda found: known[found[1]], text)
        for key, text in STEPS[name].get("env", {}).items()
    }
    script = folder / "step.sh"
    script.write_text(STEPS[name]["run"])
    output = folder / "output"
    output.write_text("")
    values |= {"GITHUB_OUTPUT": str(output), "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
               "RUNNER_TEMP": str(folder)}  # fmt: skip
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)], cwd=folder,
        env=os.environ | values, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    pairs = (line.split("=", 1) for line in output.read_text().splitlines())
    return done.returncode, dict(pairs), done.stdout + done.stderr


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """Return a folder with a model, a copy of it and a wrong one; one name has a space."""
    saved(classifier(), tmp_path / "a.onnx")
    saved(classifier(), tmp_path / "the same.onnx")
    saved(classifier(weight_change=0.5), tmp_path / "other.onnx")
    return tmp_path


def test_the_files_are_sound() -> None:
    assert ACTION["runs"]["using"] == "composite"
    for item in STEPS.values():
        assert item["shell"] == "bash"
        # Text of an input inside of a script would be run as a script.
        assert "${{" not in item["run"]
        used = re.findall(r"inputs\.([\w-]+)", json.dumps(item))
        assert set(used) <= ACTION["inputs"].keys()
    uses = [item for item in WORKFLOW["jobs"]["verify"]["steps"] if "verify-models" in
            item.get("uses", "")]  # fmt: skip
    assert len(uses) == 2
    for item in uses:
        assert item["with"].keys() <= ACTION["inputs"].keys()
    for told in ACTION["outputs"].values():
        assert re.fullmatch(r"\$\{\{ steps\.verify\.outputs\.[\w-]+ \}\}", told["value"])


def test_two_that_agree_pass_with_all_reports(models: Path) -> None:
    code, outputs, text = step(
        "Verify", models, source="a.onnx", target="the same.onnx",
        options="--seeds=1\n--tolerance=fixed\n\n--input=x:float32[batch,4]\n",
    )  # fmt: skip
    assert code == 0, text
    assert outputs == {"passed": "true", "exit-code": "0"}
    assert sorted(path.name for path in (models / "equiport-reports").iterdir()) == [
        "junit.xml", "report.html", "report.json", "report.sarif",
    ]  # fmt: skip
    assert "the same.onnx: ✅ passed" in (models / "summary.md").read_text(encoding="utf-8")
    assert "PASSED" in text


def test_two_that_differ_fail_and_still_leave_reports(models: Path) -> None:
    options = "--seeds=1\n--tolerance=fixed"
    code, outputs, text = step(
        "Verify", models, source="a.onnx", target="other.onnx", options=options, reports="r"
    )
    assert code == 1, text
    assert outputs == {"passed": "false", "exit-code": "1"}
    assert json.loads((models / "r" / "report.json").read_text())["passed"] is False
    assert "❌ failed" in (models / "summary.md").read_text(encoding="utf-8")


def test_what_is_no_model_is_exit_code_2(models: Path) -> None:
    code, outputs, text = step("Verify", models, source="a.onnx", target="$(touch hacked)")
    assert code == 2, text
    assert outputs == {"passed": "false", "exit-code": "2"}
    assert not (models / "hacked").exists()


def test_against_a_record(models: Path) -> None:
    options = "--seeds=1\n--tolerance=fixed\n--lock=equiport.lock.json"
    code, _, text = step("Verify", models, source="a.onnx", target="the same.onnx", options=options)
    assert code == 0, text
    shutil.copy(models / "other.onnx", models / "the same.onnx")
    code, outputs, text = step("Verify", models, against="equiport.lock.json")
    assert code == 1, text
    assert "DRIFT: it passed then and failed now" in text
    assert "DRIFT: the target the same.onnx is another one" in text
    assert outputs["passed"] == "false"


def test_the_installation_is_pips(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\nprintf "%s " "$@" > called\ncat "$5" >> called\n')
    python.chmod(0o755)
    code, _, text = step(
        "Install", tmp_path, python=str(python), install="equiport[torch]\nonnx>=1.19"
    )
    assert code == 0, text
    called = (tmp_path / "called").read_text()
    assert called.startswith("-m pip install --requirement ")
    assert called.endswith("equiport[torch]\nonnx>=1.19\n")
