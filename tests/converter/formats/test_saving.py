"""What is written can be read back: names, values, roles, signature; always the same bytes."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
import torch

from converter import formats
from converter.engines.native import weights_of
from converter.errors import ConversionError, OutputError, RebuildError, UnreadableModelError
from converter.formats import (
    keras_archive,
    onnx_file,
    saved_model,
    tflite,
    torch_artifact,
)
from converter.graph.signatures import signature_of
from converter.record import Record
from converter.signature import parse_inputs
from converter.trace.pytorch.examples import example_sizes
from tests.converter.formats.torch_models import Image

DIMS = "image:float32[batch,3,height,width]"


@dataclass
class Made:
    """A model, its graph, and what is rebuilt of it."""

    model: torch.nn.Module
    graph: ir.Model

    def build(self, framework: str) -> Any:
        if framework == "torch":
            from converter.rebuild.pytorch import build
        else:
            from converter.rebuild.tensorflow import build
        return build(self.graph)

    def record(self, module: Any) -> Record:
        return Record(signature_of(self.graph), weights_of(module, self.graph), "torch")

    def save(self, kind: str, path: Path) -> Record:
        if kind == "onnx":
            record = self.record(self.graph)
            onnx_file.save(self.graph, path, record)
            return record
        module = self.build("torch" if kind == "torch" else "tensorflow")
        record = self.record(module)
        if kind == "keras":
            keras_archive.save(self.graph, module, path, record)
        else:
            {"torch": torch_artifact, "tf": saved_model, "tflite": tflite}[kind].save(
                module, path, record
            )
        return record

    def expected(self, image: np.ndarray) -> dict[str, np.ndarray]:
        with torch.no_grad():
            result = self.model(torch.from_numpy(image))
        return {name: tensor.numpy() for name, tensor in result.items()}


@pytest.fixture(scope="module")
def made() -> Made:
    from converter.trace.pytorch import trace

    model = Image().eval()
    return Made(model, trace(formats.from_live(model), parse_inputs([DIMS])))


@pytest.fixture(scope="module")
def artifacts(made: Made, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return one artifact of each kind."""
    folder = tmp_path_factory.mktemp("artifacts")
    paths = {kind: folder / f"artifact_{kind}" for kind in KINDS}  # endings say nothing
    for kind, path in paths.items():
        made.save(kind, path)
    return paths


KINDS = {
    "torch": "torch_artifact",
    "tf": "saved_model",
    "tflite": "tflite",
    "keras": "keras_archive",
    "onnx": "onnx_file",
}


