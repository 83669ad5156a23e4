"""What a file is shows from its content, and bad files end in one typed error."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from converter import formats
from converter.errors import UnreadableModelError

TORCH = {
    "program.pt2": "exported_program",
    "script.pt": "torchscript",
    "weights.pt": "state_dict",
    "weights_legacy.pt": "state_dict",
    "checkpoint.pt": "state_dict",
    "module.pt": "torch_pickle",
    "module_legacy.pt": "torch_pickle",
    "weights.safetensors": "safetensors",
}
KERAS = {
    "model.keras": "keras_archive",
    "model.h5": "keras_h5",
    "model.weights.h5": "keras_h5",
    "saved_model": "saved_model",
    "saved_model/saved_model.pb": "saved_model",
}
ONNX = {"inside.onnx": "onnx_file", "beside.onnx": "onnx_file"}


@pytest.mark.parametrize("name", TORCH)
def test_torch_files_whatever_they_are_called(name: str, torch_files: Path, tmp_path: Path) -> None:
    check(torch_files / name, TORCH[name], tmp_path)


@pytest.mark.parametrize("name", KERAS)
def test_keras_files_whatever_they_are_called(name: str, keras_files: Path, tmp_path: Path) -> None:
    check(keras_files / name, KERAS[name], tmp_path)


@pytest.mark.parametrize("name", ONNX)
def test_onnx_files_whatever_they_are_called(name: str, onnx_files: Path, tmp_path: Path) -> None:
    check(onnx_files / name, ONNX[name], tmp_path)


def check(path: Path, kind: str, folder: Path) -> None:
    found = formats.recognise(path)
    assert kind == found.NAME
    if path.is_file() and path.name != "saved_model.pb":
        for ending in (".bin", ".onnx", ".keras", ".pt2"):  # the ending says nothing
            copy = shutil.copy(path, folder / f"copy{ending}")
            assert formats.recognise(copy) is found


def test_recognising_imports_no_framework(torch_files: Path, onnx_files: Path) -> None:
    files = [str(folder / name) for folder, names in ((torch_files, TORCH), (onnx_files, ONNX))
             for name in names]  # fmt: skip
    code = (
        "import sys; from converter import formats\n"
        f"for path in {files!r}: formats.recognise(path)\n"
        "heavy = {'torch', 'tensorflow', 'keras', 'onnx', 'numpy', 'h5py'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_check_above_sees_an_import() -> None:
    code = "import sys, numpy\nassert not {'numpy'} & set(sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode


def write_zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "nothing")


NO_MODELS = {
    "nothing there": (lambda path: None, "does not exist"),
    "an empty file": (lambda path: path.touch(), "empty"),
    "an empty folder": (lambda path: path.mkdir(), "an empty folder"),
    "a dangling link": (lambda path: path.symlink_to("absent"), "does not exist"),
    "an image": (lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(99)), "a PNG image"),
    "a text": (lambda path: path.write_text("weights: none"), "a text file"),
    "a plain pickle": (lambda path: path.write_bytes(b"\x80\x04N."), "a Python pickle"),
    "a plain zip": (write_zip, "readme.txt"),
    "half a zip": (lambda path: path.write_bytes(b"PK\x03\x04" + bytes(50)), "truncated"),
    "noise": (lambda path: path.write_bytes(bytes(range(255, 0, -1))), "unknown format"),
    "zeros": (lambda path: path.write_bytes(bytes(500)), "unknown format"),
    "a pointer": (
        lambda path: path.write_text("version https://git-lfs.github.com/spec/v1\n"),
        "Git LFS",
    ),
}


@pytest.mark.parametrize("name", NO_MODELS)
def test_what_is_no_model(name: str, tmp_path: Path) -> None:
    make, words = NO_MODELS[name]
    path = tmp_path / "model.bin"
    make(path)
    with pytest.raises(UnreadableModelError, match=words) as caught:
        formats.load(path)
    assert caught.value.exit_code == 2
    assert caught.value.hint
    assert "\n" not in caught.value.message
    assert str(path) in caught.value.message


def test_a_saved_model_without_its_graph_says_what_is_missing(
    keras_files: Path, tmp_path: Path
) -> None:
    shutil.copytree(keras_files / "saved_model", tmp_path / "model")
    (tmp_path / "model" / "saved_model.pb").unlink()
    with pytest.raises(UnreadableModelError, match="is no model") as caught:
        formats.load(tmp_path / "model")
    assert "saved_model.pb" in caught.value.hint


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"x")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(UnreadableModelError, match="cannot be read"):
        formats.load(path)


CUT = ["program.pt2", "script.pt", "weights.pt", "weights_legacy.pt", "module.pt",
       "module_legacy.pt", "weights.safetensors"]  # fmt: skip


@pytest.mark.parametrize("share", [0.3, 0.5, 0.95])
@pytest.mark.parametrize("name", CUT)
def test_half_a_torch_file(name: str, share: float, torch_files: Path, tmp_path: Path) -> None:
    cut(torch_files / name, share, tmp_path, "tests.converter.formats.torch_models:Classifier")


@pytest.mark.parametrize("name", ["model.keras", "model.h5", "model.weights.h5"])
def test_half_a_keras_file(name: str, keras_files: Path, tmp_path: Path) -> None:
    cut(keras_files / name, 0.5, tmp_path, "tests.converter.formats.keras_models:classifier")


@pytest.mark.parametrize("share", [0.3, 0.5, 0.95])
def test_half_an_onnx_file(share: float, onnx_files: Path, tmp_path: Path) -> None:
    cut(onnx_files / "inside.onnx", share, tmp_path, None)


def cut(path: Path, share: float, folder: Path, factory: str | None) -> None:
    whole = path.read_bytes()
    copy = folder / path.name
    copy.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(UnreadableModelError) as caught:
        formats.load(copy, trust=True, factory=factory)
    assert "\n" not in caught.value.message
    assert caught.value.hint
    copy.write_bytes(whole)
    assert formats.load(copy, trust=True, factory=factory).model is not None


@pytest.mark.parametrize(
    ("files", "given", "words"),
    [
        (("model.ckpt-100.index", "model.ckpt-100.data-00000-of-00001"), "model.ckpt-100",
         "a TensorFlow checkpoint, variables without a model: model.ckpt-100.data-"),
        (("model.ckpt-100.meta",), "model.ckpt-100.meta", "graph of a TensorFlow 1 checkpoint"),
        (("tf2-1.index",), "tf2-1.index", "a part of a TensorFlow checkpoint"),
        (("checkpoint",), ".", "a folder of TensorFlow checkpoints"),
        (("frozen.pb",), "frozen.pb", "may be a frozen TensorFlow 1 graph"),
    ],
)  # fmt: skip
def test_what_tensorflow_1_leaves_is_named_with_a_way_on(
    files: tuple[str, ...], given: str, words: str, tmp_path: Path
) -> None:
    for name in files:
        (tmp_path / name).write_bytes(b"\x0a\x07content")
    with pytest.raises(UnreadableModelError, match=words) as caught:
        formats.recognise(tmp_path / given)
    assert "tf.saved_model.save" in caught.value.hint
