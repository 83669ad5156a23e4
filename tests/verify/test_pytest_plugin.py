"""The pytest plugin, in a test session of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.verify.models import classifier, saved
from verify.pytest_plugin import _file_name

TESTS = """
import pytest

OPTIONS = {"tolerance": "fixed", "seeds": 1, "sizes": {"batch": [2]}}

def test_sound(assert_equivalent):
    assert_equivalent("a.onnx", "same.onnx", **OPTIONS)

@pytest.mark.parametrize("name", ["other.onnx"])
def test_wrong(assert_equivalent, name):
    assert_equivalent("a.onnx", name, **OPTIONS)

def test_seen(verify_models):
    for _ in range(2):
        assert not verify_models("a.onnx", "other.onnx", **OPTIONS).passed
"""


def session(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    saved(classifier(), folder / "a.onnx")
    saved(classifier(), folder / "same.onnx")
    saved(classifier(weight_change=0.5), folder / "other.onnx")
    (folder / "test_models.py").write_text(TESTS)
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "verify.pytest_plugin",
         "-p", "no:cacheprovider", *options],
        cwd=folder, env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}, capture_output=True,
        text=True, timeout=300, check=False,
    )  # fmt: skip


def test_a_failure_leaves_its_report(tmp_path: Path) -> None:
    done = session(tmp_path, "--equiport-reports", "reports", "--junit-xml", "junit.xml")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 failed, 2 passed" in done.stdout
    assert "FAIL" in done.stdout
    assert "logits" in done.stdout
    found = sorted(path.name for path in (tmp_path / "reports").iterdir())
    pages = [name for name in found if name.endswith(".html")]
    assert len(found) == 2 * len(pages) == 6
    (wrong,) = [name for name in pages if "test_wrong" in name]
    assert f"report: {tmp_path / 'reports' / wrong}" in done.stdout
    assert not any("test_sound" in name for name in found)
    data = json.loads((tmp_path / "reports" / wrong).with_suffix(".json").read_text())
    assert data["passed"] is False
    junit = ElementTree.parse(tmp_path / "junit.xml")
    properties = [item.get("value") for item in junit.iter("property")]
    assert sorted(properties) == sorted(str(tmp_path / "reports" / name) for name in pages)


def test_without_a_folder_the_text_is_shown(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\nequiport_reports =\n")
    done = session(tmp_path, "-k", "wrong")
    assert done.returncode == 1
    assert "--equiport-reports DIR keeps it" in done.stdout
    assert not (tmp_path / "reports").exists()


def test_each_test_has_its_own_file() -> None:
    start = "tests/test_a.py::test_x"
    names = [start, f"{start}[a/b]", f"{start}[a:b]", f"{start}[{'y' * 500}]"]
    files = [_file_name(name) for name in names]
    assert len(set(files)) == 4
    assert files[0] == "tests_test_a.py_test_x"
    assert max(map(len, files)) < 140
    with pytest.raises(AssertionError):
        assert _file_name("a[1]") == _file_name("a_1")