def outputs(source: formats.Source, image: np.ndarray) -> dict[str, np.ndarray]:
    """Run what was loaded the way its users do."""
    if source.kind == "torch_artifact":
        result = source.model.module()(torch.from_numpy(image))
        names = [spec.name for spec in source.signature.outputs]
        return {n: v.detach().numpy() for n, v in zip(names, result, strict=True)}
    if source.kind == "saved_model":
        result = source.model.signatures["serving_default"](image=image)
    elif source.kind == "tflite":
        result = source.model.get_signature_runner("serving_default")(image=image)
    elif source.kind == "keras_archive":
        result = source.model(image)
    else:
        import onnxruntime

        session = onnxruntime.InferenceSession(source.path)
        names = [output.name for output in session.get_outputs()]
        result = dict(zip(names, session.run(None, {"image": image}), strict=True))
    return {name: np.asarray(value) for name, value in result.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_loaded_computes_the_same(
    kind: str, made: Made, artifacts: dict[str, Path], generator: np.random.Generator
) -> None:
    source = formats.load(artifacts[kind])
    assert source.kind == KINDS[kind]
    for shape in ((1, 3, 8, 9), (4, 3, 5, 6)):  # every dimension that was declared open is open
        image = generator.standard_normal(shape).astype(np.float32)
        want = made.expected(image)
        found = outputs(source, image)
        assert set(found) == {"logits", "features"}
        for name, value in want.items():
            np.testing.assert_allclose(found[name], value, rtol=2e-5, atol=2e-5)
        assert np.abs(found["logits"] - made.expected(image + 1)["logits"]).max() > 1e-3


@pytest.mark.parametrize("kind", KINDS)
def test_the_signature_and_the_record_come_back(
    kind: str, made: Made, artifacts: dict[str, Path]
) -> None:
    source = formats.load(artifacts[kind])
    assert [str(spec) for spec in source.signature.inputs] == [DIMS]
    assert [str(spec) for spec in source.signature.outputs] == [
        "logits:float32[batch,5]",
        "features:float32[batch,8,height,width]",
    ]
    roles = {name: weight.role for name, weight in source.record.weights.items()}
    parameters = {name for name, _ in made.model.named_parameters()}
    assert {name for name, role in roles.items() if role == "parameter"} == parameters
    assert set(roles) == set(made.model.state_dict())


def own_weights(source: formats.Source) -> dict[str, np.ndarray]:
    """Return the weights of what was loaded, by the source's names."""
    model = source.model
    if source.kind == "torch_artifact":
        return {n: t.detach().numpy() for n, t in model.state_dict.items()}
    if source.kind == "saved_model":
        return {name: variable.numpy() for name, variable in model.weights.items()}
    if source.kind == "keras_archive":
        return {name: v.numpy() for name, v in model.named_variables().items()}
    return {name: v.const_value.numpy() for name, v in model.graph.initializers.items()}


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "tflite"])
def test_weights_are_the_source_s_bit_by_bit(
    kind: str, made: Made, artifacts: dict[str, Path]
) -> None:
    source = formats.load(artifacts[kind])
    found = own_weights(source)
    permuted = 0
    for name, weight in source.record.weights.items():
        want = made.model.state_dict()[name].numpy()
        if weight.permutation:
            permuted += 1
            want = want.transpose(weight.permutation)
        np.testing.assert_array_equal(found[name], want)
    assert bool(permuted) == (kind in ("tf", "keras"))  # their convolutions want HWIO


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_model_gives_the_same_bytes_without_paths_of_this_machine(
    kind: str, made: Made, artifacts: dict[str, Path], tmp_path: Path
) -> None:
    again = tmp_path / artifacts[kind].name
    made.save(kind, again)
    assert sorted(p.name for p in tmp_path.iterdir()) == [again.name]  # nothing temporary is left
    first, second = contents(artifacts[kind]), contents(again)
    assert first == second
    here = [str(Path(__file__).parents[3]), str(tmp_path), sys.prefix, "site-packages"]
    for name, content in first.items():
        for words in here:
            assert words.encode() not in content, f"{words} in {name}"
    assert any(b"image" in content for content in first.values())  # the search can find


def contents(path: Path) -> dict[str, bytes]:
    if path.is_file():
        return {path.name: path.read_bytes()}
    files = (file for file in sorted(path.rglob("*")) if file.is_file())
    return {str(file.relative_to(path)): file.read_bytes() for file in files}


def test_another_model_gives_other_bytes(made: Made, artifacts: dict[str, Path], tmp_path: Path):
    from converter.trace.pytorch import trace

    model = Image().eval()
    other = Made(model, trace(formats.from_live(model), parse_inputs([DIMS])))
    other.save("onnx", tmp_path / "other")
    assert contents(tmp_path / "other")["other"] != contents(artifacts["onnx"])["artifact_onnx"]


