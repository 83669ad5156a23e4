"""Puts a PyTorch module together: imports, classes, and the function that loads it."""

from __future__ import annotations

import json
import textwrap
from dataclasses import replace
from types import FunctionType
from typing import Any

import onnx_ir as ir
import torch.nn

from converter.graph.structure.layers import Layer
from converter.graph.structure.scopes import CLASSES
from converter.graph.structure.sizes import Sizes
from converter.graph.structure.tree import Step, tree_of
from converter.graph.structure.weights import weight_of
from converter.naming import identifier
from converter.rebuild.graph_values import role_of
from converter.rebuild.prepare import plain_domain, version_of
from converter.source.body import Body
from converter.source.classes import Definition, Drafting, settle
from converter.source.constructors import constructor_lines, type_of
from converter.source.docstrings import docstring
from converter.source.errors import NotWritable
from converter.source.expressions import Text, call, combined, method, number
from converter.source.extract import Extraction
from converter.source.formatting import formatted
from converter.source.handlers import written_out
from converter.source.made import Made
from converter.source.pytorch.control import control
from converter.source.pytorch.dtypes import word
from converter.source.pytorch.layers import constructor, own_class, takes
from converter.source.pytorch.operators import spells
from converter.source.refusals import refuse
from converter.source.view import View
from converter.source.written import Written, collect, no_layers, tied, without_dropout

OWN_NAMES = frozenset(
    {"torch", "nn", "F", "Tensor", "Path", "json", "load", "read_tensors", "WEIGHTS", "DTYPES"}
)
"""Names that mean something in every module."""


class PyTorch:
    """How PyTorch spells what is no Python."""

    names_members = builds_members = False
    maximum, minimum = "max", "min"
    attributes = frozenset(dir(torch.nn.Module())) | {"training"}

    def __init__(self, model: ir.Model) -> None:
        from converter.rebuild.pytorch import load_handlers

        self.model = model
        self.handlers = load_handlers()
        self.defined = set(OWN_NAMES)
        self.extraction = Extraction(self.defined, IMPORTS)
        self.functions = {handler.function.__name__ for handler in self.handlers}

    @property
    def names(self) -> set[str]:
        """What means something in the module, and what the handlers' functions may be called."""
        return self.defined | self.functions

    def takes(self, layer: Layer) -> bool:
        """Tell whether PyTorch has such a layer."""
        return takes(layer)

    def constructor(self, layer: Layer) -> Made:
        """Return how a layer is made."""
        own = own_class(layer)
        made = constructor(layer)
        return made if own is None else replace(made, class_name=self.extraction.definition(own))

    def define(self, name: str) -> None:
        """Take a name for the whole module."""
        self.defined.add(name)

    def spell(self, view: View) -> Text | None:
        """Return a node's expression, ``None`` where no single one says it."""
        if plain_domain(view.node.domain):
            return None
        speller = spells.find(view.node.op_type, version_of(view.node, self.model))
        return speller(view) if speller is not None else None

    def shape(self, value: Text, axis: int) -> Text:
        """Return the size of a tensor's axis."""
        return combined(f"{value}.shape[{axis}]", 4, value)

    def scalar(self, text: Text, dtype: ir.DataType) -> Text:
        """Return a size as an operand of arithmetic: PyTorch's are Python's integers."""
        return text

    def tensor(self, view: View, value: Any, dtype: ir.DataType) -> Text:
        """Return a tensor of numbers that are known."""
        single = dtype == ir.DataType.FLOAT
        if isinstance(value, tuple):
            parts = [view.size(item, single) for item in value]
            text = combined(f"[{', '.join(part.text for part in parts)}]", 4, *parts)
        else:
            text = view.size(value, single)
        return call("torch.tensor", text, dtype=word(dtype), device=view.device())

    def repeated(self, item: str, count: int) -> str:
        """Return a list of members that are all made alike."""
        return f"nn.ModuleList({item} for _ in range({count}))"

    def listed(self, items: list[str]) -> str:
        """Return a list of members."""
        return f"nn.ModuleList([{', '.join(items)}])"

    def mapped(self, items: dict[str, str]) -> str:
        """Return members by their numbers, which have gaps."""
        pairs = ", ".join(f'"{key}": {item}' for key, item in items.items())
        return f"nn.ModuleDict({{{pairs}}})"

    def hold(self, value: ir.Value, name: str) -> str:
        """Return the statement that makes room for a weight or constant of a class itself."""
        weight = weight_of(value)
        shape = number(weight.shape if weight is not None else tuple(value.shape or ()))
        dtype = word(weight.dtype if weight is not None else value.dtype)
        keyword = "" if dtype == "torch.float32" else f", dtype={dtype}"
        if weight is not None and role_of(weight.initializer) == "parameter":
            return f"self.{name} = nn.Parameter(torch.empty({shape}{keyword}))"
        persistent = "" if weight is not None else ", persistent=False"
        return f'self.register_buffer("{name}", torch.empty({shape}{keyword}){persistent})'

    def function(self, function: FunctionType) -> str:
        """Write a function of ours into the module; returns what it is called."""
        return self.extraction.definition(function)

    def written_out(self, view: View) -> Text:
        """Return the call of a function that is written from the operator's handler."""
        return written_out(view, self.handlers, self.model, self.extraction)

    def on_host(self, view: View, index: int) -> Text:
        """Return the numbers of an input that only a run tells: as Python's."""
        rank = view.rank(index)
        if rank not in (0, 1):
            name = view.node.inputs[index].name  # type: ignore[union-attr]
            raise NotWritable(f"{name}, whose numbers {view.node.op_type} needs, is no list")
        return method(view.tensor(index), "tolist" if rank else "item")

    def control(self, body: Body, step: Step) -> None:
        """Write the statements of a branch or a loop."""
        control(body, step)


