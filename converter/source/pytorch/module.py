"""Puts a PyTorch module together: imports, classes, and the function that loads it."""

from __future__ import annotations

import json
import textwrap
from typing import Any

import onnx_ir as ir

from converter.graph.structure.scopes import CLASSES
from converter.graph.structure.sizes import Sizes
from converter.graph.structure.tree import tree_of
from converter.graph.structure.weights import Weight, weight_of
from converter.rebuild.graph_values import role_of
from converter.rebuild.prepare import opset_of
from converter.source.body import View
from converter.source.classes import (
    REQUIRED,
    Definition,
    Drafted,
    Drafting,
    Member,
    collected,
    identifier,
    is_list,
    settle,
)
from converter.source.expressions import Text, call, combined, number
from converter.source.extract import Extraction
from converter.source.formatting import LINE_LENGTH, formatted
from converter.source.handlers import written_out
from converter.source.pytorch.layers import constructor
from converter.source.pytorch.operators import SPELLERS, WORDS
from converter.source.written import Written

OWN_NAMES = frozenset(
    {"torch", "nn", "F", "Tensor", "Path", "json", "load", "read_tensors", "WEIGHTS", "DTYPES"}
)
"""Names that mean something in every module."""


class PyTorch:
    """How PyTorch spells what is no Python."""

    def __init__(self, opset: int) -> None:
        from converter.rebuild.pytorch import load_handlers

        self.opset = opset
        self.handlers = load_handlers()
        self.extraction = Extraction(OWN_NAMES)
        functions = {handler.function.__name__.strip("_") for handler in self.handlers}
        self.reserved = OWN_NAMES | functions

    def spell(self, view: View) -> Text | None:
        """Return a node's expression, ``None`` where no single one says it."""
        speller = SPELLERS.get(view.node.op_type)
        return (
            speller(view) if speller is not None and view.node.domain in ("", "ai.onnx") else None
        )

    def shape(self, value: Text, axis: int) -> Text:
        """Return the size of a tensor's axis."""
        return combined(f"{value}.shape[{axis}]", 4, value)

    def tensor(self, view: View, value: Any, dtype: ir.DataType) -> Text:
        """Return a tensor of numbers that are known."""
        single = dtype == ir.DataType.FLOAT
        if isinstance(value, tuple):
            inner = ", ".join(view.size(item, single).text for item in value)
            text = Text(f"[{inner}]")
        else:
            text = view.size(value, single)
        return call("torch.tensor", text, dtype=WORDS[dtype], device=view.device())

    def written_out(self, view: View) -> Text:
        """Return the call of a function that is written from the operator's handler."""
        return written_out(view, self.handlers, self.opset, self.extraction)


def write(model: ir.Model, name: str = "Model") -> Written:
    """Write a prepared graph as a PyTorch module.

    Raises:
        NotWritable: the graph has something that the writer has no words for.
    """
    sizes = Sizes(model)
    root = tree_of(model, sizes)
    classes = json.loads(model.graph.metadata_props.get(CLASSES, "{}"))
    root_name = identifier(classes.get("", name).rpartition(".")[2]) or name
    language = PyTorch(opset_of(model, ""))
    drafting = Drafting(sizes, language, constructor, root_name)
    drafted = drafting.draft(root)
    settle(drafting.definitions)
    extraction = language.extraction
    parts = [
        _head(root_name, list(extraction.imports)),
        *extraction.definitions.values(),
        *(_class(d, model, classes) for d in drafting.definitions),
    ]
    parts.append(LOADING.format(name=drafted.definition.name if drafted.definition else root_name))
    written = Written("")
    _collect(drafted, "", written)
    written.text = formatted("\n\n".join(parts))
    return written


def _head(name: str, imports: list[str]) -> str:
    lines = dict.fromkeys([*IMPORTS, *imports])
    return "\n".join([f'"""{name}, in PyTorch."""', "", *lines, ""])


IMPORTS = (
    "from __future__ import annotations", "import json", "from pathlib import Path",
    "import torch", "from torch import Tensor, nn", "from torch.nn import functional as F",
)  # fmt: skip
"""Sorted, and thinned out, when the text is formatted."""


def _class(definition: Definition, model: ir.Model, classes: dict[str, str]) -> str:
    first = definition.first
    made = textwrap.indent("\n".join(_constructor(definition)), "        ")
    parameters = "".join(f", {name}: {_kind(definition, name)}" for name in definition.parameters)
    lines = [f"class {definition.name}(nn.Module):", *_docstring(definition, model, classes), ""]
    if made:
        lines += [
            f"    def __init__(self{parameters}) -> None:",
            "        super().__init__()",
            made,
            "",
        ]
    arguments = "".join(f", {name}: Tensor" for name in first.arguments)
    arguments += "".join(f", {symbol}: int" for symbol in first.block.sizes)
    count = len(first.block.outputs)
    result = "Tensor" if count == 1 else f"tuple[{', '.join(['Tensor'] * count)}]"
    lines.append(f"    def forward(self{arguments}) -> {result}:")
    lines.append(textwrap.indent("\n".join(first.lines), "        "))
    return "\n".join(lines) + "\n"


def _kind(definition: Definition, parameter: str) -> str:
    for (member, argument), name in definition.places.items():
        if name == parameter:
            values = {
                type(drafted.members[member].arguments[argument].value).__name__
                for drafted in definition.instances
            }
            if values == {"tuple"}:
                return "tuple[int, ...]"
            return values.pop() if len(values) == 1 else "int | tuple[int, ...]"
    raise KeyError(parameter)