@contextmanager
def full_disk(limit: int = 300) -> Iterator[None]:
    """Let no file grow past ``limit`` bytes, which is what a full disk looks like to a writer."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize("kind", KINDS)
def test_a_full_disk(kind: str, made: Made, tmp_path: Path) -> None:
    with pytest.raises(OutputError) as caught, full_disk():
        made.save(kind, tmp_path / "artifact")
    assert caught.value.exit_code == 2
    assert caught.value.hint
    assert str(tmp_path / "artifact") in caught.value.message


@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_that_is_a_file(kind: str, made: Made, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        made.save(kind, tmp_path / "file" / "artifact")
    assert (tmp_path / "file").read_text() == ""


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "tflite"])
def test_an_artifact_is_a_source_again_with_its_own_words(
    kind: str, artifacts: dict[str, Path]
) -> None:
    source = formats.load(artifacts[kind])
    trace = import_module(
        {"torch": "converter.trace.pytorch", "tensorflow": "converter.trace.tensorflow"}.get(
            source.framework, "converter.trace.onnx"
        )
    ).trace
    signature = signature_of(trace(source))
    assert [str(spec) for spec in signature.inputs] == [DIMS]
    assert {spec.name for spec in signature.outputs} == {"logits", "features"}
    source.record = None  # without it, the words are gone
    if kind != "onnx":
        assert [str(spec) for spec in signature_of(trace(source)).inputs] != [DIMS]


# ---- PyTorch


def test_the_loader_needs_torch_alone(
    artifacts: dict[str, Path], made: Made, tmp_path: Path
) -> None:
    folder = tmp_path / "moved"
    shutil.copytree(artifacts["torch"], folder)
    code = (
        "import sys, torch\n"
        "from load import load\n"
        "for name in ('converter', 'onnx', 'onnx_ir', 'safetensors', 'tensorflow'):\n"
        "    assert name not in sys.modules, name\n"
        "module = load()\n"
        "module(torch.randn(2, 3, 6, 6))[0].sum().backward()\n"
        "print(sorted(n for n, p in module.named_parameters() if p.requires_grad))\n"
        "assert all(p.grad is not None for p in module.parameters())\n"
    )
    run = {"cwd": folder, "capture_output": True, "text": True, "check": False}
    done = subprocess.run([sys.executable, "-c", code], **run)
    assert done.returncode == 0, done.stderr
    names = sorted(name for name, _ in made.model.named_parameters())
    assert done.stdout.strip() == str(names)
    done = subprocess.run([sys.executable, "load.py"], **run)
    count = sum(p.numel() for p in made.model.parameters())
    assert done.stdout.splitlines() == [
        f"input  {DIMS}",
        "output logits:float32[batch,5]",
        "output features:float32[batch,8,height,width]",
        f"{count} trainable parameters",
    ]


def test_safetensors_have_the_source_s_layout(keras_files: Path, tmp_path: Path) -> None:
    """A Keras convolution is stored HWIO; PyTorch computes with OIHW, and gives HWIO back."""
    import keras
    from safetensors.numpy import load_file

    from converter.rebuild.pytorch import build
    from converter.trace.tensorflow import trace

    model = keras.Sequential([keras.Input((8, 8, 3), name="x"), keras.layers.Conv2D(4, 3)])
    source = formats.from_live(model)
    graph = trace(source)
    module = build(graph)
    record = Record(signature_of(graph), weights_of(module, graph), "tensorflow")
    torch_artifact.save(module, tmp_path / "artifact", record)
    saved = load_file(tmp_path / "artifact" / torch_artifact.WEIGHTS)
    assert set(saved) == {weight.path for weight in model.weights}
    for weight in model.weights:
        np.testing.assert_array_equal(saved[weight.path], weight.numpy())
    assert any(weight.permutation for weight in record.weights.values())


def test_a_dimension_that_the_module_fixes_is_named(made: Made, tmp_path: Path) -> None:
    class Fixed(torch.nn.Module):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            if image.shape[2] != example:
                raise ValueError("another height")
            return image

    record = made.record(made.graph)
    example = example_sizes(record.signature)["height"]
    with pytest.raises(RebuildError, match="'height'") as caught:
        torch_artifact.save(Fixed(), tmp_path / "artifact", record)
    assert caught.value.exit_code == 3
    assert not (tmp_path / "artifact").exists()


@pytest.mark.parametrize("part", ["model.pt2", "equiport.json"])
def test_an_artifact_without_a_part(part: str, artifacts: dict[str, Path], tmp_path: Path) -> None:
    folder = tmp_path / "artifact"
    shutil.copytree(artifacts["torch"], folder)
    (folder / part).write_bytes(b"{" if part.endswith("json") else b"")
    with pytest.raises(UnreadableModelError, match="artifact"):
        formats.load(folder)


# ---- ONNX


def test_past_the_limit_the_weights_lie_in_a_file_beside_the_graph(
    made: Made, tmp_path: Path, generator: np.random.Generator
) -> None:
    path = tmp_path / "net"
    onnx_file.save(made.graph, path, made.record(made.graph), limit=100)
    assert sorted(file.name for file in path.iterdir()) == ["model.onnx", "model.onnx.data"]
    source = formats.load(path)
    kernel = source.model.graph.initializers["conv.weight"]
    assert isinstance(kernel.const_value, ir.ExternalTensor)
    image = generator.standard_normal((2, 3, 5, 6)).astype(np.float32)
    want = made.expected(image)["logits"]
    np.testing.assert_allclose(outputs(source, image)["logits"], want, rtol=1e-5, atol=1e-6)
    path.rename(tmp_path / "moved")  # one rename moves all of it
    assert formats.load(tmp_path / "moved").record == source.record


def test_a_permutation_survives_an_onnx_file(made: Made, tmp_path: Path) -> None:
    graph = made.graph.clone()
    kernel = graph.graph.initializers["conv.weight"]
    kernel.metadata_props["equiport.permutation"] = "3,2,1,0"
    onnx_file.save(graph, tmp_path / "net", made.record(graph))
    loaded = formats.load(tmp_path / "net").model.graph.initializers
    assert loaded["conv.weight"].metadata_props["equiport.permutation"] == "3,2,1,0"
    assert loaded["norm.running_mean"].metadata_props["equiport.role"] == "buffer"
    assert "equiport.permutation" not in loaded["norm.weight"].metadata_props
    assert made.graph.metadata_props.get(onnx_file.RECORD_KEY) is None  # the graph stayed as it was


# ---- TensorFlow


def test_a_saved_model_serves_static_and_dynamic_sizes(artifacts: dict[str, Path]) -> None:
    served = formats.load(artifacts["tf"]).model.signatures["serving_default"]
    assert served.structured_input_signature[1]["image"].shape.as_list() == [None, 3, None, None]
    assert served.structured_outputs["logits"].shape.as_list() == [None, 5]
    assert served.structured_outputs["features"].shape.as_list() == [None, 8, None, None]


def test_weights_of_a_saved_model_are_trainable(made: Made, artifacts: dict[str, Path]) -> None:
    loaded = formats.load(artifacts["tf"]).model
    trainable = {name for name, variable in loaded.weights.items() if variable.trainable}
    assert trainable == {name for name, _ in made.model.named_parameters()}


def test_a_saved_model_survives_the_way_back(made: Made, artifacts: dict[str, Path]) -> None:
    from converter.trace.tensorflow.functions import named_variables

    for kind in ("tf", "keras"):
        named = named_variables(formats.load(artifacts[kind]).model)
        assert list(named) == list(made.graph.graph.initializers)[: len(named)]
        assert set(named) == set(made.model.state_dict())


def tensorflow_module(function: Callable[[Any], Any]) -> tuple[Any, Record]:
    """Return something that serves ``function``, and a record for it."""
    import tensorflow as tf

    module = tf.Module()
    spec = tf.TensorSpec([None, 4], tf.float32, "x")
    module.run = tf.function(lambda x: {"y": function(x)}, input_signature=[spec])
    module.served = {"x": "x"}
    module.signatures = lambda: {"serving_default": module.run.get_concrete_function()}
    outputs = parse_inputs(["y:float32[batch,4]"]).inputs
    signature = parse_inputs(["x:float32[batch,4]"])
    return module, Record(type(signature)(signature.inputs, outputs))


def test_litert_takes_from_tensorflow_what_it_lacks_and_says_so(tmp_path: Path) -> None:
    import tensorflow as tf

    module, record = tensorflow_module(lambda x: tf.math.bessel_i0e(x) + tf.math.betainc(x, x, x))
    with pytest.raises(ConversionError) as caught:
        tflite.save(module, tmp_path / "bessel.tflite", record)
    assert "BesselI0e" in caught.value.message
    assert caught.value.exit_code == 3
    assert list(tmp_path.iterdir()) == []
    outer = lambda x: x[:, None] * x[:, :, None]  # noqa: E731
    module, record = tensorflow_module(lambda x: x + tf.linalg.det(outer(x))[:, None])
    (note,) = tflite.save(module, tmp_path / "det.tflite", record)
    assert "MatrixDeterminant" in note
    assert b"FlexMatrixDeterminant" in (tmp_path / "det.tflite").read_bytes()
    module, record = tensorflow_module(lambda x: x + 1)
    assert tflite.save(module, tmp_path / "plain.tflite", record) == []
    assert b"Flex" not in (tmp_path / "plain.tflite").read_bytes()


def test_a_litert_file_without_a_record_says_what_it_serves(
    artifacts: dict[str, Path], tmp_path: Path
) -> None:
    whole = artifacts["tflite"].read_bytes()
    path = tmp_path / "net.tflite"
    path.write_bytes(whole[: whole.index(b"PK\x03\x04")])
    source = formats.load(path)
    assert source.record is None
    (spec,) = source.signature.inputs
    assert spec.name == "image"
    assert spec.shape == ("batch", 3, "image_dim_2", "image_dim_3")
    assert {spec.name for spec in source.signature.outputs} == {"logits", "features"}


# ---- Keras


def test_a_keras_archive_opens_with_keras_alone(
    made: Made, artifacts: dict[str, Path], tmp_path: Path, generator: np.random.Generator
) -> None:
    path = shutil.copy(artifacts["keras"], tmp_path / "net.keras")
    image = generator.standard_normal((2, 3, 5, 6)).astype(np.float32)
    np.save(tmp_path / "image.npy", image)
    code = (
        "import sys, numpy as np, keras, converter.formats.keras_model\n"
        f"model = keras.models.load_model({str(path)!r})\n"
        "assert 'torch' not in sys.modules\n"
        f"image = np.load({str(tmp_path / 'image.npy')!r})\n"
        f"np.savez({str(tmp_path / 'out.npz')!r}, **model.predict(image, verbose=0))\n"
    )
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "tensorflow"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
    found = np.load(tmp_path / "out.npz")
    for name, value in made.expected(image).items():
        np.testing.assert_allclose(found[name], value, rtol=2e-5, atol=2e-5)


def test_a_keras_archive_trains_and_is_saved_again(
    made: Made, artifacts: dict[str, Path], tmp_path: Path, generator: np.random.Generator
) -> None:
    import keras

    model = formats.load(artifacts["keras"]).model
    trainable = {v.path.partition("/")[2] for v in model.trainable_variables}
    assert trainable == {name for name, _ in made.model.named_parameters()}
    image = generator.standard_normal((4, 3, 5, 6)).astype(np.float32)
    before = {name: variable.numpy().copy() for name, variable in model.named_variables().items()}
    model.compile("sgd", {"logits": "mse", "features": "mse"})
    goals = {name: np.zeros_like(value) for name, value in made.expected(image).items()}
    model.fit({"image": image}, goals, verbose=0)
    changed = {
        name
        for name, variable in model.named_variables().items()
        if not np.array_equal(variable.numpy(), before[name])
    }
    assert changed == trainable
    model.save(tmp_path / "again.keras")
    again = keras.models.load_model(tmp_path / "again.keras")
    for name, variable in model.named_variables().items():
        np.testing.assert_array_equal(again.named_variables()[name].numpy(), variable.numpy())


def test_a_keras_archive_of_another_model_s_weights(
    artifacts: dict[str, Path], tmp_path: Path
) -> None:
    import zipfile

    import h5py

    with zipfile.ZipFile(artifacts["keras"]) as archive:
        archive.extractall(tmp_path / "parts")
    with h5py.File(tmp_path / "parts" / "model.weights.h5", "r+") as file:
        (numbered,) = [group for group in _groups(file) if "0" in group]
        del numbered["0"]
        numbered["0"] = np.zeros((2, 2), np.float32)
    with zipfile.ZipFile(tmp_path / "evil.keras", "w") as archive:
        for file in (tmp_path / "parts").iterdir():
            archive.write(file, file.name)
    with pytest.raises(UnreadableModelError, match=r"conv\.weight"):
        formats.load(tmp_path / "evil.keras")


def _groups(file: Any) -> list[Any]:
    import h5py

    found = [file]
    file.visititems(lambda _, item: found.append(item) if isinstance(item, h5py.Group) else None)
    return found


def test_names_with_slashes(tmp_path: Path) -> None:
    """Keras takes no slash in a variable's name; the source's name comes back all the same."""
    import keras

    from converter.rebuild.tensorflow import build
    from converter.trace.tensorflow import trace

    model = keras.Sequential([keras.Input((4,), name="x"), keras.layers.Dense(3, name="top")])
    graph = trace(formats.from_live(model))
    module = build(graph)
    record = Record(signature_of(graph), weights_of(module, graph), "tensorflow")
    for save in (
        lambda path: keras_archive.save(graph, module, path, record),
        lambda path: saved_model.save(module, path, record),
    ):
        path = tmp_path / f"artifact_{len(list(tmp_path.iterdir()))}"
        save(path)
        source = formats.load(path)
        assert list(source.record.weights) == [weight.path for weight in model.weights]
        assert all("/" in name for name in source.record.weights)
        found = own_weights(source)
        for weight in model.weights:
            np.testing.assert_array_equal(found[weight.path], weight.numpy())


def test_weights_without_elements_that_lie_in_another_storage(tmp_path: Path) -> None:
    class Empty(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.kernel = torch.nn.Parameter(torch.ones(5)[5:].reshape(0, 3))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x @ self.kernel

    program = torch.export.export(Empty(), (torch.ones(2, 0),))
    file = tmp_path / "model.pt2"
    with pytest.raises(RuntimeError, match="overflow"):  # what PyTorch makes of it
        torch.export.save(program, file)
    torch_artifact.own_storage_of_nothing(program)
    torch.export.save(program, file)
    assert torch.export.load(file).module()(torch.ones(2, 0)).shape == (2, 3)