def write(model: ir.Model, name: str = "Model") -> Written:
    """Write a prepared graph as a PyTorch module.

    Raises:
        NotWritable: the graph has something that the writer has no words for.
    """
    refuse(model)
    sizes = Sizes(model)
    root = tree_of(model, sizes, takes)
    classes = json.loads(model.graph.metadata_props.get(CLASSES, "{}"))
    root_name = identifier(classes.get("", name).rpartition(".")[2]) or name
    language = PyTorch(model)
    drafting = Drafting(sizes, language, root_name)
    drafted = drafting.draft(root)
    settle(drafting.definitions)
    extraction = language.extraction
    written = collect(drafted)
    written.notes = [*without_dropout(model, takes), *no_layers(model, takes)]
    ties = [
        f"{written.places[name]} = {written.places[other]}" for name, other in tied(written).items()
    ]
    parts = [
        _head(root_name, list(extraction.imports)),
        *extraction.definitions.values(),
        *(
            _class(definition, language, classes, ties if definition is drafted.definition else [])
            for definition in drafting.definitions
        ),
    ]
    fill = FILL if written.constants else ""
    parts.append(LOADING.replace("CLASS", written.root).replace("    FILL\n", fill))
    written.text = formatted("\n\n".join(parts))
    return written


def _head(name: str, imports: list[str]) -> str:
    lines = dict.fromkeys([*IMPORTS, *imports])
    return "\n".join([f'"""{name}, in PyTorch."""', "", *lines, ""])


IMPORTS = (
    "from __future__ import annotations", "import json", "from pathlib import Path",
    "import torch", "from torch import Tensor", "from torch import nn",
    "from torch.nn import functional as F",
)  # fmt: skip
"""Sorted, and thinned out, when the text is formatted."""


def _class(
    definition: Definition, language: PyTorch, classes: dict[str, str], ties: list[str]
) -> str:
    first = definition.first
    made = textwrap.indent("\n".join(constructor_lines(definition, language) + ties), "        ")
    parameters = "".join(
        f", {name}: {type_of(definition, name, 'torch.dtype')}" for name in definition.parameters
    )
    lines = [
        f"class {definition.name}(nn.Module):",
        *docstring(definition, language.model, classes),
        "",
    ]
    if made:
        lines += [
            f"    def __init__(self{parameters}) -> None:",
            "        super().__init__()",
            made,
            "",
        ]
    arguments = "".join(f", {name}: Tensor" for name in first.arguments)
    arguments += "".join(f", {name}: int" for name in first.sizes)
    count = len(first.block.outputs)
    result = "Tensor" if count == 1 else f"tuple[{', '.join(['Tensor'] * count)}]"
    lines.append(f"    def forward(self{arguments}) -> {result}:")
    lines.append(textwrap.indent("\n".join(first.lines), "        "))
    return "\n".join(lines) + "\n"


FILL = """\
    for name, _ in list(model.named_buffers()):
        if name not in model.state_dict():  # a constant, which no checkpoint holds
            owner, _, leaf = name.rpartition(".")
            setattr(model.get_submodule(owner), leaf, tensors.pop(name))
"""

LOADING = '''
WEIGHTS = Path(__file__).with_name("model.safetensors")


def load(path: Path = WEIGHTS) -> CLASS:
    """Return the model with its weights, ready for inference."""
    model = CLASS()
    tensors = read_tensors(path)
    FILL
    model.load_state_dict(tensors)
    return model.eval()


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read a safetensors file: the length of a JSON header, the header, the data."""
    data = bytearray(path.read_bytes())
    start = 8 + int.from_bytes(data[:8], "little")
    tensors = {}
    for name, entry in json.loads(data[8:start]).items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        dtype = DTYPES[entry["dtype"]]
        part = memoryview(data)[start + begin : start + end]
        tensor = torch.frombuffer(part, dtype=dtype) if end > begin else torch.empty(0, dtype=dtype)
        tensors[name] = tensor.reshape(entry["shape"])
    return tensors


DTYPES = {
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
}
'''
