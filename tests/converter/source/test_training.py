"""Written modules in training: dropout where it was, batch normalisation with its momentum.

The weights, the loss and its gradients are compared by `verify.verify(grad=True)`, in float64 to
1e-9 and better; dropout is chance, and is compared by how often it drops and by what it multiplies.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import torch
from torch import nn

import converter
import zoo
from converter.source.check import loaded
from verify import verify

SEED = int(np.random.SeedSequence().generate_state(1)[0])


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4, momentum=0.3)
        self.drop = nn.Dropout2d(0.2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.dropout(self.drop(self.norm(self.conv(x))), 0.25, self.training)


class Net(nn.Module):
    """Dropout of every kind that PyTorch has, as modules and as calls; a frozen layer."""

    def __init__(self) -> None:
        super().__init__()
        self.block, self.kept = Block(), nn.Linear(4, 4).requires_grad_(False)
        self.alpha, self.drop = nn.AlphaDropout(0.15), nn.Dropout(0.4)
        self.head = nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.block(x).mean((2, 3))
        return self.head(self.drop(self.alpha(torch.selu(self.kept(x)))))


def keras_net() -> keras.Model:
    """Dropout of every kind that Keras has; a frozen normalisation."""
    layers = keras.layers
    x = inputs = keras.Input((8, 8, 3))
    frozen = layers.BatchNormalization(name="fixed")
    for layer in (
        layers.Conv2D(4, 3), layers.BatchNormalization(momentum=0.8, name="norm"),
        layers.SpatialDropout2D(0.2), layers.GaussianNoise(0.5), layers.GaussianDropout(0.25),
        frozen, layers.GlobalAveragePooling2D(), layers.AlphaDropout(0.15), layers.Dropout(0.4),
        layers.Dense(2),
    ):  # fmt: skip
        x = layer(x)
    frozen.trainable = False
    return keras.Model(inputs, x)


TORCH = {
    "nn.BatchNorm2d(4, momentum=0.3)", "nn.Dropout2d(0.2)", "nn.Dropout(0.25)",
    "nn.Linear(4, 4).requires_grad_(False)", "nn.AlphaDropout(0.15)", "nn.Dropout(0.4)",
}  # fmt: skip
KERAS = {
    'layers.BatchNormalization(momentum=0.7, epsilon=1e-05, name="norm")',
    'layers.SpatialDropout2D(0.2, name="drop")', 'layers.Dropout(0.25, name="dropout")',
    'layers.Dense(4, trainable=False, name="kept")', 'layers.AlphaDropout(0.15, name="alpha")',
    'layers.Dropout(0.4, name="drop")',
}  # fmt: skip
FROM_KERAS_TORCH = {
    "nn.BatchNorm2d(4, eps=0.001, momentum=0.2)", "nn.Dropout2d(0.2)", "GaussianNoise(0.5)",
    "GaussianDropout(0.25)", "nn.AlphaDropout(0.15)", "nn.Dropout(0.4)",
    "FixedBatchNorm2d(4, eps=0.001, momentum=0.01).requires_grad_(False)",
}  # fmt: skip
FROM_KERAS_KERAS = {
    'layers.BatchNormalization(momentum=0.8, name="norm")', "layers.SpatialDropout2D(0.2,",
    "layers.GaussianNoise(0.5,", "layers.GaussianDropout(0.25,", "layers.AlphaDropout(0.15,",
    "layers.Dropout(0.4,", 'layers.BatchNormalization(trainable=False, name="fixed")',
}  # fmt: skip
EXPECTED = {
    ("torch", "torch"): TORCH, ("torch", "tf"): KERAS,
    ("keras", "torch"): FROM_KERAS_TORCH, ("keras", "tf"): FROM_KERAS_KERAS,
}  # fmt: skip


def source_of(framework: str) -> tuple[Any, list[str] | None]:
    torch.manual_seed(SEED)
    keras.utils.set_random_seed(SEED % 2**31)
    if framework == "torch":
        return Net(), ["x[batch,3,8,8]"]
    return keras_net(), None


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return a function that gives a source, its written module and that one's text."""
    made: dict[Any, Any] = {}

    def get(framework: str, to: str) -> Any:
        if (framework, to) not in made:
            model, inputs = source_of(framework)
            out = tmp_path_factory.mktemp("made") / "out"
            result = converter.convert(
                model, to, inputs=inputs, output=out, verify=False, source=True
            )
            language = "torch" if to == "torch" else "keras"
            made[framework, to] = model, loaded(out / "source", language), result.source
        return made[framework, to]

    return get


