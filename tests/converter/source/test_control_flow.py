"""Branches and loops in written modules, on inputs that take every branch."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.parser
import onnxruntime
import pytest
import torch
from torch import nn
from torch._higher_order_ops.scan import scan
from torch._higher_order_ops.while_loop import while_loop

import converter
from converter.errors import VerificationFailed
from converter.source.errors import NotWritable
from converter.source.keras import control as in_keras
from converter.source.keras.module import write
from converter.source.keras.prepare import prepared
from converter.source.place import source_code
from converter.source.pytorch import control as in_pytorch
from tests.converter.source.alone import Arrays, check_text, run_alone

SEED = int(np.random.SeedSequence().generate_state(1)[0])


def written_in(artifact: Path) -> Path:
    """Return the folder of the written module: the artifact itself where it has no program."""
    code = source_code(artifact)
    assert code is not None
    return code.parent


def same(mine: Arrays, wanted: Arrays) -> bool:
    def form(arrays: Arrays) -> list[Any]:
        # Of nothing that a loop stacked, ONNX Runtime knows the rank alone.
        return [array.shape if array.size else array.ndim for array in arrays]

    if form(mine) != form(wanted):
        return False
    mine = [array for array in mine if array.size]
    wanted = [array for array in wanted if array.size]
    pairs = zip(mine, wanted, strict=True)
    return all(np.allclose(a, b, rtol=1e-4, atol=1e-5) for a, b in pairs)


# ------------------------------------------------------------------ TensorFlow -> PyTorch


def tensorflow_models() -> dict[str, Callable[[], Any]]:
    """Return what builds each model; each is a `tf.Module` with a signature of its own."""
    import tensorflow as tf

    rows = tf.TensorSpec([None, 4], tf.float32, name="x")

    class Branch(tf.Module):
        def __init__(self) -> None:
            self.w = tf.Variable(tf.random.stateless_normal([4, 4], [1, 2]), name="w")
            self.b = tf.Variable(tf.random.stateless_normal([4], [1, 3]), name="b")

        @tf.function(input_signature=[rows])
        def __call__(self, x):
            y = x @ self.w
            positive = tf.reduce_sum(x) > 0
            return {"y": tf.cond(positive, lambda: tf.nn.relu(y) + self.b, lambda: y - self.b)}

    class Nested(tf.Module):
        @tf.function(input_signature=[rows])
        def __call__(self, x):
            total = tf.reduce_sum(x)

            def positive():
                small = total < 10.0
                return tf.cond(small, lambda: (x + 1.0, total), lambda: (x * 2.0, -total))

            y, z = tf.cond(total > 0, positive, lambda: (x - 1.0, total * 3.0))
            return {"y": y, "z": z}

    class Fixed(tf.Module):
        def __init__(self) -> None:
            self.w = tf.Variable(tf.random.stateless_normal([4, 4], [1, 2]) * 0.5, name="w")

        @tf.function(input_signature=[rows])
        def __call__(self, x):
            def step(i, y):
                return i + 1, tf.tanh(y @ self.w) + tf.cast(i, tf.float32)

            return {"y": tf.while_loop(lambda i, y: i < 5, step, (0, x))[1]}

    class Data(tf.Module):
        @tf.function(input_signature=[rows])
        def __call__(self, x):
            def goes_on(n, y):
                return (tf.reduce_sum(y * y) > 1.0) & (n < 7)

            n, y = tf.while_loop(goes_on, lambda n, y: (n + 1, y * 0.5), (0, x))
            return {"y": y, "n": n}

    class Growing(tf.Module):
        @tf.function(input_signature=[rows])
        def __call__(self, x):
            sums, total = tf.TensorArray(tf.float32, 0, dynamic_size=True), tf.zeros([4])
            for i in tf.range(tf.shape(x)[0]):
                total = total * 0.9 + x[i]
                sums = sums.write(i, total)
            return {"y": sums.stack()}

    class Mapped(tf.Module):
        @tf.function(input_signature=[rows])
        def __call__(self, x):
            def row(r):
                return tf.cond(tf.reduce_sum(r) > 0, lambda: r * 2.0, lambda: r - 1.0)

            return {"y": tf.map_fn(row, x)}

    class Branching(tf.Module):
        """A branch inside of a loop."""

        @tf.function(input_signature=[rows])
        def __call__(self, x):
            def step(i, y):
                even = tf.equal(i % 2, 0)
                return i + 1, tf.cond(even, lambda: y + x, lambda: y * 0.5)

            return {"y": tf.while_loop(lambda i, y: i < 4, step, (0, x))[1]}

    class Ragged(tf.Module):
        @tf.function(
            input_signature=[
                tf.TensorSpec([None, None], tf.float32, name="x"),
                tf.TensorSpec([None], tf.int32, name="lengths"),
            ]
        )
        def __call__(self, x, lengths):
            ragged = tf.RaggedTensor.from_tensor(x, lengths=lengths)
            return {"y": tf.reduce_sum(ragged, axis=1), "z": tf.reduce_max(ragged, axis=1)}

    made = (Branch, Nested, Fixed, Data, Growing, Mapped, Branching, Ragged)
    return {cls.__name__: cls for cls in made}


def rows(*scales: float) -> list[dict[str, np.ndarray]]:
    """Return inputs of several sizes whose sums have the sign and size of the scales."""
    generator = np.random.default_rng(SEED)
    cases = []
    for size, scale in zip((1, 2, 5, 3, 1), scales, strict=False):
        noise = generator.uniform(0.5, 1, (size, 4)).astype(np.float32)
        cases.append({"x": (noise * scale / (4 * size)).astype(np.float32)})
    return cases


def lengths() -> list[dict[str, np.ndarray]]:
    generator = np.random.default_rng(SEED)
    return [
        {
            "x": generator.normal(size=(len(given), 3)).astype(np.float32),
            "lengths": np.array(given, np.int32),
        }
        for given in ([3, 0, 2], [0], [1, 3], [0, 0])
    ]


FROM_TENSORFLOW = {
    "Branch": (rows(5, -5, 100, -100), r"if .*> 0\.0:\n(.*\n)+? +else:"),
    "Nested": (rows(5, -5, 100), r"(?s)if .*if .*else:.*else:"),
    "Fixed": (rows(5, -5), r"for i in range\(5\):"),
    "Data": (rows(0.1, 50, 1e4, 0.1, 5), r"while going:"),
    "Growing": (rows(5, -5, 3), r"for i in range\(x\.shape\[0\]\):"),
    "Mapped": (rows(5, -5, 3), r"(?s)for i in range.*= x\[i\]\n.*torch\.stack"),
    "Branching": (rows(5, -5), r"(?s)for i in range\(4\):.*\n            if "),
    "Ragged": (lengths(), r"nonzero"),
}
"""Inputs that take every branch, and what the text says."""


@pytest.mark.parametrize("name", FROM_TENSORFLOW)
def test_tensorflow_in_pytorch(name: str, tmp_path: Path) -> None:
    print(f"seed {SEED}")
    cases, words = FROM_TENSORFLOW[name]
    model = tensorflow_models()[name]()
    texts = [
        converter.convert(model, "torch", output=out, verify=False, source=True).source
        for out in (tmp_path / "out", tmp_path / "again")
    ]
    if name != "Ragged":  # two traces of it may put nodes that do not depend on each other in turn
        assert texts[0] == texts[1]
    assert re.search(words, texts[0])
    assert "val_" not in texts[0]
    assert "unk__" not in texts[0]
    check_text(texts[0])
    found = [model(**inputs) for inputs in cases]
    wanted = [[results[key].numpy() for key in sorted(results)] for results in found]
    assert all(map(same, run_alone(written_in(tmp_path / "out"), cases), wanted))
    # The cases differ: what computes one of them for all is found.
    assert not same(wanted[0], wanted[1])


def unet() -> Any:
    from keras import Input, Model, layers

    image = x = Input((None, None, 3), name="image")
    skips = []
    for filters in (4, 8):
        x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
        skips.append(x)
        x = layers.MaxPooling2D()(x)
    x = layers.Conv2D(16, 3, padding="same", activation="relu")(x)
    for filters in (8, 4):
        x = layers.Conv2DTranspose(filters, 2, strides=2, padding="same")(x)
        x = layers.Concatenate()([x, skips.pop()])
        x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
    return Model(image, layers.Conv2D(1, 1, name="mask")(x))


def test_a_unet_of_open_height_and_width(tmp_path: Path) -> None:
    print(f"seed {SEED}")
    model = unet()
    result = converter.convert(
        model, "torch", inputs=["image[n,h,w,3]"], output=tmp_path / "out", source=True
    )
    assert result.report.passed
    assert len(re.findall(r"nn\.Conv2d\(", result.source)) == 6
    check_text(result.source)
    generator = np.random.default_rng(SEED)
    shapes = ((1, 4, 8, 3), (2, 12, 4, 3), (1, 20, 16, 3))
    images = [generator.normal(size=shape).astype(np.float32) for shape in shapes]
    mine = run_alone(written_in(tmp_path / "out"), [{"image": image} for image in images])
    assert all(map(same, mine, [[np.asarray(model(image))] for image in images]))


# ------------------------------------------------------------------ PyTorch -> Keras


class Branch(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.up, self.down = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cond(
            x.sum() > 0, lambda y: self.up(y).relu(), lambda y: self.down(y) - 1, (x,)
        )


class Gates(nn.Module):
    """Blocks with a branch each, in a row."""

    def __init__(self) -> None:
        super().__init__()
        self.gates, self.head = nn.ModuleList(Branch() for _ in range(3)), nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for gate in self.gates:
            x = gate(x)
        return self.head(x)


class While(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.line = nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        def goes_on(i: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            return (y.pow(2).sum() > 3) & (i < 6)

        def step(i: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return i + 1, self.line(y) * 0.5

        count, y = while_loop(goes_on, step, (torch.tensor(0), x))
        return y, count


class Scanned(nn.Module):
    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        def step(carry: torch.Tensor, row: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            carry = carry * 0.9 + row
            return carry, carry * 2

        return scan(step, torch.zeros(4), x)


FROM_PYTORCH = {
    "Branch": (Branch, rows(5, -5, 100, -100), "ops.cond("),
    "Gates": (Gates, rows(50, -50, 5), "for layer in self.gates:"),
    "While": (While, rows(0.1, 50, 1e4, 9), "ops.while_loop("),
    "Scanned": (Scanned, rows(5, -5, 3), "ops.fori_loop("),
}


def backends() -> list[str]:
    from importlib.util import find_spec

    return ["tensorflow", "torch", *(["jax"] if find_spec("jax") else [])]


@pytest.mark.parametrize("name", FROM_PYTORCH)
def test_pytorch_in_keras(name: str, tmp_path: Path) -> None:
    print(f"seed {SEED}")
    build, cases, words = FROM_PYTORCH[name]
    torch.manual_seed(SEED % 1000)
    model = build().eval()
    result = converter.convert(
        model, "tf", inputs=["x[n,4]"], output=tmp_path / "out", verify=False, source=True
    )
    assert write(prepared(result.graph), name).text == result.source
    assert words in result.source
    assert "import tensorflow" not in result.source
    check_text(result.source)
    wanted = []
    for inputs in cases:
        with torch.no_grad():
            results = model(torch.from_numpy(inputs["x"]))
        results = results if isinstance(results, tuple) else (results,)
        wanted.append([result.numpy() for result in results])
    for backend in backends():
        assert all(map(same, run_alone(written_in(tmp_path / "out"), cases, backend), wanted)), (
            backend
        )


# ------------------------------------------------------------------ ONNX, both ways

HEADER = '<ir_version: 8, opset_import: ["" : 18]>'

COUNTED = """agraph (float[n, 4] x, int64 m) => (float[n, 4] y, float[k, n, 4] z) {
    going = Constant <value = bool {1}> ()
    y, z = Loop (m, going, x) <body = b (int64 i, bool c, float[n, 4] a)
        => (bool c_out, float[n, 4] a_out, float[n, 4] row) {
        c_out = Identity (c)
        f = Cast <to = 1> (i)
        a_out = Add (a, f)
        row = Mul (a_out, a)
    }>
}"""

ENDED = """agraph (float[n, 4] x, int64 m) => (float[n, 4] y, float[k, n, 4] z) {
    limit = Constant <value = float {3.0}> ()
    axes = Constant <value = int64[2] {0, 1}> ()
    size = ReduceSum <keepdims = 0> (x, axes)
    going = Less (size, limit)
    y, z = Loop (m, going, x) <body = b (int64 i, bool c, float[n, 4] a)
        => (bool c_out, float[n, 4] a_out, float[n, 4] row) {
        a_out = Add (a, a)
        row = Mul (a_out, a)
        s = ReduceSum <keepdims = 0> (a_out, axes)
        c_out = Less (s, limit)
    }>
}"""

SWAPPING = """agraph (float[n, 4] x, int64 m) => (float[n, 4] y, float[n, 4] z) {
    going = Constant <value = bool {1}> ()
    two = Constant <value = float {2.0}> ()
    w = Mul (x, two)
    y, z = Loop (m, going, x, w) <body = b (int64 i, bool c, float[n, 4] a, float[n, 4] d)
        => (bool c_out, float[n, 4] a_out, float[n, 4] d_out) {
        c_out = Identity (c)
        a_out = Identity (d)
        d_out = Add (a, d)
    }>
}"""

BACKWARDS = """agraph (float[4, n] x, float[4] s) => (float[4] y, float[n, 4] z) {
    y, z = Scan <num_scan_inputs = 1, scan_input_axes = [1], scan_input_directions = [1],
        scan_output_directions = [1], body = b (float[4] a, float[4] column)
        => (float[4] a_out, float[4] row) {
        half = Constant <value = float {0.5}> ()
        h = Mul (a, half)
        a_out = Add (h, column)
        row = Mul (a_out, column)
    }> (s, x)
}"""

NESTED = """agraph (float[n, 4] x, int64 m) => (float[n, 4] y) {
    going = Constant <value = bool {1}> ()
    y = Loop (m, going, x) <body = b (int64 i, bool c, float[n, 4] a)
        => (bool c_out, float[n, 4] a_out) {
        c_out = Identity (c)
        three = Constant <value = int64 {3}> ()
        inner_going = Constant <value = bool {1}> ()
        a_out = Loop (three, inner_going, a) <body = b2 (int64 j, bool c2, float[n, 4] e)
            => (bool c2_out, float[n, 4] e_out) {
            c2_out = Identity (c2)
            ij = Mul (i, j)
            f = Cast <to = 1> (ij)
            g = Add (e, f)
            e_out = Sub (g, x)
        }>
    }>
}"""


def given(n: int, m: int, scale: float = 1.0) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(SEED + n)
    x = generator.uniform(0.1, 0.5, (n, 4)).astype(np.float32) * np.float32(scale)
    return {"x": x, "m": np.array(m, np.int64)}


def columns(n: int) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(SEED + n)
    drawn = (generator.normal(size=shape).astype(np.float32) for shape in ((4, n), (4,)))
    return dict(zip(("x", "s"), drawn, strict=True))


FROM_ONNX = {
    "counted": (COUNTED, [given(2, 3), given(1, 1), given(3, 5), given(2, 0)]),
    "swapping": (SWAPPING, [given(2, 3), given(1, 0), given(3, 1), given(2, 2)]),
    "backwards": (BACKWARDS, [columns(3), columns(1), columns(6)]),
    "nested": (NESTED, [given(2, 3), given(3, 0), given(1, 1)]),
    "ended": (ENDED, [given(2, 9), given(1, 2, 0.1), given(3, 5, 100), given(2, 0), given(1, 9)]),
}


def onnx_file(text: str, folder: Path) -> Path:
    model = onnx.parser.parse_model(f"{HEADER} {text}")
    onnx.checker.check_model(model)
    onnx.save(model, str(folder / "m.onnx"))
    return folder / "m.onnx"


def in_onnxruntime(file: Path, inputs: dict[str, np.ndarray]) -> Arrays:
    session = onnxruntime.InferenceSession(str(file))
    return list(session.run(None, inputs))


@pytest.mark.parametrize("name", FROM_ONNX)
def test_onnx_in_pytorch(name: str, tmp_path: Path) -> None:
    print(f"seed {SEED}")
    text, cases = FROM_ONNX[name]
    file = onnx_file(text, tmp_path)
    result = converter.convert(
        str(file), "torch", output=tmp_path / "out", verify=False, source=True
    )
    check_text(result.source)
    wanted = [in_onnxruntime(file, inputs) for inputs in cases]
    assert all(map(same, run_alone(written_in(tmp_path / "out"), cases), wanted))


IN_KERAS = {
    # An input without axes is no input of a Keras model: there the count is fixed.
    name: (text.replace(", int64 m)", ")").replace("Loop (m,", "Loop (trips,"), cases)
    for name, (text, cases) in FROM_ONNX.items()
    if name != "ended"
}


@pytest.mark.parametrize("name", IN_KERAS)
def test_onnx_in_keras(name: str, tmp_path: Path) -> None:
    print(f"seed {SEED}")
    text, cases = IN_KERAS[name]
    text = text.replace("{", "{ trips = Constant <value = int64 {3}> () ", 1)
    file = onnx_file(text, tmp_path)
    result = converter.convert(str(file), "tf", output=tmp_path / "out", verify=False, source=True)
    check_text(result.source)
    given = [{key: array for key, array in case.items() if key != "m"} for case in cases]
    wanted = [in_onnxruntime(file, inputs) for inputs in given]
    for backend in ("tensorflow", "torch"):
        assert all(map(same, run_alone(written_in(tmp_path / "out"), given, backend), wanted)), (
            backend
        )


# ------------------------------------------------------------------ faults, near misses


def exchanged(what: Any) -> None:
    bodies = what.bodies
    bodies["then_branch"], bodies["else_branch"] = bodies["else_branch"], bodies["then_branch"]


@pytest.mark.parametrize(("room", "to"), [(in_pytorch, "torch"), (in_keras, "tf")])
def test_a_branch_swapped_is_caught(room: Any, to: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write = room._branch

    def swapped(body: Any, what: Any) -> None:
        exchanged(what)
        write(body, what)

    monkeypatch.setitem(room._KINDS, "If", swapped)
    with pytest.raises(VerificationFailed, match="written source"):
        converter.convert(Branch().eval(), to, inputs=["x[n,4]"], verify=False, source=True)


@pytest.mark.parametrize(("room", "to"), [(in_pytorch, "torch"), (in_keras, "tf")])
def test_a_loop_one_time_too_few_is_caught(
    room: Any, to: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = COUNTED.replace(", int64 m)", ")").replace("Loop (m,", "Loop (trips,")
    text = text.replace("{", "{ trips = Constant <value = int64 {3}> () ", 1)
    trips = room._trips

    def fewer(body: Any, view: Any) -> Any:
        count = trips(body, view)
        return type(count)(str(int(count.text) - 1))

    file = onnx_file(text, tmp_path)
    converter.convert(str(file), to, verify=False, source=True)
    monkeypatch.setattr(room, "_trips", fewer)
    with pytest.raises(VerificationFailed, match="written source"):
        converter.convert(str(file), to, verify=False, source=True)


def test_what_it_carries_is_not_overwritten_too_early(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The planted fault: one variable gets its new value before the other one has read the old."""
    text = SWAPPING.replace(", int64 m)", ")").replace("Loop (m,", "Loop (trips,")
    text = text.replace("{", "{ trips = Constant <value = int64 {3}> () ", 1)
    file = onnx_file(text, tmp_path)

    def in_turn(pairs: list[tuple[str, Any]]) -> list[str]:
        return [f"{name} = {value}" for name, value in pairs]

    monkeypatch.setattr(in_pytorch, "rebound", in_turn)
    with pytest.raises(VerificationFailed, match="written source"):
        converter.convert(str(file), "torch", verify=False, source=True)


