"""Recurrent layers arrive as recurrent layers: LSTM, GRU and plain ones, in both languages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.parser
import pytest
import torch
from torch import nn

import converter
from converter.errors import VerificationFailed
from converter.source.check import loaded
from converter.source.keras import recurrent as in_keras
from converter.source.pytorch import recurrent as in_pytorch
from tests.converter.source.alone import check_text

SEED = int(np.random.SeedSequence().generate_state(1)[0])
SIZES = [(2, 3), (1, 1), (3, 7)]


class Sequence(nn.Module):
    """A recurrent layer whose outputs at each step are read."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.tanh(self.layer(x)[0])


class Last(Sequence):
    """One of which the last state of the last level is read."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        state = self.layer(x)[1]
        return (state[0] if isinstance(state, tuple) else state)[-1]


class Both(Sequence):
    """One of which the outputs and all states are read."""

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        outputs, state = self.layer(x)
        return outputs, *(state if isinstance(state, tuple) else (state,))


LAYERS: dict[str, tuple[type, dict[str, Any]]] = {
    "lstm": (nn.LSTM, {}),
    "lstm, batch first": (nn.LSTM, {"batch_first": True}),
    "lstm, two ways": (nn.LSTM, {"batch_first": True, "bidirectional": True}),
    "lstm, no bias": (nn.LSTM, {"batch_first": True, "bias": False}),
    "lstm, two levels": (nn.LSTM, {"num_layers": 2, "batch_first": True}),
    "gru": (nn.GRU, {}),
    "gru, two ways": (nn.GRU, {"batch_first": True, "bidirectional": True}),
    "gru, two levels, two ways": (
        nn.GRU, {"num_layers": 2, "batch_first": True, "bidirectional": True},
    ),
    "rnn": (nn.RNN, {"batch_first": True}),
    "rnn, relu": (nn.RNN, {"batch_first": True, "nonlinearity": "relu"}),
}  # fmt: skip
USES = {"sequence": Sequence, "last": Last, "both": Both}
NAMES = {
    "torch": {nn.LSTM: "nn.LSTM(", nn.GRU: "nn.GRU(", nn.RNN: "nn.RNN("},
    "tf": {nn.LSTM: "layers.LSTM(", nn.GRU: "layers.GRU(", nn.RNN: "layers.SimpleRNN("},
}


def made(layer: str, use: str) -> nn.Module:
    torch.manual_seed(SEED)
    kind, options = LAYERS[layer]
    return USES[use](kind(4, 5, **options)).eval()


def written(model: nn.Module, to: str, out: Path) -> tuple[Any, str]:
    """Return the written module, loaded from its files, and its text."""
    result = converter.convert(
        model, to, inputs=["x[a,b,4]"], output=out, verify=False, source=True
    )
    folder = out / "source" if (out / "source").is_dir() else out
    return loaded(folder, "torch" if to == "torch" else "keras"), result.source


def results(model: Any, x: np.ndarray) -> list[np.ndarray]:
    if isinstance(model, nn.Module):
        with torch.no_grad():
            found = model(torch.from_numpy(x))
    else:
        found = model(x)
    return [np.asarray(item) for item in (found if isinstance(found, tuple | list) else [found])]


CASES = [(layer, "sequence") for layer in LAYERS] + [
    (layer, use)
    for layer in ("lstm, batch first", "lstm, two levels", "gru, two ways")
    for use in ("last", "both")
]


@pytest.mark.parametrize("to", ["torch", "tf"])
@pytest.mark.parametrize(("layer", "use"), CASES)
def test_a_layer_is_a_layer(layer: str, use: str, to: str, tmp_path: Path) -> None:
    model = made(layer, use)
    mine, text = written(model, to, tmp_path / "out")
    assert NAMES[to][LAYERS[layer][0]] in text
    assert not any(line.startswith("def ") for line in text.split("WEIGHTS =")[0].splitlines())
    assert ("bidirectional=True" in text or "Bidirectional(" in text) == ("two ways" in layer)
    generator = np.random.default_rng(SEED)
    for one, other in SIZES:
        x = generator.normal(size=(one, other, 4)).astype(np.float32)
        for want, got in zip(results(model, x), results(mine, x), strict=True):
            np.testing.assert_allclose(got, want, 1e-4, 1e-5, err_msg=f"seed {SEED}")


@pytest.mark.parametrize("to", ["torch", "tf"])
@pytest.mark.parametrize("layer", ["lstm, batch first", "gru, two ways"])
def test_a_gate_in_the_wrong_place_is_caught(
    layer: str, to: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = in_pytorch if to == "torch" else in_keras
    wrong = {kind: (order[1], order[0], *order[2:]) if len(order) > 1 else order
             for kind, order in room._ORDER.items()}  # fmt: skip
    monkeypatch.setattr(room, "_ORDER", wrong)
    with pytest.raises(VerificationFailed):
        written(made(layer, "sequence"), to, tmp_path / "out")


@pytest.mark.parametrize("to", ["torch", "tf"])
def test_directions_that_are_swapped_are_caught(
    to: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from converter.source.written import Written

    model = made("gru, two ways", "sequence")
    with torch.no_grad():
        for name, weight in model.layer.named_parameters():
            if name.endswith("_reverse"):
                weight.mul_(1.5)
    room = __import__(
        f"converter.source.{'pytorch' if to == 'torch' else 'keras'}.saving", fromlist=["save"]
    )
    usual = room.save
    words = ("l0_reverse", "l0") if to == "torch" else ("backward_layer", "forward_layer")

    def swapped(given: Written, folder: Path) -> None:
        names = list(given.weights)
        other = {
            name: name.replace(words[0], "@").replace(words[1], words[0]).replace("@", words[1])
            for name in names
        }
        given.weights = {name: given.weights[other[name]] for name in names}
        usual(given, folder)

    monkeypatch.setattr(room, "save", swapped)
    with pytest.raises(VerificationFailed):
        written(model, to, tmp_path / "out")


KERAS: dict[str, tuple[Any, str]] = {
    "lstm": (lambda k: [k.LSTM(5)], "LSTM"),
    "lstm, sequence, then gru": (
        lambda k: [k.LSTM(5, return_sequences=True), k.GRU(3)], "LSTM"),
    "lstm, no bias": (lambda k: [k.LSTM(5, use_bias=False)], "LSTM"),
    "lstm, backwards": (lambda k: [k.LSTM(5, go_backwards=True, return_sequences=True)], "LSTM"),
    "gru": (lambda k: [k.GRU(5, return_sequences=True)], "GRU"),
    "rnn": (lambda k: [k.SimpleRNN(5)], "RNN"),
    "rnn, relu": (lambda k: [k.SimpleRNN(5, activation="relu", return_sequences=True)], "RNN"),
    "gru, two ways": (lambda k: [k.Bidirectional(k.GRU(5, return_sequences=True))], "GRU"),
    "lstm, two ways, last": (lambda k: [k.Bidirectional(k.LSTM(5))], "LSTM"),
}  # fmt: skip


def of_keras(name: str) -> Any:
    import keras

    keras.utils.set_random_seed(SEED % 2**31)
    x = inputs = keras.Input((None, 4), name="x")
    for layer in KERAS[name][0](keras.layers):
        x = layer(x)
    model = keras.Model(inputs, x)
    generator = np.random.default_rng(SEED)
    # Biases of a new layer are 0, and two of them are mostly equal.
    model.set_weights([generator.normal(size=w.shape, scale=0.4) for w in model.get_weights()])
    return model


@pytest.mark.parametrize("to", ["torch", "tf"])
@pytest.mark.parametrize("name", KERAS)
def test_a_layer_of_keras_is_a_layer(name: str, to: str, tmp_path: Path) -> None:
    model, kind = of_keras(name), KERAS[name][1]
    result = converter.convert(
        model, to, output=tmp_path / "out", verify=False, source=True
    )  # fmt: skip
    mine = loaded(tmp_path / "out" / "source", "torch" if to == "torch" else "keras")
    word = f"nn.{kind}(" if to == "torch" else {"RNN": "layers.SimpleRNN("}.get(
        kind, f"layers.{kind}(")  # fmt: skip
    assert word in result.source
    assert "_cell" not in result.source
    assert ("bidirectional=True" in result.source or "Bidirectional(" in result.source) == (
        "two ways" in name
    )
    generator = np.random.default_rng(SEED)
    for rows, steps in SIZES:
        x = generator.normal(size=(rows, steps, 4)).astype(np.float32)
        for want, got in zip(results(model, x), results(mine, x), strict=True):
            np.testing.assert_allclose(got, want, 1e-4, 1e-5, err_msg=f"seed {SEED}")
            with pytest.raises(AssertionError):  # a wrong number must be seen
                np.testing.assert_allclose(got + 1e-2, want, 1e-4, 1e-5)


def test_states_of_keras_come_out_in_their_order(tmp_path: Path) -> None:
    import keras

    inputs = keras.Input((None, 4), name="x")
    layer = keras.layers.Bidirectional(
        keras.layers.LSTM(3, return_sequences=True, return_state=True)
    )
    model = keras.Model(inputs, list(layer(inputs)))
    result = converter.convert(model, "torch", output=tmp_path / "out", source=True)
    assert result.report.passed
    assert "nn.LSTM(4, 3, batch_first=True, bidirectional=True)" in result.source


def test_what_a_layer_of_keras_does_in_training_stays_a_loop() -> None:
    """Dropout inside of a layer has no place in ONNX's operator."""
    import keras

    from converter.pipeline import Options, load, trace

    def kinds(**options: Any) -> set[str]:
        model = keras.Sequential([keras.Input((None, 4)), keras.layers.LSTM(3, **options)])
        graph = trace(load(model), None, {}, Options("torch", written=True))
        return {node.op_type for node in graph.graph.all_nodes()}

    assert "LSTM" in kinds()
    assert "LSTM" not in kinds(dropout=0.2)
    assert "LSTM" not in kinds(recurrent_dropout=0.2)
    assert "LSTM" not in kinds(activation="relu")
    model = keras.Sequential([keras.Input((None, 4)), keras.layers.LSTM(3)])
    plain = trace(load(model), None, {}, Options("torch"))
    assert "LSTM" not in {node.op_type for node in plain.graph.all_nodes()}


