"""Reading a file runs nothing that it carries, unless it is trusted; an attack leaves a mark."""

from __future__ import annotations

import io
import json
import os
import pickle
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from converter import formats
from converter.errors import UntrustedModelError
from converter.formats.exported_code import is_arithmetic, is_operator
from converter.formats.pickles import globals_in, suspicious

MARK = "EQUIPORT_TEST_MARK"


class Attack:
    """Sets an environment variable when it is unpickled."""

    def __reduce__(self) -> tuple:
        return exec, (f"import os; os.environ[{MARK!r}] = '1'",)


@pytest.fixture(autouse=True)
def nothing_ran(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv(MARK, raising=False)
    yield
    monkeypatch.delenv(MARK, raising=False)


def refused(path: Path, *words: str) -> None:
    with pytest.raises(UntrustedModelError) as caught:
        formats.load(path)
    for word in words:
        assert word in caught.value.message, caught.value.message
    assert "--trust" in caught.value.hint
    assert caught.value.exit_code == 2
    assert MARK not in os.environ


@pytest.mark.parametrize("name", ["module.pt", "module_legacy.pt"])
def test_a_pickled_module_says_what_it_imports(name: str, torch_files: Path) -> None:
    refused(torch_files / name, "torch_models.Classifier", "torch.nn.modules.linear.Linear")


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_that_runs_code(zipped: bool, tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    torch.save({"weight": Attack()}, path, _use_new_zipfile_serialization=zipped)
    refused(path, "exec")
    torch.load(path, weights_only=False)  # the attack is a real one
    assert os.environ.pop(MARK) == "1"


@pytest.mark.parametrize("protocol", range(2, 6))
def test_names_in_pickles_of_every_protocol(protocol: int) -> None:
    content = pickle.dumps([Attack(), Path("x"), Attack()], protocol=protocol)
    names = globals_in(io.BytesIO(content))
    assert {"builtins.exec", "__builtin__.exec"} & set(names)
    assert any(name.startswith("pathlib.") for name in names)
    assert suspicious(names) == list(names)


def test_a_name_put_together_in_the_memo_counts_as_unknown() -> None:
    # The stack has "os" and "system" where the last strings written are harmless ones.
    opcodes = (
        b"\x80\x04\x8c\x02os\x94\x8c\x06system\x94\x8c\x0bcollections\x8c\x0bOrderedDict00\x93."
    )
    assert pickle.loads(opcodes) is os.system
    assert suspicious(globals_in(io.BytesIO(opcodes)))


def rewritten(
    source: Path, target: Path, change: Callable[[str, bytes], bytes], extra: dict | None = None
) -> Path:
    """Copy a `.pt2` archive with its members changed."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
        for name, content in (extra or {}).items():
            new.writestr(name, content)
    return target


def in_program(change: Callable[[dict], None]) -> Callable[[str, bytes], bytes]:
    def apply(name: str, content: bytes) -> bytes:
        if not name.endswith("models/model.json"):
            return content
        program = json.loads(content)
        change(program)
        return json.dumps(program).encode()

    return apply


CODE = f"__import__('os').environ.__setitem__('{MARK}','1')"


def evil_size(program: dict) -> None:
    sizes = program["graph_module"]["graph"]["tensor_values"]["x"]["sizes"]
    sizes[0]["as_expr"]["expr_str"] = f"[{CODE}, 3][1]"


def evil_guard(program: dict) -> None:
    program["guards_code"] = [CODE]


def evil_target(program: dict) -> None:
    program["graph_module"]["graph"]["nodes"][0]["target"] = "torch.serialization.os.system"


def evil_file(program: dict) -> None:
    program["graph_module"]["graph"]["nodes"][0]["target"] = "torch.ops.aten.from_file.default"


def evil_library(program: dict) -> None:
    program["graph_module"]["graph"]["nodes"][0]["target"] = "torch.ops.load_library.__call__"


def evil_factory(program: dict) -> None:
    context = {"default_factory_module": "antigravity", "default_factory_name": "x"}
    spec = [1, {"type": "collections.defaultdict", "context": context, "children_spec": []}]
    program["graph_module"]["module_call_graph"][0]["signature"]["in_spec"] = json.dumps(spec)


PROGRAMS = {
    "a size": (evil_size, "the expression"),
    "a guard": (evil_guard, "the expression"),
    "an operator": (evil_target, "torch.serialization.os.system"),
    "an operator on files": (evil_file, "from_file"),
    "a library": (evil_library, "load_library"),
    "an imported factory": (evil_factory, "antigravity"),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_with_code_in(name: str, torch_files: Path, tmp_path: Path) -> None:
    change, words = PROGRAMS[name]
    path = rewritten(torch_files / "program.pt2", tmp_path / "evil.pt2", in_program(change))
    refused(path, words)


def test_the_size_above_is_a_real_attack(torch_files: Path, tmp_path: Path) -> None:
    path = rewritten(torch_files / "program.pt2", tmp_path / "evil.pt2", in_program(evil_size))
    torch.export.load(path)
    assert MARK in os.environ


def test_a_program_whose_example_inputs_run_code(torch_files: Path, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    torch.save(((Attack(),), {}), buffer)

    def change(name: str, content: bytes) -> bytes:
        return buffer.getvalue() if "sample_inputs" in name else content

    path = rewritten(torch_files / "program.pt2", tmp_path / "evil.pt2", change)
    refused(path, "exec")


MEMBERS = {
    "a library": ("program/data/aotinductor/model/x.so", b"\x7fELF", "compiled code"),
    "a custom object": ("program/data/constants/custom_obj_0", b"x", "custom object"),
    "a second root": ("other/models/model.json", b"{}", "outside of its folder"),
}


@pytest.mark.parametrize("name", MEMBERS)
def test_a_program_with_more_members(name: str, torch_files: Path, tmp_path: Path) -> None:
    member, content, words = MEMBERS[name]
    path = tmp_path / "evil.pt2"
    rewritten(torch_files / "program.pt2", path, lambda _, old: old, {member: content})
    refused(path, words)


def test_sound_programs_pass(torch_files: Path, tmp_path: Path) -> None:
    """Dynamic sizes in expressions, control flow and structures are no code."""

    class Net(torch.nn.Module):
        def forward(self, x: torch.Tensor, extra: dict) -> dict:
            half = x.shape[0] // 2
            y = torch.cond(x.sum() > 0, lambda t: t + 1, lambda t: t - 1, (x,))
            return {"y": y[:half].reshape(-1), "n": extra["n"] * x.shape[0]}

    batch = torch.export.Dim("batch")
    program = torch.export.export(
        Net(),
        (torch.randn(6, 4), {"n": torch.ones(2)}),
        dynamic_shapes=({0: 2 * batch}, {"n": None}),
    )
    torch.export.save(program, tmp_path / "net.pt2")
    source = formats.load(tmp_path / "net.pt2")
    assert [spec.name for spec in source.signature.outputs] == ["y", "n"]


@pytest.mark.parametrize(
    ("text", "sound"),
    [
        ("Symbol('s77', positive=True, integer=True)", True),
        ("2*Symbol('s0', integer=True) + FloorDiv(s1, 2)", True),
        ("L['x'].size()[0] % 8 == 0", True),
        ("Max(1, s0) >= 3 and not s1 < 2", True),
        ("__import__('os')", False),
        ("().__class__.__bases__", False),
        ("exec('1')", False),
        ("(lambda: 1)()", False),
        ("[x for x in s0]", False),
        ("s0.func('a')", False),
        ("Symbol('__import__(1)')", False),
        ("torch.load('x')", False),
        ("a; b", False),
    ],
)
def test_what_counts_as_arithmetic(text: str, sound: bool) -> None:
    assert is_arithmetic(text) is sound


@pytest.mark.parametrize(
    ("target", "sound"),
    [
        ("torch.ops.aten.add.Tensor", True),
        ("torch.ops.higher_order.cond", True),
        ("torch.ops.aten.__and__.Tensor", True),
        ("torch.ops.aten.__class__.mro", False),
        ("_operator.floordiv", True),
        ("math.trunc", True),
        ("torch.sym_max", True),
        ("torch.ops.load_library", False),
        ("torch.ops.load_library.__call__", False),
        ("torch.hub.load", False),
        ("torch.os.system", False),
        ("_operator.methodcaller", False),
        ("_operator.call", False),
        ("torch.ops.aten.from_file.default", False),
    ],
)
def test_what_counts_as_an_operator(target: str, sound: bool) -> None:
    assert is_operator(target) is sound


def test_torchscript_that_writes_files(tmp_path: Path) -> None:
    class Net(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            torch.save(x, "stolen.pt")
            return x

    torch.jit.script(Net()).save(str(tmp_path / "net.pt"))
    refused(tmp_path / "net.pt", "torch.save")
    assert formats.load(tmp_path / "net.pt", trust=True).kind == "torchscript"


@pytest.mark.parametrize("name", ["code.keras", "code.h5"])
def test_a_keras_lambda(name: str, keras_files: Path) -> None:
    refused(keras_files / name, "the Lambda layer 'scale'")
    assert formats.load(keras_files / name, trust=True).framework == "tensorflow"


def saved_model(path: Path, function: Callable) -> Path:
    import tensorflow as tf

    module = tf.Module()
    module.weight = tf.Variable(tf.ones((4, 3)))
    spec = tf.TensorSpec([None, 4], tf.float32, "x")
    module.run = tf.function(lambda x: function(tf, x, module.weight), input_signature=[spec])
    tf.saved_model.save(module, str(path), signatures={"serving_default": module.run})
    return path


def checkpoint(tf, x, weight):
    tf.raw_ops.SaveV2(prefix="stolen", tensor_names=["x"], shape_and_slices=[""], tensors=[x])
    return x @ weight


GRAPHS = {
    "Python": (lambda tf, x, w: tf.py_function(lambda t: t, [x], tf.float32), "EagerPyFunc"),
    "NumPy": (lambda tf, x, w: tf.numpy_function(lambda t: t, [x], tf.float32), "PyFunc"),
    "reading": (lambda tf, x, w: x + len_of(tf, tf.io.read_file("/etc/hostname")), "ReadFile"),
    "listing": (
        lambda tf, x, w: x + len_of(tf, tf.io.matching_files("/etc/*")[0]),
        "MatchingFiles",
    ),
    "saving": (checkpoint, "SaveV2"),
    "saving in a branch": (
        lambda tf, x, w: tf.cond(tf.reduce_sum(x) > 0, lambda: checkpoint(tf, x, w), lambda: x @ w),
        "SaveV2",
    ),
}


def len_of(tf, text):
    return tf.cast(tf.strings.length(text), tf.float32)


@pytest.mark.parametrize("name", GRAPHS)
def test_a_saved_model_that_is_more_than_a_graph(name: str, tmp_path: Path) -> None:
    function, operator = GRAPHS[name]
    path = saved_model(tmp_path / "model", function)
    refused(path, operator)
    assert formats.load(path, trust=True).signature.inputs[0].name == "x"


def test_a_saved_model_that_calls_its_own_saver(tmp_path: Path) -> None:
    """The functions that save variables are harmless only if the model does not call them."""
    from tensorflow.core.protobuf import saved_model_pb2

    path = saved_model(tmp_path / "model", lambda tf, x, w: x @ w)
    assert formats.load(path).kind == "saved_model"
    file = path / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    graph = saved.meta_graphs[0].graph_def
    saver = next(
        f.signature.name for f in graph.library.function if "traced_save" in f.signature.name
    )
    wrapper = next(f for f in graph.library.function if "signature_wrapper" in f.signature.name)
    call = wrapper.node_def.add()
    call.name, call.op = "hidden", "StatefulPartitionedCall"
    call.attr["f"].func.name = saver
    file.write_bytes(saved.SerializeToString())
    refused(path, "SaveV2", saver)


def test_onnx_weights_from_elsewhere(onnx_files: Path, tmp_path: Path) -> None:
    import onnx

    shutil.copytree(onnx_files, tmp_path / "models")
    proto = onnx.load(tmp_path / "models" / "beside.onnx", load_external_data=False)
    for tensor in proto.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = "../secret"
    (tmp_path / "secret").write_bytes(bytes(1000))
    path = tmp_path / "models" / "beside.onnx"
    path.write_bytes(proto.SerializeToString())
    with pytest.raises(UntrustedModelError, match=r"\.\./secret"):
        formats.load(path)


def saved_model_with(operator: str) -> bytes:
    """Return a SavedModel's graph that has one operator, in a function."""
    from tensorflow.core.protobuf import saved_model_pb2

    saved = saved_model_pb2.SavedModel()
    function = saved.meta_graphs.add().graph_def.library.function.add()
    function.signature.name = "call"
    function.node_def.add(name="one", op=operator)
    return saved.SerializeToString()


@pytest.mark.parametrize(
    "operator",
    "PyFunc ReadFile InitializeTableFromTextFileV2 InitializeTableFromTextFile "
    "GenerateVocabRemapping DataServiceDatasetV4 RegisterDatasetV2 TextLineDataset XlaCallModule "
    "MlirPassthroughOp OpOfACustomLibrary ANewOperatorOfTensorFlow RpcCall".split(),
)
def test_an_operator_that_is_not_known_to_compute_needs_trust(operator: str) -> None:
    from converter.formats.saved_model_code import findings

    assert findings(saved_model_with(operator)) == [f"{operator} (function call)"]


@pytest.mark.parametrize("operator", "Conv2D While LookupTableFindV2 CudnnRNNV3 NoOp".split())
def test_an_operator_that_computes_needs_none(operator: str) -> None:
    from converter.formats.saved_model_code import findings

    assert findings(saved_model_with(operator)) == []


def test_a_table_of_a_text_file_needs_trust_and_one_in_the_graph_does_not(tmp_path: Path) -> None:
    import tensorflow as tf

    words = tmp_path / "words.txt"
    words.write_text("a\nb\n")
    lookup = tf.lookup
    whole, line = lookup.TextFileIndex.WHOLE_LINE, lookup.TextFileIndex.LINE_NUMBER
    of_file = lookup.TextFileInitializer(str(words), tf.string, whole, tf.int64, line)
    of_graph = lookup.KeyValueTensorInitializer(["a", "b"], tf.constant([0, 1], tf.int64))
    for name, initializer in (("file", of_file), ("graph", of_graph)):
        model = tf.Module()
        model.table = lookup.StaticHashTable(initializer, -1)
        model.call = tf.function(
            model.table.lookup, input_signature=[tf.TensorSpec([None], tf.string, "word")]
        )
        tf.saved_model.save(model, str(tmp_path / name), signatures=model.call)
    refused(tmp_path / "file", "InitializeTableFromTextFileV2")
    formats.load(tmp_path / "graph")
