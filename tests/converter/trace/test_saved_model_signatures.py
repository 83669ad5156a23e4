"""SavedModels of plain modules: their weights by name, and the choice of a signature."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import torch

import converter
from converter import formats
from converter.errors import UsageError
from converter.formats.tensorflow_variables import named_variables
from converter.inspection import inspect

ROWS = tf.TensorSpec([None, 3], tf.float32, "x")


class Linear(tf.Module):
    """A product with one weight, and a count that is not trained."""

    def __init__(self) -> None:
        super().__init__()
        self.w = tf.Variable(np.random.default_rng().normal(size=(3, 2)).astype("f4"), name="w")
        self.scale = tf.Variable(2.0, trainable=False, name="scale")

    def __call__(self, x):
        return self.scale * (x @ self.w)


class Hub(tf.Module):
    """Two parts with variables of the same names, a signature for each."""

    def __init__(self) -> None:
        super().__init__()
        self.question, self.answer = Linear(), Linear()

    @tf.function(input_signature=[ROWS])
    def ask(self, x):
        return {"y": self.question(x)}

    @tf.function(input_signature=[ROWS])
    def reply(self, x):
        return {"y": self.answer(x)}


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> tuple[Hub, Path]:
    model, path = Hub(), tmp_path_factory.mktemp("hub") / "hub"
    tf.saved_model.save(model, str(path), signatures={"ask": model.ask, "reply": model.reply})
    return model, path


def test_variables_that_share_names_go_by_their_paths(hub: tuple[Hub, Path]) -> None:
    names = {"question/w", "question/scale", "answer/w", "answer/scale"}
    for model in (hub[0], formats.load(hub[1]).model):
        found = named_variables(model)
        assert set(found) == names
        assert {name for name, v in found.items() if v.trainable} == {"question/w", "answer/w"}


@pytest.mark.parametrize("name", ["ask", "reply"])
def test_a_signature_is_chosen_by_name(name: str, hub: tuple[Hub, Path]) -> None:
    model, path = hub
    result = converter.convert(path, to="torch", signature=name, verify=False)
    data = np.random.default_rng().normal(size=(4, 3)).astype("f4")
    got = result.model(torch.from_numpy(data))
    wanted = getattr(model, name)(data)["y"].numpy()
    other = getattr(model, {"ask": "reply", "reply": "ask"}[name])(data)["y"].numpy()
    got = got["y"] if isinstance(got, dict) else got
    np.testing.assert_allclose(got.detach().numpy(), wanted, rtol=1e-5, atol=1e-6)
    assert not np.allclose(got.detach().numpy(), other)
    trained = {n for n, _ in result.model.named_parameters()}
    assert {n.replace(".", "/") for n in trained} >= {"question/w", "answer/w"}


def test_several_signatures_ask_for_a_choice_and_inspect_lists_them(hub: tuple[Hub, Path]) -> None:
    _, path = hub
    with pytest.raises(UsageError, match=r"2 signatures: ask, reply\n.*--signature"):
        converter.convert(path, to="torch", verify=False)
    with pytest.raises(UsageError, match=r"no signature 'answer'\n.*ask, reply"):
        converter.convert(path, to="torch", signature="answer", verify=False)
    text = str(inspect(path))
    assert "signature  ask(x:float32[batch,3]) -> y:float32[batch,2]" in text
    assert "4 tensors, 2 trainable" in text


def test_a_module_without_signatures_verifies_with_its_weights(tmp_path: Path) -> None:
    model = Linear()
    model.call = tf.function(model.__call__)

    class Plain(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = Linear()

        @tf.function
        def __call__(self, x, training=False):
            return self.inner(tf.nn.dropout(x, 0.5) if training else x)

    plain = Plain()
    for rows, training in ((2, False), (2, True), (None, False)):
        plain.__call__.get_concrete_function(tf.TensorSpec([rows, 3], tf.float32, "x"), training)
    tf.saved_model.save(plain, str(tmp_path / "plain"))
    result = converter.convert(tmp_path / "plain", to="torch", output=tmp_path / "out")
    assert [str(spec) for spec in result.signature.inputs] == ["x:float32[batch,3]"]
    assert result.report.passed
    assert {weight.name for weight in result.report.weights.weights} == {"w", "scale"}


def test_what_is_no_saved_model_has_no_signatures(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is none"):
        converter.convert(torch.nn.Linear(2, 2), to="onnx", signature="x")