def test_the_operator_of_cudnn_itself_is_refused() -> None:
    """Its parameters lie in another order than those that a layer of Keras leaves behind."""
    import tensorflow as tf

    from converter.errors import UnsupportedOpsError

    @tf.function(input_signature=[tf.TensorSpec([None, None, 4], tf.float32, name="x")])
    def call(x: Any) -> Any:
        zeros = tf.zeros([1, tf.shape(x)[1], 5])
        lengths = tf.fill([tf.shape(x)[1]], tf.shape(x)[0])
        return tf.raw_ops.CudnnRNNV3(
            input=x, input_h=zeros, input_c=zeros, params=tf.ones([220]),
            sequence_lengths=lengths, rnn_mode="lstm", is_training=False,
        ).output  # fmt: skip

    for source in (False, True):
        with pytest.raises(UnsupportedOpsError, match="CudnnRNNV3"):
            converter.convert(call, "torch", verify=False, source=source)


NEAR = {
    "gates that reset before the product": ("GRU", 3, "linear_before_reset = 0", {"torch"}),
    "a clip": ("LSTM", 4, "clip = 0.5", {"torch", "tf"}),
    "another function": (
        "LSTM", 4, 'activations = ["HardSigmoid", "Tanh", "Tanh"]', {"torch", "tf"},
    ),
    "gates that are coupled": ("LSTM", 4, "input_forget = 1", {"torch", "tf"}),
}  # fmt: skip


