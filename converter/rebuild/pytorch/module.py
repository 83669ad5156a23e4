"""The PyTorch result: an `nn.Module` whose `forward` is the written-down graph."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import onnx_ir as ir
import torch
from torch import nn

from converter.rebuild.program import Program, load_program
from converter.rebuild.pytorch.dtypes import carried, from_numpy
from converter.rebuild.pytorch.names import CONSTANTS
from converter.signature import Signature


@dataclass(frozen=True)
class Code:
    """What a converted module's class is made from; pickles with it.

    Attributes:
        source: text that defines ``forward``.
        modules: alias to module name, as pairs.
        values: attribute values that have no literal, as pairs.
        renamed: an input's name cannot be an argument's.
    """

    source: str
    modules: tuple[tuple[str, str], ...]
    values: tuple[tuple[str, Any], ...]
    renamed: bool = False

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.source.encode()).hexdigest()[:12]


class ConvertedModule(nn.Module):
    """Base of every rebuilt module.

    Attributes:
        code: the text of ``forward`` and what it needs (`print(module.code.source)`).
        signature: names, dtypes and shapes of inputs and outputs.
        permutations: weight name to how it is stored, ``stored = source.transpose(permutation)``.
        names: a weight's name in the source to its name here, where they differ.
        arguments: an input's name in the signature to its name in ``forward``, where they differ.
    """

    code: Code
    signature: Signature
    permutations: dict[str, tuple[int, ...]]
    names: dict[str, str]
    arguments: dict[str, str]

    def named_weights(self) -> dict[str, torch.Tensor]:
        """Return parameters and buffers by the source's names."""
        there = {held: name for name, held in self.names.items()}
        held = self.state_dict(keep_vars=True)
        return {there.get(name, name): tensor for name, tensor in held.items()}

    def __reduce_ex__(self, protocol: Any) -> tuple:
        # The class exists only in this process; it is made again from its text.
        return _blank, (self.code,), self.__dict__.copy()

    def extra_repr(self) -> str:
        inputs = ", ".join(map(str, self.signature.inputs))
        outputs = ", ".join(map(str, self.signature.outputs))
        return f"{inputs} -> {outputs}"


def _blank(code: Code) -> ConvertedModule:
    module_class = _class_of(code.source, code.modules, _Values(code.values), code.renamed)
    return module_class.__new__(module_class)


class _Values(tuple):
    """Attribute values as a cache key, by identity: arrays do not hash."""

    __slots__ = ()

    def __hash__(self) -> int:
        return hash(tuple((name, id(value)) for name, value in self))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, tuple) and [(n, id(v)) for n, v in self] == [
            (n, id(v)) for n, v in other
        ]


@lru_cache(maxsize=256)
def _class_of(source: str, modules: tuple, values: _Values, renamed: bool) -> type[ConvertedModule]:
    digest = hashlib.sha256(source.encode()).hexdigest()[:12]
    forward = load_program(source, dict(modules), dict(values), digest)
    base = NamedModule if renamed else ConvertedModule
    return type("Converted", (base,), {"forward": forward, "__module__": __name__})


class NamedModule(ConvertedModule):
    """One whose inputs have names that Python's arguments cannot have."""

    def __call__(self, /, *inputs: Any, **named: Any) -> Any:
        """Run the model; inputs go by the names in the signature, too."""
        known = {self.arguments.get(name, name): value for name, value in named.items()}
        return super().__call__(*inputs, **known)


def expression(name: str) -> str:
    """Return the Python expression for a weight by its dotted name."""
    text = "self"
    for part in name.split("."):
        text = f"{text}.{part}" if _attribute(part) else f"getattr({text}, {part!r})"
    return text


def _attribute(part: str) -> bool:
    import keyword

    return part.isidentifier() and not keyword.iskeyword(part) and not part.startswith("__")


def constant_expression(name: str) -> str:
    """Return the Python expression for a constant."""
    return f"self.{CONSTANTS}.{name}"


def keep_statement(name: str, value: str) -> str:
    """Return the statement that stores a value in a buffer; gradients end there."""
    return f"{expression(name)}.copy_({value}.detach())"


def assemble(program: Program, signature: Signature, names: dict[str, str]) -> ConvertedModule:
    """Make the module: weights under their own names, constants apart from them.

    Args:
        names: what each weight is called here (`held_names`).
    """
    pairs = zip(program.inputs, program.arguments, strict=True)
    arguments = {name: argument for name, argument in pairs if name != argument}
    modules, values = tuple(program.modules.items()), tuple(program.values.items())
    code = Code(program.source, modules, values, bool(arguments))
    module = _blank(code)
    nn.Module.__init__(module)
    module.code, module.permutations = code, {}
    module.names = {name: held for name, held in names.items() if name != held}
    module.arguments = arguments
    module.signature = replace(
        signature,
        inputs=tuple(map(carried, signature.inputs)),
        outputs=tuple(map(carried, signature.outputs)),
    )
    for name, value in program.weights.items():
        _place(module, name, value, names)
        if stored := value.metadata_props.get("equiport.permutation"):
            module.permutations[name] = tuple(map(int, stored.split(",")))
    constants = nn.Module()
    module.add_module(CONSTANTS, constants)
    for name, tensor in program.constants.items():
        _place_constant(constants, name, tensor)
    return module.eval()


def aliases(value: ir.Value) -> list[str]:
    """Return the further names that a weight has in the source."""
    found: list[str] = json.loads(value.metadata_props.get("equiport.aliases", "[]"))
    return found


def _place(root: nn.Module, name: str, value: ir.Value, names: dict[str, str]) -> None:
    tensor = live_tensor(value.const_value)
    if value.metadata_props["equiport.role"] == "parameter":
        tensor = nn.Parameter(tensor, tensor.is_floating_point())
    for known_as in (name, *aliases(value)):
        owner, leaf = _owner(root, names[known_as])
        if isinstance(tensor, nn.Parameter):
            owner.register_parameter(leaf, tensor)
        else:
            owner.register_buffer(leaf, tensor)


def _owner(root: nn.Module, name: str) -> tuple[nn.Module, str]:
    """Return the submodule that holds the weight ``name``, made where needed, and its leaf."""
    *path, leaf = name.split(".")
    for part in path:
        if part not in root._modules:
            root.add_module(part, nn.Module())
        root = root._modules[part]  # type: ignore[assignment]
    return root, leaf


def _place_constant(owner: nn.Module, name: str, tensor: ir.TensorProtocol) -> None:
    value = live_tensor(tensor)
    if isinstance(value, torch.Tensor):
        owner.register_buffer(name, value, persistent=False)
    else:
        setattr(owner, name, value)  # strings have no tensor


def live_tensor(tensor: Any) -> Any:
    """Return a tensor of its own (training it must not change the source's)."""
    raw = getattr(tensor, "raw", None)
    if isinstance(raw, torch.Tensor):
        return raw.detach().clone()
    return from_numpy(tensor.numpy(), int(tensor.dtype))
