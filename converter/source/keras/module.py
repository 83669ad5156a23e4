"""Puts a Keras module together: imports, classes, and the function that loads it."""

from __future__ import annotations

import json
import textwrap
from types import FunctionType

import onnx_ir as ir

from converter.graph.structure.layers import Layer
from converter.graph.structure.scopes import CLASSES
from converter.graph.structure.sizes import Sizes
from converter.graph.structure.tree import Step, tree_of
from converter.graph.structure.weights import weight_of
from converter.naming import identifier
from converter.rebuild.graph_values import role_of
from converter.rebuild.prepare import plain_domain, version_of
from converter.source.body import Body
from converter.source.classes import Definition, Drafted, Drafting, settle
from converter.source.constructors import constructor_lines, is_scope, type_of
from converter.source.docstrings import docstring
from converter.source.errors import NotWritable
from converter.source.expressions import Text, call, combined, number
from converter.source.extract import Extraction
from converter.source.formatting import formatted
from converter.source.handlers import written_out
from converter.source.keras.control import control
from converter.source.keras.dtypes import WORDS, word
from converter.source.keras.layers import constructor, takes
from converter.source.keras.operators import last, spells
from converter.source.made import Made
from converter.source.refusals import refuse
from converter.source.view import View
from converter.source.written import Written, collect, no_layers, without_dropout

OWN_NAMES = frozenset({"keras", "layers", "ops", "Path", "load", "WEIGHTS", "INPUTS", "training"})
"""Names that mean something in every module."""

IMPORTS = (
    "from __future__ import annotations", "from pathlib import Path",
    "import keras", "from keras import layers, ops",
)  # fmt: skip
"""Sorted, and thinned out, when the text is formatted."""


class Keras:
    """How Keras spells what is no Python."""

    names_members = builds_members = True
    maximum, minimum = "ops.maximum", "ops.minimum"

    def __init__(self, model: ir.Model) -> None:
        import keras

        from converter.rebuild.tensorflow import load_handlers

        self.model = model
        self.handlers = load_handlers()
        self.attributes = frozenset(dir(keras.Model))
        self.defined = set(OWN_NAMES)
        self.extraction = Extraction(self.defined, IMPORTS)
        self.functions = {handler.function.__name__ for handler in self.handlers}

    @property
    def names(self) -> set[str]:
        """What means something in the module, and what the handlers' functions may be called."""
        return self.defined | self.functions

    def define(self, name: str) -> None:
        """Take a name for the whole module."""
        self.defined.add(name)

    def takes(self, layer: Layer) -> bool:
        """Tell whether Keras has such a layer."""
        return takes(layer)

    def constructor(self, layer: Layer) -> Made:
        """Return how a layer is made."""
        return constructor(layer)

    def spell(self, view: View) -> Text | None:
        """Return a node's expression, ``None`` where no single one says it."""
        domain = plain_domain(view.node.domain)
        table, version = (last, 1) if domain else (spells, version_of(view.node, self.model))
        if domain not in ("", "equiport"):
            return None
        speller = table.find(view.node.op_type, version)
        return speller(view) if speller is not None else None

    def shape(self, value: Text, axis: int) -> Text:
        """Return the size of a tensor's axis."""
        return combined(f"ops.shape({value})[{axis}]", 4, value)

    def scalar(self, text: Text, dtype: ir.DataType) -> Text:
        """Return a size as an operand of arithmetic: a backend may hold it as another integer."""
        return call("ops.cast", text, word(dtype))

    def tensor(self, view: View, value: object, dtype: ir.DataType) -> Text:
        """Return a tensor of numbers that are known."""
        single = dtype == ir.DataType.FLOAT
        if isinstance(value, tuple):
            text = Text(f"[{', '.join(view.size(item, single).text for item in value)}]")
        else:
            text = view.size(value, single)
        return call("ops.convert_to_tensor", text, word(dtype))

    def repeated(self, item: str, count: int) -> str:
        """Return a list of members that are all made alike."""
        return f"[{item} for _ in range({count})]"

    def listed(self, items: list[str]) -> str:
        """Return a list of members."""
        return f"[{', '.join(items)}]"

    def mapped(self, items: dict[str, str]) -> str:
        """Return members by their numbers, which have gaps."""
        return f"{{{', '.join(f'{key!r}: {item}' for key, item in items.items())}}}"

    def hold(self, value: ir.Value, name: str) -> str:
        """Return the statement that makes room for a weight or constant of a class itself."""
        weight = weight_of(value)
        shape = number(weight.shape if weight is not None else tuple(value.shape or ()))
        dtype = word(weight.dtype if weight is not None else value.dtype)
        trained = weight is not None and role_of(weight.initializer) == "parameter"
        given = [f'name="{name}"'] if is_scope(name) else []
        given += [f"shape={shape}", 'initializer="zeros"']
        given += [] if dtype == '"float32"' else [f"dtype={dtype}"]
        given += [] if trained else ["trainable=False"]
        return f"self.{name} = self.add_weight({', '.join(given)})"

    def function(self, function: FunctionType) -> str:
        """Write a function of ours into the module; returns what it is called."""
        return self.extraction.definition(function)

    def written_out(self, view: View) -> Text:
        """Return the call of a function that is written from the operator's handler."""
        return written_out(view, self.handlers, self.model, self.extraction)

    def on_host(self, view: View, index: int) -> Text:
        """Return the numbers of an input that only a run tells: as tensors of one element each."""
        sizes, value = view.dims(index), view.tensor(index)
        if sizes == ():
            return value
        if sizes is None or len(sizes) != 1 or not isinstance(sizes[0], int):
            name = view.node.inputs[index].name  # type: ignore[union-attr]
            raise NotWritable(
                f"{name}, whose numbers {view.node.op_type} needs, has an open length"
            )
        return call("tuple", call("ops.unstack", value, num=Text(str(sizes[0]))))

    def control(self, body: Body, step: Step) -> None:
        """Write the statements of a branch or a loop."""
        control(body, step)