OF_SEQUENCES = """agraph (float[n, 4] x) => (float[k] y) {
    m = Constant <value = int64 {3}> ()
    going = Constant <value = bool {1}> ()
    empty = SequenceEmpty <dtype = 1> ()
    s = Loop (m, going, empty) <body = b (int64 i, bool c, seq(float[n, 4]) a)
        => (bool c_out, seq(float[n, 4]) a_out) {
        c_out = Identity (c)
        a_out = SequenceInsert (a, x)
    }>
    whole = ConcatFromSequence <axis = 0> (s)
    axes = Constant <value = int64[1] {1}> ()
    y = ReduceSum <keepdims = 0> (whole, axes)
}"""


def test_a_loop_over_sequences_is_refused_by_name(tmp_path: Path) -> None:
    file = onnx_file(OF_SEQUENCES, tmp_path)
    with pytest.raises(NotWritable, match="Loop over .*, which is no tensor"):
        converter.convert(str(file), "torch", verify=False, source=True)


OLD_SCAN = """<ir_version: 8, opset_import: ["" : 8]>
agraph (float[2, n, 4] x, float[2, 4] s) => (float[2, 4] y) {
    y = Scan <num_scan_inputs = 1, body = b (float[4] a, float[4] row) => (float[4] a_out) {
        a_out = Add (a, row)
    }> ("", s, x)
}"""


def test_a_scan_of_opset_8_is_refused_by_name(tmp_path: Path) -> None:
    model = onnx.parser.parse_model(OLD_SCAN)
    model.graph.node[0].name = "batches"
    onnx.save(model, str(tmp_path / "m.onnx"))
    with pytest.raises(NotWritable, match="batches is a Scan of opset 8"):
        converter.convert(str(tmp_path / "m.onnx"), "torch", verify=False, source=True)


def test_keras_has_no_tensor_that_grows(tmp_path: Path) -> None:
    text = ENDED.replace(", int64 m)", ")").replace("Loop (m,", "Loop (trips,")
    text = text.replace("{", "{ trips = Constant <value = int64 {3}> () ", 1)
    with pytest.raises(NotWritable, match="stacks z: Keras has no tensor that grows"):
        converter.convert(str(onnx_file(text, tmp_path)), "tf", verify=False, source=True)
