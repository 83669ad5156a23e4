"""Temporary folders: what a killed process left is swept, what a living one works on is not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from converter import temporary
from converter.formats.staged import publish, staged, swept
from converter.temporary import TemporaryFolder, sweep

MAKER = """
import sys, time
from pathlib import Path
from converter.temporary import TemporaryFolder
folder = TemporaryFolder({prefix!r}, Path({parent!r}))
(folder.path / "half").write_text("made")
print(folder.path.name, flush=True)
time.sleep(60)
"""


@pytest.fixture
def maker(tmp_path: Path):
    """A process that holds a folder in ``tmp_path``, until the test ends it."""
    code = MAKER.format(prefix=".out.", parent=str(tmp_path))
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline().startswith(".out.equiport-")
    yield process
    process.kill()
    process.wait()


def test_a_folder_is_swept_when_its_process_is_dead_and_not_before(
    maker: subprocess.Popen[str], tmp_path: Path
) -> None:
    (left,) = tmp_path.iterdir()
    assert sweep(".out.", tmp_path) == []
    assert (left / "half").exists()
    os.kill(maker.pid, signal.SIGKILL)
    maker.wait()
    assert sweep(".other.", tmp_path) == []
    assert sweep(".out.", tmp_path) == [left]
    assert list(tmp_path.iterdir()) == []


def test_what_this_process_calls_temporary_lies_in_one_folder_that_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR", raising=False)
    with temporary.all_in_one_folder():
        made = Path(tempfile.mkdtemp())
        assert made.parent.parent == tmp_path
        assert os.environ["TMPDIR"] == str(made.parent)
        assert Path(os.environ["TORCHINDUCTOR_CACHE_DIR"]).parent == tmp_path
    assert list(tmp_path.iterdir()) == []
    assert (os.environ["TMPDIR"], tempfile.tempdir) == (str(tmp_path), str(tmp_path))
    assert "TORCHINDUCTOR_CACHE_DIR" not in os.environ


def test_of_two_in_one_process_each_keeps_its_own(tmp_path: Path) -> None:
    with TemporaryFolder("", tmp_path) as first, TemporaryFolder("", tmp_path) as second:
        assert first != second
        assert sweep("", tmp_path) == []
        assert first.is_dir()
        assert second.is_dir()
    assert list(tmp_path.iterdir()) == []


def test_what_only_looks_like_ours_stays(tmp_path: Path) -> None:
    for name in ("equiport-held-", "equiport-held-longer_than_that", "equiport-held-UPPERCAS"):
        (tmp_path / name).mkdir()
    (tmp_path / "equiport-held-abcdefgh").write_text("a file")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "equiport-held-linklink").symlink_to(tmp_path / "elsewhere")
    before = sorted(tmp_path.iterdir())
    assert sweep("", tmp_path) == []
    assert sorted(tmp_path.iterdir()) == before


def test_a_folder_that_is_swept_before_it_is_locked_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process may come between the making and the locking."""
    lock, between = temporary._locked, []

    def slow(path: Path, by_force: bool = False) -> int | None:
        if not by_force and not between:
            between.append(path)
            assert sweep("", tmp_path) == [path]
        return lock(path, by_force)

    monkeypatch.setattr(temporary, "_locked", slow)
    with TemporaryFolder("", tmp_path) as folder:
        assert folder.is_dir()
        assert folder not in between
        assert sweep("", tmp_path) == []


def test_without_locks_nothing_is_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(temporary, "_flock", lambda descriptor: False)
    (tmp_path / "equiport-held-abcdefgh").mkdir()
    with TemporaryFolder("", tmp_path):
        assert sweep("", tmp_path) == []


@pytest.mark.parametrize("name", ["out", "out.keras", "größe" * 34])
def test_two_at_once_onto_one_output_do_not_sweep_each_other(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    with staged(path) as first, staged(path) as second:
        first.write_text("first")
        second.write_text("second")
        assert swept(path) == []
        publish(first, path)
        assert second.exists()
    assert path.read_text() == "first"
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_swept_is_said(maker: subprocess.Popen[str], tmp_path: Path) -> None:
    maker.kill()
    maker.wait()
    (left,) = tmp_path.iterdir()
    (line,) = swept(tmp_path / "out")
    assert left.name in line
    assert "killed" in line
