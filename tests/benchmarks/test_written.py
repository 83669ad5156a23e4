"""The measure of written source, and what it says of models that people write in Keras."""

from __future__ import annotations

import pytest

from benchmarks.written.__main__ import classes, main, measured, weights
from benchmarks.written.models import everything

torch = pytest.importorskip("torch")


@pytest.mark.parametrize("name", ["conv_lstm tf", "transformer tf", "lstm_text_classifier tf"])
def test_weights_of_keras_models_belong_to_layers(name: str) -> None:
    (model,) = (item for item in everything() if item.title == name)
    row = measured(model)
    assert "error" not in row
    assert row["share"] >= 0.95
    assert row["classes"] <= row["own"]


def test_a_weight_of_a_module_itself_counts_against_it() -> None:
    class Scaled(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.scale = torch.nn.Linear(3, 2), torch.nn.Parameter(torch.ones(2))

    assert weights(Scaled(), "torch") == (10, 8)
    assert classes(Scaled(), "torch") == 1


def test_a_name_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["written", "--models", "nothing"])
        assert main() == 2
    assert "there is no 'nothing'" in capsys.readouterr().err
