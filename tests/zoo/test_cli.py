"""The `zoo` command: what it prints, what it writes, and how it ends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from zoo.registry import ENTRIES, names

BLOCKED = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Blocked())
from zoo.cli import main
sys.argv = ["zoo", *{arguments!r}]
main()
"""
EVERYTHING = tuple("torch tensorflow keras transformers numpy onnx onnx_ir sklearn".split())


def command(*arguments: str, blocked: tuple[str, ...] = (), cwd: Path | None = None):
    """Run `zoo` with some packages made to look as if they were not installed."""
    program = BLOCKED.format(blocked=blocked, arguments=arguments)
    root = Path(__file__).parents[2]
    return subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(root)!r})\n{program}"],
        capture_output=True,
        text=True,
        cwd=cwd,
        check=False,
    )


@pytest.mark.parametrize("arguments", [("--help",), ("list",), ("show", "densenet121")])
def test_what_only_describes_needs_no_framework(arguments):
    result = command(*arguments, blocked=EVERYTHING)
    assert result.returncode == 0, result.stderr
    assert result.stdout


def test_the_list_has_every_name():
    lines = command("list").stdout.splitlines()
    assert [line.split()[0] for line in lines] == list(names())


def test_show_tells_inputs_layout_and_name_map():
    text = command("show", "unet").stdout
    inputs = "x:float32[batch,3,32,32]", "x:float32[batch,32,32,3]"
    for part in (*inputs, "(0, 2, 3, 1)", "down1_conv1/kernel", "more"):
        assert part in text
    assert ENTRIES["unet"].summary in text


@pytest.mark.parametrize(
    ("arguments", "blocked", "code", "message"),
    [
        (("show", "unett"), (), 2, "Did you mean 'unet'?"),
        (("export", "keras_resnet50", "--framework", "torch"), (), 2, "It exists in: tf."),
        (("export", "unet", "--framework", "jax"), (), 2, "Choose one of: torch, tf."),
        (("export", "unet", "-o", "unet.h5"), (), 2, ".pt2, .pt"),
        (("export", "unet"), ("torch",), 4, "torch is not installed"),
        (("export", "digits_cnn"), ("sklearn",), 4, "scikit-learn is not installed"),
        (("export", "gru_tagger", "-o", "tagger.pt2"), (), 3, "ends in .pt."),
        (("sweep", "--filter", "nothing"), (), 2, "no model of the zoo fits"),
    ],
)
def test_bad_requests_end_with_one_message_and_write_nothing(
    arguments, blocked, code, message, tmp_path
):
    result = command(*arguments, blocked=blocked, cwd=tmp_path)
    assert result.returncode == code, result.stderr
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_an_existing_file_is_kept(tmp_path):
    (tmp_path / "classifier.pt").write_text("mine")
    result = command("export", "classifier", "-o", "classifier.pt", cwd=tmp_path)
    assert result.returncode == 2
    assert "exists already" in result.stderr
    assert (tmp_path / "classifier.pt").read_text() == "mine"


def test_exported_programs_keep_their_dynamic_dimensions(tmp_path):
    import torch

    import zoo

    result = command("export", "transformer_encoder", cwd=tmp_path)
    assert result.stdout == "transformer_encoder.pt2\n", result.stderr
    assert "convert transformer_encoder.pt2 --to tf" in result.stderr
    program = torch.export.load(tmp_path / "transformer_encoder.pt2").module()
    entry, model = zoo.get("transformer_encoder"), zoo.load("transformer_encoder", "torch")
    for sizes in ({"batch": 1, "length": 4}, {"batch": 5, "length": 11}):
        tokens = torch.from_numpy(zoo.sample(entry, "torch", sizes, 0)["tokens"])
        torch.testing.assert_close(program(tokens), model(tokens), rtol=1e-5, atol=1e-5)


def test_weights_come_with_the_command_that_converts_them(tmp_path):
    import torch

    result = command("export", "gru_tagger", cwd=tmp_path)
    assert result.stdout == "gru_tagger.pt\n", result.stderr
    assert "--model zoo.twins.gru_tagger.pytorch:build" in result.stderr
    assert "--input 'tokens:int64[batch,length]'" in result.stderr
    assert "tags.weight" in torch.load(tmp_path / "gru_tagger.pt", weights_only=True)


@pytest.mark.parametrize("name", ["learned_exponent", "transformer_encoder"])
def test_keras_files_can_be_read_again(name, tmp_path):
    import keras
    import numpy as np

    import zoo

    result = command("export", name, "--framework", "tf", cwd=tmp_path)
    assert result.stdout == f"{name}.keras\n", result.stderr
    assert "oneDNN" not in result.stderr
    assert f"--model zoo.twins.{name}.keras:build" in result.stderr
    model = zoo.load(name, "tf")  # registers its own classes with Keras
    again = keras.models.load_model(tmp_path / f"{name}.keras")
    (x,) = zoo.sample(zoo.get(name), "tf", {"batch": 2, "length": 5}, 0).values()
    np.testing.assert_array_equal(again(x), model(x))