def near(kind: str, gates: int, attribute: str) -> onnx.ModelProto:
    generator = np.random.default_rng(SEED)
    model = onnx.parser.parse_model(
        f'<ir_version: 9, opset_import: ["" : 17]>'
        f"g (float[time,batch,4] x) => (float[time,batch,3] z) "
        f"<float[1,{gates * 3},4] w, float[1,{gates * 3},3] r, float[1,{gates * 6}] b> "
        f"{{ y, h = {kind} <hidden_size = 3, {attribute}> (x, w, r, b) "
        "axes = Constant <value_ints = [1]> () z = Squeeze (y, axes) }"
    )
    shapes = {"w": (1, gates * 3, 4), "r": (1, gates * 3, 3), "b": (1, gates * 6)}
    del model.graph.initializer[:]
    for name, shape in shapes.items():
        array = generator.normal(size=shape).astype(np.float32)
        model.graph.initializer.append(onnx.numpy_helper.from_array(array, name))
    return model


@pytest.mark.parametrize("to", ["torch", "tf"])
@pytest.mark.parametrize("name", NEAR)
def test_what_no_layer_does_is_written_out(name: str, to: str) -> None:
    kind, gates, attribute, others = NEAR[name]
    result = converter.convert(near(kind, gates, attribute), to, verify=False, source=True)
    is_layer = any(f"{room}.{kind}(" in result.source for room in ("nn", "layers"))
    assert is_layer == (to not in others)
    # The same without that attribute is a layer.
    plain = "linear_before_reset = 1" if kind == "GRU" else "input_forget = 0"
    result = converter.convert(near(kind, gates, plain), to, verify=False, source=True)
    assert any(f"{room}.{kind}(" in result.source for room in ("nn", "layers"))


@pytest.mark.parametrize("to", ["torch", "tf"])
def test_the_text_is_clean_and_the_same_twice(to: str, tmp_path: Path) -> None:
    model = made("lstm, two levels", "both")
    (_, text), (_, again) = (written(model, to, tmp_path / name) for name in ("a", "b"))
    assert text == again
    folders = [tmp_path / name / "source" for name in ("a", "b")]
    weights = next(folders[0].glob("model.*s*")).name
    if to == "torch":
        first, second = ((folder / weights).read_bytes() for folder in folders)
        assert first == second
    check_text(text)


class Given(nn.Module):
    """Its first state is what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.GRU(3, 4)

    def forward(self, x: torch.Tensor, h: torch.Tensor) -> torch.Tensor:
        return self.rnn(x, h)[0]


@pytest.mark.parametrize("to", ["torch", "tf"])
def test_what_is_no_layer_says_why(to: str) -> None:
    result = converter.convert(
        Given(), to, inputs=["x[t,b,3]", "h[1,b,4]"], source=True, verify=False
    )
    (told,) = [note for note in result.notes if "written out" in note]
    assert told == "GRU at rnn is written out and no layer: it is given its first state"
    other = converter.convert(
        Last(nn.GRU(3, 4)), to, inputs=["x[t,b,3]"], source=True, verify=False
    )
    assert not [note for note in other.notes if "written out" in note]