def write(model: ir.Model, name: str = "Model") -> Written:
    """Write a prepared graph as a Keras module.

    Raises:
        NotWritable: the graph has something that the writer has no words for.
    """
    refuse(model)
    sizes = Sizes(model)
    classes = json.loads(model.graph.metadata_props.get(CLASSES, "{}"))
    language = Keras(model)
    root_name = identifier(classes.get("", name).rpartition(".")[2]) or name
    drafting = Drafting(sizes, language, root_name)
    drafted = drafting.draft(tree_of(model, sizes, takes))
    settle(drafting.definitions)
    extraction = language.extraction
    written = collect(drafted)
    written.notes = [*without_dropout(model, takes), *no_layers(model, takes)]
    specs = _specs(model, drafted.arguments)
    parts = [
        _head(root_name, list(extraction.imports), bool(extraction.definitions)),
        *extraction.definitions.values(),
        *(_class(definition, language, classes) for definition in drafting.definitions),
        LOADING.replace("CLASS", written.root).replace("SPECS", specs),
    ]
    written.text = formatted("\n\n".join(parts))
    return written


def _head(name: str, imports: list[str], bound: bool) -> str:
    """Return docstring and imports; ``bound``: something needs TensorFlow itself."""
    words = f"{name}, in Keras 3."
    if bound:
        words += "\n\nIt runs on the TensorFlow backend: Keras has not all that it needs.\n"
    return "\n".join([f'"""{words}"""', "", *dict.fromkeys([*IMPORTS, *imports]), ""])


def _class(definition: Definition, language: Keras, classes: dict[str, str]) -> str:
    first = definition.first
    made = textwrap.indent("\n".join(constructor_lines(definition, language)), "        ")
    parameters = "".join(
        f", {name}: {type_of(definition, name, 'str')}" for name in definition.parameters
    )
    is_root = first.block.scope is None
    base = "keras.Model" if is_root else "layers.Layer"
    mode = ["training=None"] if is_root and follows_mode(first) else []
    values = [value for drafted in definition.instances for value in drafted.block.inputs]
    mixed = any(
        value.dtype is not None and value.dtype.is_floating_point()
        and value.dtype != ir.DataType.FLOAT for value in values
    )  # fmt: skip
    lines = [
        '@keras.saving.register_keras_serializable("model")',
        f"class {definition.name}({base}):",
        *docstring(definition, language.model, classes),
        "",
        f"    def __init__(self{parameters}, **kwargs) -> None:",
        f"        super().__init__({'autocast=False, ' if mixed else ''}**kwargs)",
        made,
        "",
        f"    def call(self, {', '.join([*first.arguments, *first.sizes, *mode])}):",
        *([f'        """{MODE}"""'] if mode else []),
        textwrap.indent("\n".join(first.lines), "        "),
    ]
    if is_root:
        lines.append(BUILDING)
    return "\n".join(lines) + "\n"


MODE = "Keras hands `training` on to every layer."


def follows_mode(drafted: Drafted) -> bool:
    """Tell whether anything in a block does something else in training."""
    return any(
        follows_mode(member.drafted) if member.drafted is not None
        else "Dropout" in member.class_name or member.class_name in _FOLLOWING
        for member in drafted.members
    )  # fmt: skip


_FOLLOWING = ("layers.BatchNormalization", "layers.GaussianNoise")


def _specs(model: ir.Model, names: list[str]) -> str:
    """Return shape and type of each input by its name."""
    specs = []
    for name, value in zip(names, model.graph.inputs, strict=True):
        if value.shape is None or value.dtype not in WORDS or not len(value.shape):
            raise NotWritable(f"an input such as {value.name}: its rank is 0 or not known")
        shape = tuple(size if isinstance(size, int) else None for size in value.shape)
        specs.append(f'"{name}": {{"batch_shape": {shape!r}, "dtype": {word(value.dtype)}}}')
    return f"{{{', '.join(specs)}}}"


BUILDING = '''
    def build_from_config(self, config) -> None:
        """Make the variables by a call on symbols; `keras.models.load_model` asks for it."""
        self(*(keras.Input(name=name, **spec) for name, spec in INPUTS.items()))
'''

LOADING = '''
WEIGHTS = Path(__file__).with_name("model.weights.h5")

INPUTS = SPECS
"""Shape and type of each input, the batch with it; ``None`` is any size."""


def load(path: Path = WEIGHTS) -> CLASS:
    """Return the model with its weights."""
    model = CLASS()
    model.build_from_config({})
    model.load_weights(path)
    return model
'''