@pytest.mark.parametrize(("framework", "to"), EXPECTED)
def test_dropout_stands_where_it_was(written: Any, framework: str, to: str) -> None:
    text = re.sub(r"\(\s+", "(", written(framework, to)[2])
    text = re.sub(r"\s+\)", ")", re.sub(r"\n\s+(?=[a-zF)])", " ", text))
    missing = [words for words in EXPECTED[framework, to] if words not in text]
    assert not missing, text


@pytest.mark.parametrize("framework", ["torch", "keras"])
def test_the_graph_of_a_plain_conversion_has_no_dropout(framework: str) -> None:
    model, inputs = source_of(framework)
    result = converter.convert(model, "onnx", inputs=inputs, verify=False)
    assert "Dropout" not in {node.op_type for node in result.graph.graph}


@pytest.mark.parametrize(("framework", "to"), EXPECTED)
def test_it_learns_what_the_source_learns(written: Any, framework: str, to: str) -> None:
    model, target, _ = written(framework, to)
    inputs = "x:float32[batch,3,8,8]" if framework == "torch" else None
    report = verify(model, target, inputs=inputs, grad=True, seeds=1)
    assert report.training is not None
    rows = report.training.gradients
    assert {"parameter", "statistic"} <= {row.kind for row in rows}, report.training.note
    failed = [row for row in rows if not row.passed]
    if (framework == "torch") == (to == "torch"):
        assert report.passed, (SEED, report.failures)
    else:  # the target's own kind of variance, which the report names
        assert len(report.failures) == len(failed) > 0, (SEED, report.failures)
        assert all("unbiased variance" in row.reason for row in failed), (SEED, report.failures)
    wide = [row for row in rows if row.dtype == "float64" and row not in failed]
    assert wide, report.training.note
    assert all(row.limit <= 1e-9 or row.max_abs < 1e-12 for row in wide), (SEED, wide)


def run(model: Any, x: np.ndarray, training: bool) -> np.ndarray:
    """Return what a model computes in a mode; inputs as the model has them."""
    if isinstance(model, nn.Module):
        with torch.no_grad():
            return model.train(training)(torch.from_numpy(x)).numpy()
    return np.asarray(model(x, training=training))


def statistics(model: Any) -> list[np.ndarray]:
    """Return moving mean and variance of the normalisation that trains."""
    if isinstance(model, nn.Module):
        norm = next(p for p in model.modules() if type(p) is nn.BatchNorm2d)
        return [norm.running_mean.numpy().copy(), norm.running_var.numpy().copy()]
    layers = model._flatten_layers()
    norm = next(p for p in layers if isinstance(p, keras.layers.BatchNormalization) and p.trainable)
    return [np.array(norm.moving_mean), np.array(norm.moving_variance)]


@pytest.mark.parametrize(("framework", "to"), EXPECTED)
def test_moving_statistics_follow_the_mode(written: Any, framework: str, to: str) -> None:
    """Keras moves the variance of the batch, PyTorch that of the population, n / (n - 1) of it."""
    model, target, _ = written(framework, to)
    generator = np.random.default_rng(SEED)
    x = generator.normal(size=(5, 3, 8, 8)).astype(np.float32)
    given = x if framework == "torch" else np.ascontiguousarray(x.transpose(0, 2, 3, 1))
    befores = statistics(model), statistics(target)
    for before, other in zip(*befores, strict=True):
        np.testing.assert_allclose(other, before, 1e-6, 1e-7)
    run(target, given, training=False)
    for before, after in zip(befores[1], statistics(target), strict=True):
        np.testing.assert_array_equal(after, before)
    run(model, given, training=True)
    run(target, given, training=True)
    (mean, variance), (other_mean, other_variance) = statistics(model), statistics(target)
    np.testing.assert_allclose(other_mean, mean, 1e-4, 1e-6, err_msg=str(SEED))
    keep = 0.7 if framework == "torch" else 0.8
    size = 5 * (64 if framework == "torch" else 36)
    unbiased = {"torch": size / (size - 1), "keras": 1.0, "tf": 1.0}
    moved = [
        (variance - keep * befores[0][1]) / unbiased[framework],
        (other_variance - keep * befores[1][1]) / unbiased[to],
    ]
    np.testing.assert_allclose(moved[1], moved[0], 1e-4, 1e-6, err_msg=str(SEED))
    # A momentum that is not inverted must be seen.
    wrong = (1 - keep) * befores[0][0] + keep * (mean - keep * befores[0][0]) / (1 - keep)
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(other_mean, wrong, 1e-4, 1e-6)


