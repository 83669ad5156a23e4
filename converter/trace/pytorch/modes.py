"""Whether a module computes in training what it computes in inference, but for the known layers.

Dropout and batch normalisation follow the mode of the written module. What a call drops in training
is taken over, where it says so in training alone (attention does). Anything else that a module
does in training alone (a branch on ``self.training``) is not in the graph, which is of inference;
here it is found, so that it can be said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch

from converter.formats.torch_call import as_called
from converter.signature import Signature
from converter.trace.pytorch.dropout import RATE
from converter.trace.pytorch.examples import from_signature
from converter.trace.pytorch.trace import exportable, quiet
from converter.trace.told import INFERENCE_ALONE

aten = torch.ops.aten

_FLAGS = {
    aten.dropout.default: "train", aten.feature_dropout.default: "train",
    aten.alpha_dropout.default: "train", aten.feature_alpha_dropout.default: "train",
    aten.batch_norm.default: "training",
}  # fmt: skip
"""Operators that follow the mode, and the argument that says it."""

_RATES = {
    aten.dropout.default: "p", aten.feature_dropout.default: "p", aten.alpha_dropout.default: "p",
    aten.feature_alpha_dropout.default: "p",
    aten.scaled_dot_product_attention.default: "dropout_p",
}  # fmt: skip
"""Operators that drop, and the argument that says how much."""

Call = tuple[Any, dict[str, str], str]
"""An operator, its arguments by name as text, and the module that calls it."""


def in_training_alone(
    module: torch.nn.Module, signature: Signature, given: Mapping[str, torch.Tensor] | None
) -> list[str]:
    """Say where a module's calls in training differ from those in inference; it is left as it was.

    Args:
        module: a live module.
        signature: its inputs.
        given: example tensors by input name, instead of made ones.
    """
    try:
        with _exporting(module, signature, given) as exported:
            programs = exported(False), exported(True)
    except Exception as error:  # whatever torch.export says; the model itself could be traced
        reason = str(error).strip().split("\n")[0][:160]
        return [f"what the model does in training could not be traced and compared: {reason}"]
    known = rates(*programs) is not None
    plain, trained = (list(_of(program, known)) for program in programs)
    for one, other in zip(plain, trained, strict=False):
        if one[:2] != other[:2]:
            return [_told(one, other)]
    if len(plain) != len(trained):
        longer = max(plain, trained, key=len)
        target, _, place = longer[min(len(plain), len(trained))]
        mode = "training" if longer is trained else "inference"
        return [f"{_word(target)} at {place} is called in {mode} alone{_END}"]
    return []


_END = f"; {INFERENCE_ALONE}"


def take_rates(
    program: torch.export.ExportedProgram, module: torch.nn.Module, signature: Signature,
    given: Mapping[str, torch.Tensor] | None,
) -> None:  # fmt: skip
    """Write into the nodes of a program of inference what they drop in training; in place.

    A call such as ``dropout(x, self.rate if self.training else 0.0)`` does not say it itself.
    """
    try:
        with _exporting(module, signature, given) as exported:
            trained = exported(True)
    except Exception:  # `in_training_alone` says so
        return
    for node, rate in (rates(program, trained) or {}).items():
        node.meta[RATE] = rate


def rates(
    program: torch.export.ExportedProgram, trained: torch.export.ExportedProgram
) -> dict[torch.fx.Node, float] | None:
    """Return what each call that can drop drops in training.

    Returns:
        ``None``: the calls of the two modes are not the same ones.
    """
    own, other = ([node for node in item.graph.nodes if node.target in _RATES]
                  for item in (program, trained))  # fmt: skip
    if [(n.target, _place(n)) for n in own] != [(n.target, _place(n)) for n in other]:
        return None
    found = {node: _given(twin).get(_RATES[twin.target], 0.0)
             for node, twin in zip(own, other, strict=True)}  # fmt: skip
    return {node: float(rate) for node, rate in found.items() if isinstance(rate, int | float)}


@contextmanager
def _exporting(
    module: torch.nn.Module, signature: Signature, given: Mapping[str, torch.Tensor] | None
) -> Iterator[Callable[[bool], torch.export.ExportedProgram]]:
    """Give a function that exports a module in training or not; its modes are put back."""
    called, _ = as_called(module)
    example = from_signature(called, signature, given)
    modes = [(part, part.training) for part in called.modules()]

    def exported(training: bool) -> torch.export.ExportedProgram:
        part = _in_training(called) if training else called.eval()
        return torch.export.export(part, example.args, example.kwargs or None, strict=False)

    try:
        with quiet(), exportable(called):
            yield exported
    finally:
        for part, usual in modes:
            part.training = usual


def _in_training(module: torch.nn.Module) -> torch.nn.Module:
    """Put a module into training mode, but for layers whose dropout the graph has by itself."""
    module.train()
    for part in module.modules():
        if isinstance(part, torch.nn.RNNBase):
            part.training = False
    return module


def _of(program: torch.export.ExportedProgram, rates_known: bool) -> Iterator[Call]:
    """Yield the calls of a program, without what follows the mode of the written module."""
    counters = {
        name for name, buffer in program.graph_signature.inputs_to_buffers.items()
        if buffer.endswith("num_batches_tracked")
    }  # fmt: skip
    for node in program.graph.nodes:
        if node.op != "call_function":
            continue
        if any(getattr(item, "name", "") in counters for item in node.args):
            continue
        given = {name: _number(item) for name, item in _given(node).items()}
        given.pop(_FLAGS.get(node.target, ""), None)
        if rates_known:
            given.pop(_RATES.get(node.target, ""), None)
        yield node.target, given, _place(node)


def _given(node: torch.fx.Node) -> dict[str, Any]:
    """Return a call's arguments by name, without those that are the default."""
    return {
        argument.name: item
        for argument, item in zip(_arguments(node.target), node.args, strict=False)
        if not argument.has_default_value() or argument.default_value != item
    } | dict(node.kwargs)


def _arguments(target: Any) -> list[Any]:
    schema = getattr(target, "_schema", None)
    return list(schema.arguments) if schema is not None else []


def _number(item: Any) -> str:
    """Return an argument as text; a tensor is only a tensor."""
    if isinstance(item, torch.fx.Node):
        return "tensor"
    if isinstance(item, list | tuple):
        return f"[{', '.join(map(_number, item))}]"
    return repr(item)


def _place(node: torch.fx.Node) -> str:
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    return (stack[-1][0] if stack else "") or "the model itself"


def _told(one: Call, other: Call) -> str:
    (target, before, place), (trained, after, other_place) = one, other
    if target is not trained:
        words = f"{_word(trained)} at {other_place} is called instead of {_word(target)} at {place}"
        return f"in training {words}{_END}"
    name = next(key for key in {**after, **before} if after.get(key) != before.get(key))
    now, plain = (f"{name}={given[name]}" if name in given else f"no {name}"
                  for given in (after, before))  # fmt: skip
    return f"{_word(target)} at {place} is given {now} in training, {plain} in inference{_END}"


def _word(target: Any) -> str:
    return str(target).removeprefix("aten.").partition(".")[0]