def _docstring(definition: Definition, model: ir.Model, classes: dict[str, str]) -> list[str]:
    text = f'"""{_origin(definition, model, classes)}"""'
    return textwrap.wrap(
        text, LINE_LENGTH, initial_indent="    ", subsequent_indent="    ",
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip


def _origin(definition: Definition, model: ir.Model, classes: dict[str, str]) -> str:
    path = definition.first.path
    if not path:
        shapes = ", ".join(_border(value) for value in model.graph.inputs)
        results = ", ".join(_border(value) for value in model.graph.outputs)
        return f"{shapes} -> {results}."
    source, _, _ = classes.get(path, "").rpartition(".")
    return f"`{path}` of the source" + (f", from `{source}`." if source else ".")


def _border(value: ir.Value) -> str:
    shape = ", ".join(str(size) for size in value.shape) if value.shape is not None else "..."
    dtype = str(value.dtype).rpartition(".")[2].lower() if value.dtype is not None else "tensor"
    dtype = {"float": "float32", "double": "float64"}.get(dtype, dtype)
    return f"{value.name} {dtype} [{shape}]"


def _constructor(definition: Definition) -> list[str]:
    members, lines, done = definition.first.members, [], set()
    collections = collected(members)
    for index, member in enumerate(members):
        name, dot, _ = member.path.partition(".")
        if not dot:
            lines.append(f"self.{name} = {_made(definition, index, member)}")
        elif name not in done:
            done.add(name)
            lines.append(f"self.{name} = {_collection(definition, name, collections[name])}")
    for value, name in definition.first.held.items():
        lines.append(f"self.{_held(value, name)}")
    return lines


def _held(value: ir.Value, name: str) -> str:
    weight = weight_of(value)
    shape = number(weight.shape if weight is not None else tuple(value.shape or ()))
    if weight is not None and role_of(weight.initializer) == "parameter":
        return f"{name} = nn.Parameter(torch.empty({shape}))"
    dtype = WORDS.get(value.dtype or ir.DataType.FLOAT, "torch.float32")
    keyword = "" if dtype == "torch.float32" else f", dtype={dtype}"
    persistent = "" if weight is not None else ", persistent=False"
    return f'register_buffer("{name}", torch.empty({shape}{keyword}){persistent})'


def _made(definition: Definition, index: int, member: Member) -> str:
    texts = []
    for place, argument in enumerate(member.arguments):
        parameter = definition.places.get((index, place))
        if parameter is None and argument.value == argument.default:
            continue
        text = parameter or number(argument.value)
        texts.append(text if argument.default is REQUIRED else f"{argument.name}={text}")
    return f"{member.class_name}({', '.join(texts)})"


def _collection(definition: Definition, name: str, numbers: list[str]) -> str:
    made = {
        member.path.partition(".")[2]: _made(definition, index, member)
        for index, member in enumerate(definition.first.members)
        if member.path.startswith(f"{name}.")
    }
    if not is_list(numbers):
        pairs = ", ".join(f'"{key}": {made[key]}' for key in sorted(made, key=int))
        return f"nn.ModuleDict({{{pairs}}})"
    items = [made[str(index)] for index in range(len(made))]
    if len(items) > 1 and len(set(items)) == 1:
        return f"nn.ModuleList({items[0]} for _ in range({len(items)}))"
    return f"nn.ModuleList([{', '.join(items)}])"


COUNTER = "num_batches_tracked"


def _counter(member: Member) -> Weight | None:
    """Return what counts the batches that a normalisation has seen: no operator reads it."""
    mean = member.weights.get("running_mean")
    graph = mean.initializer.graph if mean is not None else None
    if mean is None or graph is None:
        return None
    return weight_of(graph.initializers.get(f"{mean.name.rpartition('.')[0]}.{COUNTER}"))


def _collect(drafted: Drafted, path: str, written: Written) -> None:
    """Note down which tensor lies where."""
    for member in drafted.members:
        inner = f"{path}{member.path}."
        for name, weight in member.weights.items():
            written.weights[f"{inner}{name}"] = weight
        if (count := _counter(member)) is not None:
            written.weights[f"{inner}{COUNTER}"] = count
        if member.drafted is not None:
            _collect(member.drafted, inner, written)
    for value, name in drafted.held.items():
        own = weight_of(value)
        if own is not None:
            written.weights[f"{path}{name}"] = own
        else:
            written.constants[f"{path}{name}"] = value


LOADING = '''
WEIGHTS = Path(__file__).with_name("model.safetensors")


def load(path: Path = WEIGHTS) -> {name}:
    """Return the model with its weights, ready for inference."""
    model = {name}()
    tensors = read_tensors(path)
    for name, buffer in model.named_buffers():
        if name in tensors:
            buffer.copy_(tensors.pop(name))
    model.load_state_dict(tensors, strict=False)
    return model.eval()


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read a safetensors file: the length of a JSON header, the header, the data."""
    data = bytearray(path.read_bytes())
    start = 8 + int.from_bytes(data[:8], "little")
    tensors = {{}}
    for name, entry in json.loads(data[8:start]).items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        dtype = DTYPES[entry["dtype"]]
        part = memoryview(data)[start + begin : start + end]
        tensor = torch.frombuffer(part, dtype=dtype) if end > begin else torch.empty(0, dtype=dtype)
        tensors[name] = tensor.reshape(entry["shape"])
    return tensors


DTYPES = {{
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}}
'''