class Dropped(nn.Module):
    def __init__(self, rate: float) -> None:
        super().__init__()
        self.drop = nn.Dropout(rate)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.drop(x)


@pytest.mark.parametrize("to", ["torch", "tf"])
def test_dropout_drops_as_often_and_scales_as_much(to: str, tmp_path: Path) -> None:
    """400,000 draws: the share has a standard deviation of 0.0007; 0.05 off is 70 of it."""
    rate = round(float(np.random.default_rng(SEED).uniform(0.2, 0.6)), 2)
    out = tmp_path / "out"
    converter.convert(
        Dropped(rate), to, inputs=["x[batch,4]"], output=out, verify=False, source=True
    )
    model = loaded(out / "source", "torch" if to == "torch" else "keras")
    x = np.ones((100_000, 4), np.float32)
    np.testing.assert_array_equal(run(model, x, training=False), x)
    result = run(model, x, training=True)
    share = float((result == 0).mean())
    assert abs(share - rate) < 0.005, (SEED, rate, share)
    assert not abs(share - (rate + 0.05)) < 0.005
    np.testing.assert_allclose(result[result != 0], 1 / (1 - rate), 1e-5)


class Noisy(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + torch.randn_like(x) if self.training else x


class Attention(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rate = 0.1 if self.training else 0.0
        return nn.functional.scaled_dot_product_attention(x, x, x, dropout_p=rate)


@pytest.mark.parametrize(
    ("inner", "words"),
    [
        (Noisy, "in training randn_like at inner is called instead of dropout at drop"),
        (Attention, None),
        (nn.Identity, None),
    ],
)
def test_what_the_source_does_in_training_alone_is_said(inner: Any, words: str | None) -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner, self.drop, self.norm = inner(), nn.Dropout(0.2), nn.BatchNorm1d(3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.norm(self.drop(self.inner(x)))

    model = Model()
    model.drop.eval()
    result = converter.convert(
        model, "torch", inputs=["x[batch,3,4]"], purpose="training", verify=False
    )
    said = [note for note in result.notes if "the written module does what" in note]
    assert bool(said) == (words is not None), result.notes
    assert words is None or words in said[0]
    assert model.training  # the modes are as they were
    assert not model.drop.training
    assert isinstance(result.model.get_submodule("drop"), nn.Dropout)


def test_dropout_that_the_target_lacks_is_said() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.FeatureAlphaDropout(0.2))
    result = converter.convert(model, "tf", inputs=["input[b,3,5,5]"], source=True, verify=False)
    assert any("alpha dropout of channels at 1: the target has" in n for n in result.notes)


def test_the_class_is_called_as_the_model_is(tmp_path: Path) -> None:
    def layers() -> list[Any]:
        return [keras.layers.Input((4,)), keras.layers.Dense(2)]

    keras.Sequential(layers()).save(tmp_path / "my digits-2.keras")
    for source, name in (
        (keras.Sequential(layers(), name="price_model"), "PriceModel"),
        (keras.Sequential(layers()), "Sequential"),
        (tmp_path / "my digits-2.keras", "MyDigits2"),
    ):
        result = converter.convert(source, "torch", source=True, verify=False)
        assert f"class {name}(nn.Module):" in result.source


class Doubled(keras.layers.Layer):
    def call(self, x: Any, training: bool = False) -> Any:
        return x * 2 if training else x


@pytest.mark.parametrize(
    ("layer", "shape", "words"),
    [
        (keras.layers.LSTM(3, dropout=0.2), (6, 4), "(LSTM) computes something in training alone"),
        (keras.layers.Dropout(0.2, noise_shape=(None, 1, 1)), (6, 4), "(Dropout) computes"),
        (keras.layers.SpatialDropout1D(0.2), (6, 4), None),
        (keras.layers.SpatialDropout2D(0.2, data_format="channels_first"), (3, 8, 8), "Dropout2D)"),
        (keras.layers.RandomFlip(), (8, 8, 3), "random_flip (RandomFlip)"),
        (Doubled(name="own"), (4,), "own (Doubled) computes something in training alone"),
        (keras.layers.GRU(3), (6, 4), None),
    ],
)
def test_what_a_keras_layer_does_in_training_alone_is_said(
    layer: Any, shape: tuple[int, ...], words: str | None
) -> None:
    model = keras.Sequential(
        [keras.layers.Input(shape), layer, keras.layers.Flatten(), keras.layers.Dense(2),
         keras.layers.BatchNormalization(), keras.layers.Dropout(0.2)]
    )  # fmt: skip
    result = converter.convert(model, "torch", purpose="training", verify=False)
    said = [note for note in result.notes if "the written module does what" in note]
    assert len(said) == (words is not None), result.notes
    assert words is None or words in said[0]


def test_dropout_between_the_levels_of_a_recurrent_layer_stays() -> None:
    class Tagger(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = nn.GRU(4, 5, 3, batch_first=True, dropout=0.25, bidirectional=True)
            self.one, self.drop, self.two = nn.LSTM(10, 10), nn.Dropout(0.3), nn.LSTM(10, 10)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x, _ = self.one(self.rnn(x)[0])
            return self.two(self.drop(x))[0]

    given: dict[str, Any] = {"inputs": ["x[b,t,4]"], "purpose": "training"}
    written = converter.convert(Tagger(), "torch", **given)
    assert written.notes == [n for n in written.notes if "the written module does" not in n]
    rnn = written.model.get_submodule("rnn")
    assert (rnn.num_layers, rnn.dropout, rnn.bidirectional) == (3, 0.25, True)
    assert written.model.get_submodule("drop").p == 0.3  # two layers of the source stay two
    assert {type(written.model.get_submodule(n)) for n in ("one", "two")} == {nn.LSTM}
    model = converter.convert(Tagger(), "tf", **given).model
    kinds = [(type(layer).__name__, getattr(layer, "rate", None)) for layer in model.layers]
    assert kinds.count(("Dropout", 0.25)) == 2
    assert kinds.count(("Dropout", 0.3)) == 1
    assert [kind for kind, _ in kinds].count("Bidirectional") == 3


def test_a_layer_that_is_called_twice_stays_one() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = nn.LSTM(5, 5)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.rnn(self.rnn(x)[0])[0]

    result = converter.convert(Twice(), "torch", inputs=["x[b,t,5]"], source=True)
    assert result.source.count("nn.LSTM(5, 5)") == 1
    assert "self.rnn.weight" not in result.source


@pytest.mark.parametrize("name", ["gpt2", "lstm_text_classifier"])
def test_models_are_compared_as_they_are_traced(name: str) -> None:
    """Caches of transformers, and recurrent layers, are no obstacle; attention's dropout stays."""
    entry = zoo.get(name)
    result = converter.convert(
        zoo.load(name), "torch", inputs=[*entry.torch.inputs], purpose="training", verify=False
    )
    assert not [note for note in result.notes if "could not be traced" in note]
    assert not [note for note in result.notes if "the written module does" in note]
    if name == "gpt2":
        attention = result.model.get_submodule("gpt2.transformer.h.1.attn")
        assert [m.p for m in attention.modules() if isinstance(m, nn.Dropout)] == [0.1, 0.1]


class Encoder(nn.Module):
    """PyTorch's own block: its attention drops weights at a rate that no call in inference says."""

    def __init__(self) -> None:
        super().__init__()
        self.block = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.3, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.block(x)


@pytest.mark.parametrize("to", ["torch", "tf"])
def test_attention_drops_weights_where_the_source_does(to: str) -> None:
    result = converter.convert(Encoder(), to, inputs=["x[b,t,8]"], purpose="training")
    assert result.report is not None
    assert result.report.passed
    assert not [note for note in result.notes if "the written module does" in note]
    assert result.source.count("ropout(0.3") == 4
    weights = [line for line in result.source.splitlines() if "dropout" in line and "@" in line]
    assert len(weights) == 1  # dropped between the softmax and the product with the values
    plain = converter.convert(Encoder(), to, inputs=["x[b,t,8]"], verify=False, source=True)
    assert plain.source.count("ropout(0.3") == 3  # nobody asked what it does in training
